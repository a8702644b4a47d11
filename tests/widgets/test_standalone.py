"""The λ explorer without a kernel: what travels with the page, and the page itself."""

import base64
import hashlib
import json
import re

import ipywidgets.embed
import numpy as np
import pytest
from explorer_standin import DctCodec

from nctutorial import classical, data, metrics
from nctutorial.codec.units import LAM_MAX, LAM_MIN
from nctutorial.widgets.explorer import bits_map
from nctutorial.widgets.standalone import precompute, write_html


@pytest.fixture(scope="module")
def still():
    photo = data.photo("red_panda")[100:196, 200:296]
    return photo, precompute(photo, n=5, lam=0.009, model=DctCodec())


def test_figures_are_of_the_exact_picture(still):
    photo, widget = still
    codec = DctCodec()
    assert not widget.live and len(widget.stills) == 5 and widget.frame == {}
    assert [s["lam"] for s in widget.stills] == widget.stops == pytest.approx(np.geomspace(LAM_MIN, LAM_MAX, 5))
    assert widget.lam == widget.stops[2], "the one nearest to what was asked for"
    for frame in widget.stills:
        coded = codec.code(codec.analyze(photo), frame["lam"])
        assert frame["bytes"] == len(coded.data) and frame["bits"] == bits_map(coded.bits)
        assert frame["psnr"] == pytest.approx(metrics.psnr(photo, coded.image))
        assert frame["detail"]["own"] == metrics.ms_ssim(photo, coded.image)
        assert metrics.psnr(coded.image, data.load_image(frame["pixels"])) > 34, "stored nearly as it was"
        for name in ("jpeg", "webp"):
            assert frame["rivals"][name]["file"] == classical.at_bytes(name, photo, frame["bytes"])
    assert np.array_equal(data.load_image(widget.scene["pixels"]), photo)
    assert "5 positions" in widget.scene["note"] and "AVIF" in widget.scene["note"]


def test_it_travels_with_a_saved_notebook(still):
    _, widget = still
    assert widget.picture() and widget.frame == {}
    state = ipywidgets.embed.embed_data([widget], drop_defaults=False)["manager_state"]["state"][widget.model_id]
    paths = [tuple(buffer["path"]) for buffer in state["buffers"]]
    assert ("stills", 4, "pixels") in paths and ("scene", "pixels") in paths
    assert not any(path[0] == "frame" for path in paths)
    assert "export class Slider" in state["state"]["kit"]


def test_one_file_holds_one_codec_and_all_curves(bundled, photo, tmp_path):
    path = tmp_path / "explorer.html"
    write_html(path, photo, n=3, model="hyperprior")
    assert list(tmp_path.iterdir()) == [path]
    text = re.search(r'<script type="application/json" id="state">(.*?)</script>', path.read_text("utf-8"), re.S)[1]
    state = json.loads(text)
    assert [frame["model"] for frame in state["stills"]] == 3 * ["hyperprior"]
    assert [s["bytes"] for s in state["stills"]] == sorted(s["bytes"] for s in state["stills"])
    assert base64.b64decode(state["scene"]["pixels"]["base64"])[:4] == b"RIFF"
    assert state["curves"].keys() == {"factorized", "hyperprior", "jpeg", "webp"} and all(state["curves"].values())


def test_nothing_but_its_own_script_and_style_can_run_on_the_page(photo, tmp_path):
    write_html(tmp_path / "explorer.html", photo, n=2, model=DctCodec())
    page = (tmp_path / "explorer.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy"\s+content="(.*?)"', page)[1]
    digests = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in (page.split("<style>")[1].split("</style>")[0], page.split('"module">')[1].split("</script>")[0])
    ]
    assert policy == f"default-src 'none'; style-src {digests[0]}; script-src {digests[1]} blob:"
    assert page.count("<script") == 2 and "$" not in page.split("<style>")[0]


def test_a_page_that_cannot_be_written_leaves_no_trace(tmp_path, photo):
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_html(tmp_path / "nowhere" / "explorer.html", photo, n=2, model=DctCodec())
    assert list(tmp_path.iterdir()) == []
