"""How much memory the largest picture takes that is decoded without asking: a minute for each codec."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import nctutorial
from nctutorial.codec import NAMES
from nctutorial.codec.bitstream import MAX_PIXELS

LARGEST = """
import pathlib, re, sys, nctutorial
image = nctutorial.decompress(pathlib.Path(sys.argv[1]).read_bytes())
print(*image.shape, re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_at_the_limit_takes_half_a_gigabyte(tmp_path, name):
    codec, height, width = nctutorial.load_codec(name), 3072, 4096
    assert height * width == MAX_PIXELS
    latent = codec.analyze(np.zeros((16, 16, 3), np.uint8))
    vars(latent).update(y=torch.zeros(1, 320, 192, 256), height=height, width=width)
    path = tmp_path / "large.nct"
    path.write_bytes(codec.encode(codec.quantize(latent, 0.01)))
    command, threads = [sys.executable, "-c", LARGEST, path], os.environ | {"OMP_NUM_THREADS": "2"}  # each takes some
    done = subprocess.run(command, env=threads, capture_output=True, check=True)
    *shape, kilobytes = map(int, done.stdout.split())
    assert shape == [height, width, 3]
    assert kilobytes < 580_000  # 457 to 550 MB were seen, by the luck of the allocator
