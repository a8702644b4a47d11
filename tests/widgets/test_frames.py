"""FrameSlider: what Python sends, the static picture."""

import base64
import io

import numpy as np
import pytest
import traitlets
from matplotlib.figure import Figure
from PIL import Image

from nctutorial.widgets.frames import MAX_BYTES, FrameSlider

COLOURS = {1: (255, 0, 0), 2.5: (0, 255, 0), 4: (0, 0, 255)}


def flat(value, size=(2, 1.5)):
    """A figure of one colour."""
    return Figure(size, dpi=50, facecolor=np.array(COLOURS[value]) / 255)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_frames_are_drawn_once_in_order():
    drawn = []
    slider = FrameSlider(lambda v: drawn.append(v) or flat(v), COLOURS, "step", "grey levels")
    slider.set_state({"index": 2})
    assert drawn == [1, 2.5, 4] and slider.index == 2
    assert slider.captions == ["1 grey levels", "2.5 grey levels", "4 grey levels"]
    for frame, colour in zip(slider.frames, COLOURS.values(), strict=True):
        assert pixels(frame).shape == (75, 100, 3) and (pixels(frame) == colour).all()
    with pytest.raises(traitlets.TraitError, match="between 0 and 2"):
        slider.index = 3


def test_display():
    slider = FrameSlider(flat, COLOURS, "step Δ")
    bundle, metadata = slider._repr_mimebundle_()
    assert bundle["text/plain"] == repr(slider) == "FrameSlider('step Δ', 1 to 4, 3 frames)"
    assert "step Δ" in metadata["image/png"]["alt"]
    sheet = pixels(base64.b64decode(bundle["image/png"]))
    assert sheet.shape == (2 * (75 + 26), 200, 3)  # two columns, two rows, each with a caption
    centres = [sheet[26 + 37, 50], sheet[26 + 37, 150], sheet[101 + 26 + 37, 50]]
    assert [tuple(centre) for centre in centres] == list(COLOURS.values())
    assert (sheet[:26, :100] < 128).any(), "the caption"
    assert bundle["image/png"] == slider.picture(), "the same every time"


@pytest.mark.parametrize("n", [1, 22])
def test_too_few_and_too_many(n):
    with pytest.raises(ValueError, match=f"2 to 21 values, not {n}"):
        FrameSlider(lambda v: flat(1), range(n), "step")


def noise(seed):
    figure = Figure((5, 4), dpi=100)
    figure.figimage(np.random.default_rng(seed).integers(0, 256, (400, 500, 3), dtype=np.uint8))
    return figure


def test_bad_frames():
    with pytest.raises(ValueError, match="differ in size"):
        FrameSlider(lambda v: flat(v, size=(v, 1)), COLOURS, "step")
    with pytest.raises(TypeError, match="must return a matplotlib Figure, not NoneType"):
        FrameSlider(lambda v: None, COLOURS, "step")
    with pytest.raises(ValueError, match=rf"the frames take 1\d\d\d kB, more than {MAX_BYTES // 1000}: lower the dpi"):
        FrameSlider(noise, [1, 2], "step")
