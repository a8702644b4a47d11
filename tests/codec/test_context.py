import torch

from nctutorial.codec.context import ContextModel, masks

H, W = 6, 7


def test_squares_of_one_colour_are_no_neighbours():
    white, black, every = masks(H, W)
    assert torch.equal(white ^ black, every) and every.all()
    for colour in (white, black):
        assert not (colour[1:] & colour[:-1]).any() and not (colour[:, 1:] & colour[:, :-1]).any()


def test_a_pass_sees_nothing_that_is_decoded_later():
    torch.manual_seed(0)
    context = ContextModel((4, 8, 12), hyper=3, wide=8, middle=8, inner=12)
    side, known, place, where = torch.randn(1, 8, H, W), torch.randn(1, 24, H, W), torch.ones(1, 2, 1, 1), masks(H, W)
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
