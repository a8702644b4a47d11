import numpy as np
import pytest
import torch
from small_codec import small_hyperprior, smooth_noise

from nctutorial.codec import units
from nctutorial.codec.context import masks
from nctutorial.codec.priors import SCALES, scale_at
from nctutorial.codec.tiles import tiles
from nctutorial.codec.units import LAM_LAST
from nctutorial.codec.walk import HyperSymbols, passes


@pytest.mark.parametrize("h, w", [(1, 1), (1, 2), (5, 4)])
def test_the_passes_of_a_tile_cover_every_symbol_once(h, w):
    covered = np.zeros((24, h, w), int)
    for each in passes(small_hyperprior().networks, h, w):
        channels, rows, columns = each.selection
        assert len(each.locations) and (w * rows + columns).tolist() == each.locations.tolist()
        covered[each.selection] += 1
    assert (covered == 1).all()


def test_every_tile_has_its_own_z():
    symbols = HyperSymbols.zeros(24, 3, 0, 16 * 70 - 5, 16 * 75)
    for number, (area, _, _) in enumerate(tiles(70, 75)):
        part = symbols.hyper_of(area)
        assert not part.any() and part.shape[1:] == tuple(-(-(side.stop - side.start) // 4) for side in area)
        part[:] = number + 1
    assert symbols.hyper.all() and symbols.hyper.shape == (3, 18, 19)


def test_what_the_integers_predict_is_what_the_float_networks_say():
    """Means and scales of each pass against the float network, on the latents as they are decoded."""
    codec, index = small_hyperprior(), 3000
    symbols = codec.quantize(codec.analyze(smooth_noise(96, 80)), units.lam_at(index))
    model, (h, w) = codec.model, symbols.values.shape[1:]
    place = torch.tensor([2 * index / LAM_LAST - 1, (2 * index / LAM_LAST - 1) ** 2]).view(1, 2, 1, 1)
    step = torch.from_numpy(units.between_nodes(codec.step, index) / 2**16).float()[:, None, None]
    hyper_step = torch.from_numpy(units.between_nodes(codec.hyper_step, index) / 2**16).float()[:, None, None]
    ratio = model.unit[:, None, None] / step
    y_hat = torch.from_numpy(symbols.in_steps((slice(0, h), slice(0, w)))) / ratio
    side = model.context.side(torch.from_numpy(symbols.hyper).float()[None] * hyper_step, place, h, w)
    where = masks(h, w).numpy()
    for i, (first, last, mask) in enumerate(model.context.passes):
        known = y_hat.clone()
        known[last if mask == 1 else first :] = 0
        if mask == 1:
            known[first:last] *= torch.from_numpy(where[0])
        mean, log_scale = (each[0] for each in model.context.predict(i, side, known[None], place))
        means, scales = (array[first:last][:, where[mask]] for array in (symbols.means / 64, symbols.scales))
        np.testing.assert_allclose(means, (mean * ratio[first:last])[:, where[mask]], rtol=0.01, atol=0.05)
        number_of = 8 * torch.log(torch.exp(log_scale) * ratio[first:last] / scale_at(0))
        assert np.abs(scales - number_of[:, where[mask]].numpy().clip(0, SCALES - 1)).max() < 0.6
