import pytest
import torch
from small_codec import SIZES, small_codec, small_model

from nctutorial.training.checkpoints import load_checkpoint, save_checkpoint
from nctutorial.training.optimizers import optimizers


def trained(kind="factorized"):
    """A model after one step, another model, and the optimizers of the first."""
    model = small_model(kind)
    optims = optimizers(model, 0.01)
    torch.manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    for optimizer in optims:
        optimizer.step()
    return [model, torch.nn.Linear(2, 3)], optims


@pytest.mark.parametrize("kind", SIZES)
def test_a_checkpoint_brings_everything_back(tmp_path, kind):
    path, (models, optims), others = tmp_path / "a", trained(kind), [small_model(kind), torch.nn.Linear(2, 3)]
    numbers = {"step": 17, "loss": 0.1 + 0.2}
    save_checkpoint(path, numbers, models, optims)
    other_optims = optimizers(others[0], 0.5)
    assert load_checkpoint(path, others, other_optims) == numbers
    for model, other in zip(models, others, strict=True):
        torch.testing.assert_close(other.state_dict(), model.state_dict(), rtol=0, atol=0)
    for here, there in zip(optims, other_optims, strict=True):
        states = here.state_dict()["state"], there.state_dict()["state"]
        assert states[0]
        torch.testing.assert_close(*states, rtol=0, atol=0)


@pytest.mark.parametrize("content", [b"", b"x" * 99, "cut", "weights"])
def test_what_is_no_checkpoint_is_one_sentence(tmp_path, content):
    path, (models, optims) = tmp_path / "a.checkpoint", trained()
    save_checkpoint(path, {"step": 1}, models, optims)
    others = {"cut": path.read_bytes()[:-1000], "weights": small_codec().to_bytes()}
    path.write_bytes(others.get(content, content))
    with pytest.raises(ValueError, match="a.checkpoint is no checkpoint of this training: delete it to begin again"):
        load_checkpoint(path, models, optims)
