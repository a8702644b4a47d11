"""What is trained: transforms, gains and a prior.

When it is, `Codec.finish` makes a codec of it.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from .transforms import Transforms


class Model(Transforms, ABC):
    """A compression model: x -> y -> symbols and their bits, and back to x_hat, all differentiable.

    Its kind and sizes stand in files of weights.
    """

    kind: ClassVar[str]  # its name
    sizes: dict[str, int | tuple[int, ...]]  # what its constructor takes

    def forward(self, x: Tensor, lam: Tensor, noisy: bool = False) -> tuple[Tensor, Tensor]:
        """x: (B, 3, H, W); lam: (B,). Returns x_hat as x, and estimated bits: (B,). noisy: see `relaxed`."""
        y_hat, bits = self.relaxed(self.analyze_tensor(x), lam, noisy)
        return self.synthesize_tensor(y_hat, lam), bits

    @abstractmethod
    def relaxed(self, y: Tensor, lam: Tensor, noisy: bool = False) -> tuple[Tensor, Tensor]:
        """Quantise y and estimate its bits. y: (B, M, h, w); lam: (B,). Returns y_hat as y, and bits: (B,).

        noisy: straight-through rounding for the distortion and noise for the rate (Minnen and Singh 2020,
        arXiv:2007.08739), without a deadzone: the straight-through gradient would pull values out of a deadzone that
        stay in it. Else symbols are those of files, and no gradient goes through them. A hyper-latent is noisy in
        training mode, else rounded.
        """

    @abstractmethod
    def start_prior(self, spread: Tensor) -> None:
        """Start the prior of y at a standard deviation for each channel: (M,)."""

    @abstractmethod
    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:
        """Set the deadzones to the best ones under the prior as it is now; see `rounding.best_deadzone`."""
