"""LiveTraining in JupyterLab: a model trains in the kernel while λ moves in the browser."""

from explorer_page import HASH
from lab import notebook, open_notebook, run_all, run_cell

CELLS = (
    "import time\nimport numpy as np\nfrom nctutorial.widgets import LiveTraining",
    """
class Toy:
    bpp = 0.2

    def step(self, lam):
        time.sleep(0.01)
        self.bpp += 0.01 * (50 * lam - self.bpp)

    def measure(self):
        return self.bpp, 20 + 6 * self.bpp, np.full((32, 48, 3), min(60 * self.bpp, 255), np.uint8)

toy = Toy()
LiveTraining(toy.step, toy.measure)
""",
)
STEP = "(root) => Number(root.querySelector('.nct-facts').dataset.step)"
BPP = "(root) => Number(root.querySelector('.nct-facts').textContent.match(/R ([0-9.]+) bpp/)[1])"


def test_lam_moves_while_a_model_trains(lab, course, page):
    notebook(course / "live.ipynb", *CELLS)
    open_notebook(page, lab("live.ipynb"))
    run_all(page)
    widget = page.locator(".nct-live")
    widget.wait_for()
    widget.scroll_into_view_if_needed()
    canvas, point = widget.locator("canvas"), widget.locator(".nct-point")
    slider, button = widget.get_by_role("slider"), widget.get_by_role("button")

    def state():
        return widget.evaluate(STEP), point.get_attribute("cx"), canvas.evaluate(HASH)

    def wait_until(script, value):
        page.wait_for_function(f"([root, value]) => ({script})(root) > value", arg=[widget.element_handle(), value])

    step, place, picture = state()
    assert button.text_content() == "Start training"
    button.click()
    wait_until(STEP, step)
    assert button.text_content() == "Pause"

    rate, spoken = widget.evaluate(BPP), slider.get_attribute("aria-valuetext")
    slider.focus()
    for _ in range(3):
        slider.press("PageUp")  # to about four times the λ
    assert slider.get_attribute("aria-valuetext") != spoken
    wait_until(BPP, 1.1 * rate)

    button.click()
    widget.get_by_role("button", name="Start training").wait_for()
    page.wait_for_timeout(500)  # a step that had begun may still end
    paused = state()
    assert paused[0] > step and paused[1] != place and paused[2] != picture
    page.wait_for_timeout(1000)
    assert state() == paused
    assert widget.locator(".nct-note[role=status]").text_content() == ""


def test_an_interrupt_stops_it_and_leaves_the_kernel_usable(page):
    widget = page.locator(".nct-live")  # of the test before
    note, start = widget.locator(".nct-note[role=status]"), widget.get_by_role("button", name="Start training")
    cells = "jupyterapp.shell.currentWidget.content.widgets"
    prompt = f"(i) => {cells}[i].inputArea.node.querySelector('.jp-InputPrompt').textContent"
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"

    def train():
        step = widget.evaluate(STEP)
        start.click()
        page.wait_for_function(f"([root, step]) => ({STEP})(root) > step", arg=[widget.element_handle(), step])

    def stopped():
        start.wait_for()
        assert note.text_content() == "The kernel was interrupted."
        step = widget.evaluate(STEP)
        run_cell(page, 0)
        page.wait_for_timeout(1000)
        assert widget.evaluate(STEP) == step

    train()
    page.evaluate(f"{kernel}.interrupt()")
    stopped()

    train()
    source = page.evaluate(f"(i) => {cells}[i].model.sharedModel.getSource()", 0)
    replace = f"([i, text]) => {cells}[i].model.sharedModel.setSource(text)"
    page.evaluate(replace, [0, "while True:\n    pass"])
    page.evaluate("i => { jupyterapp.shell.currentWidget.content.activeCellIndex = i }", 0)
    page.evaluate("() => { window.running = jupyterapp.commands.execute('notebook:run-cell') }")
    page.wait_for_function(f"(i) => ({prompt})(i).includes('*')", arg=0)
    page.wait_for_timeout(500)
    page.evaluate(f"{kernel}.interrupt()")
    assert page.evaluate("window.running") is False, "the cell must have been interrupted"
    page.evaluate(replace, [0, source])
    stopped()
