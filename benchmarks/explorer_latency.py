"""How long the λ explorer takes from an input event to the painted picture, in JupyterLab and headless Chromium.

    python -m benchmarks.explorer_latency [--photo NAME] [--codec hyperprior] [--moves N] [--other jpeg]

Single moves: arrow keys, 0.3 to 0.8 s apart, so that some meet the work that waits for a rest; the clock runs
from the slider's input event to the first message after the browser has painted the answer. Drag: 120 input
events at 60 Hz, sweeping λ; the lag is from the last one to the painted picture of its λ.
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
from nctutorial.explorer import LambdaExplorer
explorer = LambdaExplorer({photo!r}, codec={codec!r})
explorer.other = {other!r}
explorer
""",
    """
import json, time
import numpy as np
code, move = [], []
for lam in np.geomspace(0.001, 0.06, 30):
    start = time.perf_counter(); explorer._study.code(lam); code.append(time.perf_counter() - start)
    start = time.perf_counter(); explorer.lam = lam; move.append(time.perf_counter() - start)
    time.sleep(0.05)
explorer.lam = 0.01
print(json.dumps([np.median(code), np.median(move)]))
""",
)

WATCH = """
() => {
  const root = document.querySelector(".nct-explorer");
  const slider = root.querySelector("input[type=range]");
  window.inputs = [];
  window.frames = [];
  slider.addEventListener("input", () => inputs.push(performance.now()), { capture: true });
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

DRAG = """
() => new Promise((done) => {
  const slider = document.querySelector(".nct-explorer input[type=range]");
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    while (sent < 120 && performance.now() - start >= (sent * 1000) / 60) {
      slider.value = Number(slider.max) * (0.5 - 0.45 * Math.cos((++sent / 120) * 3 * Math.PI));
      slider.dispatchEvent(new Event("input"));
    }
    if (sent === 120) { clearInterval(timer); done(); }
  }, 4);
})
"""


def single_moves(page, count):
    """Milliseconds of each move. Nobody asks the page anything meanwhile: that would take its time."""
    slider = page.locator(".nct-explorer input[type=range]")
    slider.focus()
    for i in range(count):
        slider.press("ArrowRight" if i % 20 < 10 else "ArrowLeft")
        page.wait_for_timeout(300 + 500 * (i * 7 % 11) / 10)
    page.wait_for_timeout(3000)
    inputs, frames = page.evaluate("() => [inputs, frames]")
    assert len(inputs) == count
    ends = [*inputs[1:], float("inf")]
    return [
        min((time - start for time, _, _ in frames if start < time < end), default=end - start)
        for start, end in zip(inputs, ends, strict=True)
    ]


def drag(page):
    """(frames painted during the drag, lag after it in milliseconds)."""
    page.evaluate("() => { inputs.length = frames.length = 0 }")
    page.evaluate(DRAG)
    page.wait_for_timeout(3000)
    inputs, frames = page.evaluate("() => [inputs, frames]")
    lam = frames[-1][2]
    last = min(time for time, _, shown in frames if shown == lam and time > inputs[-1])
    return sum(time < inputs[-1] for time, _, _ in frames), last - inputs[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", default="red_panda")
    parser.add_argument("--codec", default="factorized")
    parser.add_argument("--other", default="original")
    parser.add_argument("--moves", type=int, default=40)
    parser.add_argument("--settle", type=float, default=15, help="seconds for the curves before the clock starts")
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
            code, move = json.loads(page.locator(".jp-OutputArea-output pre").last.inner_text())
            page.wait_for_timeout(1000 * args.settle)
            page.evaluate(WATCH)
            times = single_moves(page, args.moves)
            drags = [drag(page) for _ in range(5)]
    median, p95 = np.percentile(times, [50, 95])
    print(f"photo {args.photo}, codec {args.codec}, compared with {args.other}, {args.moves} moves, 5 drags of 2 s")
    print("at 60 Hz\n")
    print("| step                                      |    ms |")
    print("|-------------------------------------------|-------|")
    for label, ms in [
        ("codec.code, in the kernel (median)", 1000 * code),
        ("a whole move, in the kernel (median)", 1000 * move),
        ("input event to painted picture, median", median),
        ("input event to painted picture, p95", p95),
        ("input event to painted picture, maximum", max(times)),
        ("last painted after the drag, median", np.median([lag for _, lag in drags])),
        ("last painted after the drag, maximum", max(lag for _, lag in drags)),
    ]:
        print(f"| {label:41} | {ms:5.0f} |")
    print(f"\npictures painted during a drag: {[n for n, _ in drags]}")


if __name__ == "__main__":
    main()
