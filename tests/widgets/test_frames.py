"""FrameSlider: what Python sends, the static picture, the slider in a browser; and the pages of chapter 06."""

import base64
import io
import itertools
import json
import math
import os
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
import traitlets
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from nctutorial import plotting
from nctutorial.widgets import frames
from nctutorial.widgets.frames import FrameSlider

COLOURS = {1: (255, 0, 0), 2.5: (0, 255, 0), 4: (0, 0, 255)}


def flat(value, size=(2, 1.5)):
    """A figure of one colour."""
    return Figure(size, dpi=50, facecolor=np.array(COLOURS[value]) / 255)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_frames_are_drawn_once_in_order():
    drawn = []
    slider = FrameSlider(lambda v: drawn.append(v) or flat(v), COLOURS, "step", "grey levels")
    slider.index = 2
    assert drawn == [1, 2.5, 4]
    assert slider.captions == ["1 grey levels", "2.5 grey levels", "4 grey levels"]
    for frame, colour in zip(slider.frames, COLOURS.values(), strict=True):
        assert pixels(frame).shape == (75, 100, 3) and (pixels(frame) == colour).all()


def test_the_page_can_move_the_slider():
    slider = FrameSlider(flat, COLOURS, "step")
    slider.set_state({"index": 1})
    assert slider.index == 1
    with pytest.raises(traitlets.TraitError, match="between 0 and 2"):
        slider.index = 3


def test_display():
    slider = FrameSlider(flat, COLOURS, "step Δ")
    bundle, metadata = slider._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(slider) == "FrameSlider('step Δ', 1 to 4, 3 frames)"
    assert "step Δ" in metadata["image/png"]["alt"]
    sheet = pixels(base64.b64decode(bundle["image/png"]))
    assert sheet.shape == (2 * (75 + 26), 200, 3)  # two columns, two rows, each with a caption
    centres = [sheet[26 + 37, 50], sheet[26 + 37, 150], sheet[101 + 26 + 37, 50]]
    assert [tuple(centre) for centre in centres] == list(COLOURS.values())
    assert (sheet[:26, :100] < 128).any(), "the caption"
    assert bundle["image/png"] == slider.picture(), "the same every time"


def test_figures_of_pyplot_are_closed():
    before = plt.get_fignums()
    FrameSlider(lambda v: plt.figure(figsize=(1, 1)), ["one", "two"], "page")
    assert plt.get_fignums() == before


def test_tight_boxes_do_not_change_the_size():
    with plt.rc_context({"savefig.bbox": "tight"}):
        assert pixels(FrameSlider(flat, COLOURS, "step").frames[0]).shape == (75, 100, 3)


@pytest.mark.parametrize("n", [1, 22])
def test_too_few_and_too_many(n):
    with pytest.raises(ValueError, match=f"2 to 21 values, not {n}"):
        FrameSlider(lambda v: flat(1), range(n), "step")


def test_bad_frames():
    with pytest.raises(ValueError, match="differ in size"):
        FrameSlider(lambda v: flat(v, size=(v, 1)), COLOURS, "step")
    with pytest.raises(TypeError, match="must return a matplotlib Figure, not NoneType"):
        FrameSlider(lambda v: None, COLOURS, "step")


def test_too_large(monkeypatch):
    size = sum(map(len, FrameSlider(flat, COLOURS, "step").frames))
    monkeypatch.setattr(frames, "MAX_BYTES", size)
    FrameSlider(flat, COLOURS, "step")
    monkeypatch.setattr(frames, "MAX_BYTES", size - 1)
    with pytest.raises(ValueError, match="lower the dpi"):
        FrameSlider(flat, COLOURS, "step")


PAGE = """<!doctype html><meta charset="utf-8"><style>{css}</style><div id="at"></div>
<script type="module">
{esm}
const state = {state};
const listeners = {{}};
state.frames = state.frames.map((s) => new DataView(Uint8Array.from(atob(s), (c) => c.charCodeAt(0)).buffer));
window.saved = [];
window.model = {{
  get: (key) => state[key],
  set: (key, value) => {{ state[key] = value; listeners["change:" + key]?.(); }},
  on: (event, listener) => (listeners[event] = listener),
  off: (event) => delete listeners[event],
  save_changes: () => window.saved.push(state.index),
}};
window.leave = render({{ model, el: document.getElementById("at") }});
</script>"""


def test_in_a_browser(chromium, tmp_path):
    """Arrow keys turn the pages; the slider has a name and says its value; nothing but this page is needed."""
    from playwright.sync_api import expect, sync_playwright

    slider = FrameSlider(flat, COLOURS, "step", "levels")
    frames = [base64.b64encode(frame).decode() for frame in slider.frames]
    state = json.dumps({"index": 0, "label": slider.label, "captions": slider.captions, "frames": frames})
    (tmp_path / "page.html").write_text(PAGE.format(css=slider._css, esm=slider._esm, state=state), "utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 320, "height": 400})
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto((tmp_path / "page.html").as_uri())
        control = page.get_by_role("slider", name="step")

        def shown():
            picture = page.locator("img:visible")
            expect(picture).to_have_count(1)
            shot = pixels(picture.screenshot())
            return picture.get_attribute("alt"), tuple(int(c) for c in shot[shot.shape[0] // 2, shot.shape[1] // 2])

        assert shown() == ("1 levels", (255, 0, 0))
        control.focus()
        page.keyboard.press("ArrowRight")
        assert shown() == ("2.5 levels", (0, 255, 0))
        assert control.get_attribute("aria-valuetext") == "2.5 levels"
        page.keyboard.press("End")
        assert shown() == ("4 levels", (0, 0, 255))
        assert page.evaluate("saved") == [1, 2]
        page.evaluate("model.set('index', 0)")  # as the kernel would
        assert shown() == ("1 levels", (255, 0, 0)) and control.input_value() == "0"
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.evaluate("leave()")
        assert not errors
        browser.close()


@pytest.mark.parametrize(
    "low, width, bits",
    [
        ("0", "1", ""),
        ("1/2", "1/2", "1"),
        ("3/8", "1/8", "011"),
        ("7/16", "1/8", ""),
        ("5/16", "1/5", ""),
        ("0", "1/5", "00"),
    ],
)
def test_settled_bits(low, width, bits):
    assert frames.settled(Fraction(low), Fraction(width)) == bits


def test_settled_bits_are_what_all_numbers_share():
    for a, b in itertools.combinations(range(28), 2):
        low, high = Fraction(a, 27), Fraction(b, 27)
        bits = frames.settled(low, high - low)
        first = math.floor(low * 2**30)
        last = math.ceil(high * 2**30) - 1
        assert bits == os.path.commonprefix([f"{first:030b}", f"{last:030b}"])


def test_interval_ladder():
    """Each symbol coded has its part highlighted, and the texts at the right are those of the interval."""
    ends = [Fraction(0), Fraction(1, 4), Fraction(3, 4), Fraction(1)]
    figure = frames.interval_ladder([2, 1], ends, ["a", "b", "c"], 2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("a") == texts.count("b") == texts.count("c") == 3  # three bars
    assert [text for text in texts if set(text) <= set("01")] == ["1", "11", "11"]  # the width 1, then settled bits
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    chosen = [(bar.get_x(), bar.get_width()) for bar in bars if bar.get_facecolor() == to_rgba(plotting.BLUE)]
    assert chosen == [(0.75, 0.25), (0.25, 0.5)]
