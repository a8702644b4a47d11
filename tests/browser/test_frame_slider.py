"""FrameSlider in JupyterLab: arrow keys turn the pages, and the slider says its value."""

import io

import numpy as np
from lab import notebook, open_notebook, run_cell
from PIL import Image

CELLS = (
    "from matplotlib.figure import Figure\nfrom nctutorial.widgets import FrameSlider\n"
    "colours = {1: 'red', 2.5: 'lime', 4: 'blue'}\n"
    "slider = FrameSlider(lambda v: Figure((2, 1.5), dpi=50, facecolor=colours[v]), colours, 'step', 'levels')\nslider",
    "print('index', slider.index)\nslider.index = 0",
)


def test_the_pages_turn(lab, course, page):
    notebook(course / "frames.ipynb", *CELLS)
    open_notebook(page, lab("frames.ipynb"))
    run_cell(page, 0)
    control = page.get_by_role("slider", name="step")

    def shown(caption):
        page.locator(f".nct-frames img:visible[alt='{caption}']").wait_for()
        shot = np.asarray(Image.open(io.BytesIO(page.locator(".nct-frames img:visible").screenshot())).convert("RGB"))
        assert control.get_attribute("aria-valuetext") == caption
        return tuple(shot[shot.shape[0] // 2, shot.shape[1] // 2].tolist())

    assert shown("1 levels") == (255, 0, 0)
    control.press("ArrowRight")
    assert shown("2.5 levels") == (0, 255, 0)
    control.press("End")
    assert shown("4 levels") == (0, 0, 255)
    run_cell(page, 1)  # the kernel knows, and moves it back
    assert page.locator(".jp-OutputArea-output pre").last.inner_text().strip() == "index 2"
    assert shown("1 levels") == (255, 0, 0) and control.input_value() == "0"
