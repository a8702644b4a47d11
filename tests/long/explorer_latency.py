"""How long the λ explorer takes from an input event to the painted picture, in JupyterLab and headless Chromium.

    python -m tests.long.explorer_latency [--photo NAME] [--codec hyperprior] [--moves N] [--other jpeg]

Single moves, 0.3 to 0.8 s apart, so that some meet the work that waits for a rest; the clock runs from the slider's
input event to the first message after the browser has painted the answer. Arrow keys go from stop to stop of the
slider, which the kernel codes ahead while the slider rests. Clicks go anywhere and last 0.1 s: from the press to the
picture of the nearest stop, and from the release to that of the exact λ, which is coded only then. Drag: 120 input
events at 60 Hz, sweeping λ; from the release, which is no stop, to the picture of the exact λ.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.browser.lab import browser_at, jupyterlab, notebook, open_notebook, run_all

CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))
CELLS = (
    """
from nctutorial.widgets.explorer import LambdaExplorer
explorer = LambdaExplorer({photo!r}, codec={codec!r})
explorer.other = {other!r}
explorer
""",
    """
import json, time
import numpy as np
def seconds(work, *args):
    start = time.perf_counter(); work(*args); return time.perf_counter() - start
study, lams = explorer._study, explorer.stops[1:-1:2]
study.kept.clear()
new, again = ([seconds(setattr, explorer, "lam", lam) for lam in lams] for _ in range(2))
code = [seconds(study.codec.code, study.latent, lam) for lam in lams]
study.kept.clear()
explorer.lam = 0.01
print(json.dumps([np.median(times) for times in (code, new, again)]))
""",
)

WATCH = """
() => {
  const root = document.querySelector(".nct-explorer");
  const slider = root.querySelector("input[type=range]");
  window.inputs = [];
  window.frames = [];
  for (const event of ["input", "change"]) {
    slider.addEventListener(event, () => inputs.push(performance.now()), { capture: true });
  }
  new MutationObserver(() => {
    const { lam, frame } = root.dataset;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => frames.push([performance.now(), Number(frame), Number(lam)]);
      channel.port2.postMessage(0);
    });
  }).observe(root, { attributes: true, attributeFilter: ["data-frame"] });
}
"""

MOVE = """
([position, events]) => {
  const slider = document.querySelector(".nct-explorer input[type=range]");
  for (const event of events) {
    if (event === "input") slider.value = position * slider.max;
    slider.dispatchEvent(new Event(event, { bubbles: true }));
  }
}
"""
DRAG = """
() => new Promise((done) => {
  const slider = document.querySelector(".nct-explorer input[type=range]");
  const send = (event) => slider.dispatchEvent(new Event(event, { bubbles: true }));
  const start = performance.now();
  let sent = 0;
  send("pointerdown");
  const timer = setInterval(() => {
    while (sent < 120 && performance.now() - start >= (sent * 1000) / 60) {
      slider.value = Number(slider.max) * (0.5 - 0.44 * Math.cos((++sent / 120) * 3 * Math.PI));
      send("input");
    }
    if (sent === 120) { clearInterval(timer); ["pointerup", "change"].forEach(send); done(); }
  }, 4);
})
"""


def pause(page, i):
    page.wait_for_timeout(300 + 500 * (i * 7 % 11) / 10)  # nobody asks the page anything meanwhile: it takes its time


def painted(page):
    """Seconds of the input events; of the frames painted: (seconds, number, λ)."""
    page.wait_for_timeout(3000)
    found = page.evaluate("() => [inputs, frames]")
    page.evaluate("() => { inputs.length = frames.length = 0 }")
    return found


def waits(inputs, frames, choose=min):
    """From each input to the first picture (or the last, by `choose`) after it and before the next input."""
    ends = [*inputs[1:], float("inf")]
    return [
        choose([time - start for time, _, _ in frames if start < time < end] or [end - start])
        for start, end in zip(inputs, ends, strict=True)
    ]


def arrow_keys(page, count):
    """Milliseconds of each move, from stop to stop: up the whole slider, and down."""
    slider = page.locator(".nct-explorer input[type=range]")
    slider.focus()
    slider.press("Home")
    painted(page)
    for i in range(count):
        slider.press("ArrowRight" if i % 120 < 60 else "ArrowLeft")
        pause(page, i)
    inputs, frames = painted(page)
    assert len(inputs) == count
    return waits(inputs, frames)


def clicks(page, count):
    """Milliseconds from each press to a picture, and from each release to one."""
    for i, position in enumerate(np.random.default_rng(0).random(count)):
        page.evaluate(MOVE, [position, ["pointerdown", "input"]])
        page.wait_for_timeout(100)
        page.evaluate(MOVE, [position, ["pointerup", "change"]])
        pause(page, i)
    inputs, frames = painted(page)
    assert len(inputs) == 2 * count
    return waits(inputs, frames)[::2], waits(inputs, frames, max)[1::2]


def drag(page):
    """(frames painted during the drag, lag after it in milliseconds)."""
    page.evaluate(DRAG)
    inputs, frames = painted(page)
    lam = frames[-1][2]
    released = inputs[-1]
    last = min(time for time, _, shown in frames if shown == lam and time > released)
    return sum(time < released for time, _, _ in frames), last - released


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", default="red_panda")
    parser.add_argument("--codec", default="factorized")
    parser.add_argument("--other", default="original")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--settle", type=float, default=30, help="seconds for curves and stops before the clock starts")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser_at(CHROMIUM) as browser:
        root, settings = Path(folder, "root"), Path(folder, "settings")
        root.mkdir()
        settings.mkdir()
        notebook(
            root / "explorer.ipynb",
            *(cell.format(**vars(args)) if "{photo" in cell else cell for cell in CELLS),
        )
        with jupyterlab(root, settings) as url:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            open_notebook(page, url("explorer.ipynb"))
            run_all(page)
            page.wait_for_selector(".nct-explorer[data-frame]")
            kernel = json.loads(page.locator(".jp-OutputArea-output pre").last.inner_text())
            page.evaluate(WATCH)
            page.wait_for_timeout(1000 * args.settle)
            keys = arrow_keys(page, args.moves)
            first, exact = clicks(page, args.moves)
            drags = [drag(page) for _ in range(5)]
    lags = [lag for _, lag in drags]
    print(f"photo {args.photo}, codec {args.codec}, compared with {args.other}, {args.moves} moves, 5 drags of 2 s")
    print("at 60 Hz; milliseconds\n")
    print("| step                                        | median |  p95 | maximum |")
    print("|---------------------------------------------|--------|------|---------|")
    for label, times in [
        ("arrow key to painted picture", keys),
        ("press of the button to nearest stop painted", first),
        ("its release to exact λ painted", exact),
        ("release of a drag to exact λ painted", lags),
    ]:
        print(f"| {label:43} | {np.median(times):6.0f} | {np.percentile(times, 95):4.0f} | {max(times):7.0f} |")
    for label, seconds in zip(("codec.code", "a move to a new λ", "a move to a λ that is kept"), kernel, strict=True):
        print(f"| {'in the kernel: ' + label:43} | {1000 * seconds:6.0f} |      |         |")
    print(f"\npictures painted during a drag: {[n for n, _ in drags]}")


if __name__ == "__main__":
    main()
