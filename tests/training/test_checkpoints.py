import pytest
import torch
from small_codec import SIZES, small_codec, small_model

from nctutorial.training.checkpoints import load_checkpoint, read_log, save_checkpoint, write_log
from nctutorial.training.optimizers import optimizers


def trained(kind="factorized"):
    """A model after one step, and its optimizers."""
    model = small_model(kind)
    optims = optimizers(model, 0.01)
    torch.manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    for optimizer in optims:
        optimizer.step()
    return model, optims


@pytest.mark.parametrize("kind", SIZES)
def test_a_checkpoint_brings_everything_back(tmp_path, kind):
    path, (model, optims), other = tmp_path / "a.checkpoint", trained(kind), small_model(kind)
    save_checkpoint(path, 17, 0.1 + 0.2, model, optims)
    others = optimizers(other, 0.5)
    assert load_checkpoint(path, other, others) == (17, 0.1 + 0.2)
    torch.testing.assert_close(other.state_dict(), model.state_dict(), rtol=0, atol=0)
    for here, there in zip(optims, others, strict=True):
        states = here.state_dict()["state"], there.state_dict()["state"]
        assert states[0]
        torch.testing.assert_close(*states, rtol=0, atol=0)


@pytest.mark.parametrize("content", [b"", b"x" * 99, "cut", "weights"])
def test_what_is_no_checkpoint_is_one_sentence(tmp_path, content):
    path, (model, optims) = tmp_path / "a.checkpoint", trained()
    save_checkpoint(path, 1, 0.0, model, optims)
    others = {"cut": path.read_bytes()[:-1000], "weights": small_codec().to_bytes()}
    path.write_bytes(others.get(content, content))
    with pytest.raises(ValueError, match="a.checkpoint is no checkpoint of this training: delete it to begin again"):
        load_checkpoint(path, model, optims)


def test_the_log_is_read_as_it_was_written(tmp_path):
    path, rows = tmp_path / "a.csv", [["10", "0.5000", "nan"], ["20", "0.2500", "1.0"]]
    assert read_log(path) == []
    write_log(path, rows)
    assert path.read_text() == "10,0.5000,nan\n20,0.2500,1.0\n" and read_log(path) == rows
