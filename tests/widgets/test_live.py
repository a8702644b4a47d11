"""The widget that trains while λ moves: what it measures, and everything that must stop it."""

import asyncio
import base64
import functools
import io
import threading
import time
from textwrap import dedent

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

from nctutorial.widgets.live import LiveTraining


class Toy:
    """A "model" whose rate and PSNR creep towards targets that depend on λ, and that remembers every step."""

    def __init__(self):
        self.lams, self.bpp = [], 0.5

    def step(self, lam):
        self.lams.append(lam)
        self.bpp += 0.1 * (50 * lam - self.bpp)

    def measure(self):
        level = min(int(100 * self.bpp), 255)
        return self.bpp, 20 + 6 * self.bpp, np.full((4, 6, 3), level, np.uint8)


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def widget(toy):
    return LiveTraining(toy.step, toy.measure, lam=0.01, goals=[(0.5, 25), (1, 28)])


async def until(condition, seconds=20):
    """Give the loop back until the condition holds; the limit only ends a test that has failed."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.005)


# ---- a fixed run


def test_run_trains_now_at_the_given_lam(widget, toy):
    widget.run(0.02, 10)
    widget.run(0.004, 5)
    assert toy.lams == [0.02] * 10 + [0.004] * 5
    assert widget.lam == 0.004 and widget.steps == 15 and not widget.running
    steps, lams, rates, psnrs = np.array(widget.trail).T
    assert steps.tolist() == [0, 5, 10, 15]
    assert lams.tolist() == [0.01, 0.02, 0.02, 0.004]
    expected = 1 + (0.5 - 1) * 0.9**10  # after ten steps towards 50 * 0.02
    assert rates[2] == pytest.approx(expected)
    np.testing.assert_allclose(psnrs, 20 + 6 * rates)
    assert widget.frame == {"height": 4, "width": 6, "type": "raw", "pixels": toy.measure()[2].tobytes()}


class Short(LiveTraining):
    idle_steps, longest_trail = 7, 4


def test_the_trail_is_bounded(toy):
    widget = Short(toy.step, toy.measure)
    widget.run(0.01, 50)
    assert [point[0] for point in widget.trail] == [35, 40, 45, 50]


def test_static_page(widget):
    for lam in (0.02, 0.004, 0.02, 0.01):
        widget.run(lam, 10)
    assert repr(widget) == "LiveTraining(λ = 0.01, 40 steps)" and widget.alt()
    plane, *pictures = widget.figure().axes
    assert [axes.get_title() for axes in pictures] == ["after λ = 0.004", "after λ = 0.02", "after λ = 0.01"]
    assert plane.lines[0].get_xydata().tolist() == [point[2:] for point in widget.trail]
    picture = Image.open(io.BytesIO(base64.b64decode(widget.picture())))
    assert picture.size == (900, 440)


# ---- training in an event loop, as in a notebook


def in_loop(test):
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


def test_it_needs_an_event_loop(widget, toy):
    with pytest.raises(RuntimeError, match="call run"):
        widget.running = True
    assert not widget.running and toy.lams == []


@in_loop
async def test_start_steer_pause_go_on(toy):
    widget = LiveTraining(toy.step, toy.measure)
    widget.running = True
    assert toy.lams == [], "starting must not block"
    await until(lambda: len(toy.lams) >= 3)
    assert set(toy.lams) == {0.01}
    seen = len(toy.lams)
    widget.lam = 0.05
    await until(lambda: len(toy.lams) >= seen + 3)
    assert set(toy.lams[seen:]) == {0.05}, "the very next step is at the new λ"
    widget.running = False
    seen = len(toy.lams)
    await asyncio.sleep(0.1)
    assert len(toy.lams) == seen, "no step after a pause"
    task = widget._task
    for running in (True, False, True):
        widget.running = running
    await until(lambda: len(toy.lams) > seen)
    assert task.done() and widget.steps == len(toy.lams)
    task = widget._task
    widget.running = False
    widget.running = True
    await asyncio.sleep(0.02)
    assert widget._task is task, "one task, however fast the button is pressed"
    widget.running = False


@in_loop
async def test_a_start_from_another_thread_trains_where_the_widget_was_made(toy):
    threads = []
    widget = LiveTraining(lambda lam: threads.append(threading.get_ident()), toy.measure)
    for _ in range(2):
        seen = len(threads)
        await asyncio.to_thread(setattr, widget, "running", True)
        await until(lambda seen=seen: len(threads) > seen + 2)
        await asyncio.to_thread(setattr, widget, "running", False)
        await asyncio.wait_for(widget._task, 5)
    assert set(threads) == {threading.get_ident()} and widget.note == ""


@in_loop
async def test_one_widget_trains_at_a_time(toy):
    first, second = LiveTraining(toy.step, toy.measure), LiveTraining(toy.step, toy.measure)
    first.running = True
    await until(lambda: first.steps > 0)
    second.running = True
    assert not first.running
    seen = first.steps
    await until(lambda: second.steps > 3)
    assert first.steps == seen
    second.running = False


def fail(lam):
    raise FloatingPointError("the loss is not finite")


@pytest.mark.parametrize(
    "step, gone, steps, note",
    [
        (Toy().step, False, 7, "No touch for 7 steps."),
        (fail, False, 0, "Training failed: FloatingPointError: the loss is not finite"),
        (Toy().step, True, 0, "The widget was closed."),
    ],
)
@in_loop
async def test_what_stops_it(step, gone, steps, note):
    widget = Short(step, Toy().measure)
    widget.running = True
    if gone:
        widget._handle_custom_msg({"kind": "gone"}, [])
    await until(lambda: not widget.running)
    await asyncio.wait_for(widget._task or asyncio.sleep(0), 5)
    assert (widget.steps, widget.note) == (steps, note)


# ---- in a real kernel


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def execute(client, code):
    """Run code in the kernel and return what it printed."""
    printed = []

    def collect(message):
        assert message["msg_type"] != "error", message["content"]
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    client.execute_interactive(dedent(code), timeout=60, output_hook=collect)
    return "".join(printed).strip()


SETUP = """
    import time
    import numpy as np
    from nctutorial.widgets.live import LiveTraining

    def step(lam):
        time.sleep(0.01)

    def measure():
        return 1.0, 30.0, np.zeros((2, 2, 3), np.uint8)

    widget = LiveTraining(step, measure)
    widget.running = True
