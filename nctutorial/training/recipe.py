"""How to train: the numbers of a training, and its schedule of learning rate and rounding."""

from dataclasses import dataclass
from typing import Literal

from ..codec.rounding import HARD, ROUNDING_COST, Rounding
from ..codec.tiles import STRIDE
from .crops import CROP

WARM_UP = 100  # steps


@dataclass(frozen=True)
class Recipe:
    """How to train: two phases, in each of which the learning rate is constant for a third and falls linearly to 0.

    In the first all learns, and `rounding` stands in for the quantizer. In the last `decoder_steps` the encoder rests,
    and all behind it learns with the quantizer that files use. Raises ValueError if `crop` is not a multiple of 16 or
    there is no such rounding.
    """

    steps: int = 40_000
    decoder_steps: int = 5_000
    batch: int = 8
    crop: int = CROP
    lr: float = 2e-3
    seed: int = 0
    rounding_cost: float = ROUNDING_COST  # see codec.rounding.best_deadzone
    rounding: Literal["noise", "random"] = "noise"  # see codec.rounding.Rounding
    every: int = 500  # steps between validations
    bf16: bool = False  # run the transforms in bfloat16; a GPU always does

    def __post_init__(self) -> None:
        if self.crop % STRIDE:
            raise ValueError(f"crop must be a multiple of {STRIDE}, not {self.crop}")
        if self.rounding not in ("noise", "random"):
            raise ValueError(f"rounding must be noise or random, not {self.rounding}")

    def at(self, step: int) -> tuple[bool, float, Rounding]:
        """Whether the encoder learns, the learning rate as a part of its peak, and the rounding at a step.

        The temperature of random rounding falls with the learning rate, from 0.35 to 0.1.
        """
        joint = self.steps - self.decoder_steps
        begin, end = (0, joint) if step < joint else (joint, self.steps)
        fall = min(1.0, 1.5 * (end - step) / (end - begin))
        rate = min(fall, (step - begin + 1) / WARM_UP)
        return step < joint, rate, Rounding(self.rounding, max(0.35 * fall, 0.1)) if step < joint else HARD
