import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import settings

from nctutorial import data

# No deadlines: nothing here is timed. The same examples every time: a failure can be repeated.
settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")

# The tensors here are small: a second thread gains little, and on a busy machine it costs ten times as much.
torch.set_num_threads(1)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium. Without one the browser tests are skipped, but under CI=true they fail."""
    names = [os.environ.get("CHROMIUM", ""), *BROWSERS, MAC_CHROME]
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = "NO BROWSER TESTS: no Chromium found; install it or set CHROMIUM to its path"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def kodak():
    """The 24 Kodak paths, or a skip: they are not part of the repository."""
    try:
        return data.kodak_paths()
    except data.KodakError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def red_panda():
    return data.photo("red_panda")


@pytest.fixture
def random_image():
    """random_image(height, width): uint8 (H, W, 3), the same every time."""

    def make(height, width):
        rng = np.random.default_rng([height, width])
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)

    return make