"""


def wait_for(client, expression):
    for _ in range(200):
        if execute(client, f"print({expression})") == "True":
            return
        time.sleep(0.05)
    pytest.fail(f"in the kernel, {expression} never became true")


def begin(client):
    """Make a widget in the kernel and see it train."""
    execute(client, SETUP)
    wait_for(client, "widget.steps > 5")


def end_of_cell(manager, client, code, interrupt=True):
    """The name of the error that ends a cell, which is interrupted while it runs."""
    message = client.execute(code, stop_on_error=False)  # or what follows at once may be left out
    if interrupt:
        time.sleep(1)
        manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)
    while reply["parent_header"]["msg_id"] != message:
        reply = client.get_shell_msg(timeout=30)
    return reply["content"]["ename"]


def test_the_kernel_trains_between_cells_and_an_interrupt_stops_it(kernel):
    manager, client = kernel
    begin(client)
    for _ in range(2):  # it can go on, and be stopped once more
        time.sleep(0.3)  # no cell runs now: the kernel itself ignores interrupts
        manager.interrupt_kernel()
        wait_for(client, "not widget.running")
        note, seen = execute(client, "print(widget.note, widget.steps, sep=';')").split(";")
        time.sleep(0.3)
        assert note == "The kernel was interrupted." and execute(client, "print(widget.steps)") == seen
        execute(client, "widget.running = True")
        wait_for(client, f"widget.steps > {seen}")


def test_an_interrupt_still_stops_a_cell_afterwards(kernel):
    manager, client = kernel
    begin(client)
    execute(client, "widget.running = False")
    time.sleep(0.2)
    assert end_of_cell(manager, client, "time.sleep(60)") == "KeyboardInterrupt"
    assert execute(client, "print(1 + 1, widget.note)") == "2"


def test_the_interrupt_of_a_cell_stops_the_training_and_an_error_does_not(kernel):
    manager, client = kernel
    begin(client)
    assert end_of_cell(manager, client, "1 / 0", interrupt=False) == "ZeroDivisionError"
    assert execute(client, "print(widget.running)") == "True"
    assert end_of_cell(manager, client, "time.sleep(60)") == "KeyboardInterrupt"
    assert execute(client, "print(widget.running, widget.note)") == "False The kernel was interrupted."
    listeners = "[str(listener) for listener in get_ipython().events.callbacks['post_run_cell']]"
    wait_for(client, f"not any('Live' in listener for listener in {listeners})")
