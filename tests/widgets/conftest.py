import pytest
from explorer_standin import DctCodec

from nctutorial import data
from nctutorial.widgets import explorer


@pytest.fixture
def photo():
    return data.photo("red_panda")[120:216, 240:384]


@pytest.fixture
def bundled(monkeypatch):
    """Two fast codecs in the place of the bundled ones: one takes coarser steps at the same λ."""
    codecs = {"factorized": DctCodec(), "hyperprior": DctCodec(step=9)}
    monkeypatch.setattr(explorer, "load_codec", codecs.__getitem__)
    return codecs
