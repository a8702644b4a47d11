import pytest
import torch

from nctutorial.codec.context import ContextModel, masks

H, W = 6, 7


@pytest.fixture(scope="module")
def context():
    torch.manual_seed(0)
    return ContextModel((4, 8, 12), hyper=3, wide=8, middle=8, inner=12)


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(1, 8, H, W), torch.randn(1, 24, H, W), torch.tensor([0.5, 0.25]).view(1, 2, 1, 1)


def test_squares_of_one_colour_are_no_neighbours():
    white, black, every = masks(H, W)
    assert torch.equal(white ^ black, every) and every.all()
    for colour in (white, black):
        assert not (colour[1:] & colour[:-1]).any() and not (colour[:, 1:] & colour[:, :-1]).any()


@pytest.mark.parametrize("h, w", [(1, 1), (4, 4), (5, 9), (16, 3)])
def test_shapes_of_z_and_of_what_it_tells(context, inputs, h, w):
    z = context.hyper_latent(torch.randn(1, 24, h, w), inputs[2])
    assert z.shape == (1, 3, -(-h // 4), -(-w // 4))
    assert context.side(z, inputs[2], h, w).shape == (1, 8, h, w)


def test_a_pass_sees_nothing_that_is_decoded_later(context, inputs):
    side, known, place = inputs
    where = masks(H, W)
    for number, (first, last, mask) in enumerate(context.passes):
        known = known.detach().requires_grad_()
        mean, log_scale = context.predict(number, side, known, place)
        reached = torch.zeros(24, H, W, dtype=torch.bool)
        if first or mask == 1:  # the first of all passes has nothing to see
            ((mean + log_scale) * where[mask]).square().sum().backward()
            reached = known.grad[0] != 0
        assert reached[:first].any() == (first > 0) and not reached[last:].any()
        # the black squares see white ones of their own slice; black ones are 0 there, so that nothing leaks
        assert reached[first:last].any() == (mask == 1)


def test_locations_by_number_are_those_of_the_whole_map(context, inputs):
    where = torch.tensor([3, 0, 40, 17])
    for number, (first, last, _) in enumerate(context.passes):
        whole, some = context.predict(number, *inputs[:2], inputs[2]), context.predict(number, *inputs, where)
        for of_all, of_some in zip(whole, some, strict=True):
            assert of_some.shape == (1, last - first, 1, 4)
            torch.testing.assert_close(of_some[:, :, 0], of_all.flatten(2)[..., where])
