"""What is known of a latent before it is decoded: side information (a hyper-latent) and what came before.

Ballé et al. 2018 (arXiv:1802.01436) send a hyper-latent z first, from which the decoder computes the scale of each
y; Minnen et al. 2018 (arXiv:1809.02736) add its mean. Two things cost no bits: channels that are decoded already
(slices, Minnen and Singh 2020, arXiv:2007.08739) and neighbours in the same channels (a checkerboard, He et al.
2021, arXiv:2103.15306).
"""

import torch
from torch import Tensor, nn

from .layers import SLOPE, beside, conv


class ContextModel(nn.Module):
    """The networks that predict mean and scale of y, all at 1/16 of the photo's resolution or below.

    They see y in units of its spread, one number for each channel, and λ's place (`transforms.places`). The same code
    runs in floats while training and in integers in files: see `exact.integer`.

        y -> h_a: conv 1x1 -> conv 3x3 /2 -> conv 3x3 /2 -> conv 1x1 -> z
        z_hat -> h_s: conv 1x1, up 2 -> conv 3x3 -> conv 1x1, up 2 -> side
        known y_hat -> context: conv 3x3 -> beside side -> head: 3 conv 1x1 -> mean, log scale of a pass

    A pass is what is coded at once: the channels of a slice, at the locations of a mask. The first slices have two,
    the white squares of a checkerboard and the black ones.
    """

    CHECKERED = 2  # slices that have two passes

    def __init__(self, slices: tuple[int, ...], hyper: int, wide: int, middle: int, inner: int):
        """slices: numbers of channels of y, by their energy. hyper: channels of z. wide: of the hyper networks. middle:
        of the contexts. inner: of the heads."""
        super().__init__()
        gain = 2**0.5  # an activation halves the variance
        self.hyper_analysis = _activated(
            conv(sum(slices) + 2, wide, 1),
            conv(wide, wide, 3, stride=2, gain=gain),
            conv(wide, wide, 3, stride=2, gain=gain),
            conv(wide, hyper, 1, gain=gain),
        )
        self.hyper_synthesis = nn.Sequential(
            _activated(
                nn.Sequential(conv(hyper + 2, 4 * wide, 1), nn.PixelShuffle(2)),
                conv(wide, wide, 3, gain=gain),
                nn.Sequential(conv(wide, 4 * wide, 1, gain=gain), nn.PixelShuffle(2)),
            ),
            nn.LeakyReLU(SLOPE, inplace=True),
        )
        self.passes: list[tuple[int, int, int]] = []  # first channel, last + 1, number of the mask in `masks`
        self.contexts, self.heads = nn.ModuleList(), nn.ModuleList()
        first = 0
        for i, size in enumerate(slices):
            for mask in (0, 1) if i < self.CHECKERED else (2,):
                self.passes.append((first, first + size, mask))
                seen = first + size if mask == 1 else first
                see = [conv(seen, middle, 3), nn.LeakyReLU(SLOPE, inplace=True)] if seen else []
                self.contexts.append(nn.Sequential(*see))
                features = wide + (middle if seen else 0) + 2
                layers = conv(features, inner, 1), conv(inner, inner, 1, gain=gain), conv(inner, 2 * size, 1, gain=0.1)
                self.heads.append(_activated(*layers))
            first += size

    def hyper_latent(self, y: Tensor, place: Tensor) -> Tensor:
        """z. y: (B, M, h, w) in units of its spread; place: (B, 2, 1, 1). Returns (B, hyper, ceil(h/4), ceil(w/4))."""
        return self.hyper_analysis(beside(y, place))

    def side(self, z_hat: Tensor, place: Tensor, h: int, w: int) -> Tensor:
        """What z tells of each of h x w locations. z_hat as z; place: (B, 2, 1, 1). Returns (B, wide, h, w)."""
        return self.hyper_synthesis(beside(z_hat, place))[..., :h, :w]

    def predict(
        self, number: int, side: Tensor, known: Tensor, place: Tensor, where: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and log scale of the channels of a pass, in units of their spread. known: (B, M, h, w), 0 where unknown.

        Returns two (B, channels of the pass, h, w), good only where its mask is; or, if `where` numbers n of the
        h w locations, two (B, channels of the pass, 1, n): the heads look at one location at a time.
        """
        first, last, mask = self.passes[number]
        seen = last if mask == 1 else first
        features = [side, self.contexts[number](known[:, :seen])] if seen else [side]
        if where is not None:
            features = [_at(each, where) for each in features]
        mean, log_scale = self.heads[number](beside(torch.cat(features, 1), place)).chunk(2, 1)
        return mean, log_scale


def _activated(*layers: nn.Module) -> nn.Sequential:
    """Layers with a LeakyReLU between each two."""
    return nn.Sequential(*[each for layer in layers for each in (layer, nn.LeakyReLU(SLOPE, inplace=True))][:-1])


def _at(features: Tensor, where: Tensor) -> Tensor:
    """The features of some locations, one row of them: (B, C, 1, n)."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)[:, None, where].permute(0, 3, 1, 2)


def masks(h: int, w: int) -> Tensor:
    """The masks of passes: white squares, black squares, all. Returns bool (3, h, w)."""
    white = (torch.arange(h)[:, None] + torch.arange(w)) % 2 == 0
    return torch.stack([white, ~white, torch.ones_like(white)])
