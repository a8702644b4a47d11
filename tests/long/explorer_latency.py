"""How long the λ explorer takes from an input event to the painted picture, in JupyterLab and headless Chromium.

    python -m tests.long.explorer_latency [--photo NAME] [--model hyperprior] [--moves N] [--other jpeg]

Takes two minutes and wants a quiet machine. The clock runs from the slider's input event to the first message after the
browser has painted the answer. Arrow keys go from stop to stop, 0.3 to 0.8 s apart, so that some meet the work that
waits for a rest. A drag is 120 input events at 60 Hz that sweep λ; from the release to the picture of the last stop.
"""

import argparse

import numpy as np

from tests.browser.lab import one_notebook, run_cell

CELL = """
from nctutorial.widgets import LambdaExplorer
explorer = LambdaExplorer({photo!r}, model={model!r})
explorer.other = {other!r}
explorer
"""
WATCH = """
() => {
  const root = document.querySelector(".nct-explorer");
  window.slider = root.querySelector("input[type=range]");
  window.inputs = [];
  window.frames = [];
  slider.addEventListener("input", () => inputs.push(performance.now()), { capture: true });
  new MutationObserver(() => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => frames.push([performance.now(), Number(root.dataset.lam)]);
    channel.port2.postMessage(0);
  })).observe(root, { attributes: true, attributeFilter: ["data-frame"] });
}
"""
DRAG = """
() => new Promise((done) => {
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    while (sent < 120 && performance.now() - start >= (sent * 1000) / 60) {
      slider.value = slider.max * (0.5 - 0.44 * Math.cos((++sent / 120) * 3 * Math.PI));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (sent === 120) { clearInterval(timer); done(); }
  }, 4);
})
"""


def painted(page):
    """Milliseconds of the input events; of the frames painted: (milliseconds, λ)."""
    page.wait_for_timeout(3000)
    events = page.evaluate("() => [inputs, frames]")
    page.evaluate("() => { inputs.length = frames.length = 0 }")
    return events


def arrow_keys(page, count):
    """Milliseconds of each move, from stop to stop: up the whole slider, and down."""
    slider = page.locator(".nct-explorer input[type=range]")
    slider.focus()
    slider.press("Home")
    painted(page)
    for i in range(count):
        slider.press("ArrowRight" if i % 120 < 60 else "ArrowLeft")
        page.wait_for_timeout(300 + 500 * (i * 7 % 11) / 10)  # nobody asks the page anything meanwhile
    inputs, frames = painted(page)
    assert len(inputs) == count
    ends = zip(inputs, [*inputs[1:], float("inf")], strict=True)
    return [min([time - start for time, _ in frames if start < time < end] or [end - start]) for start, end in ends]


def drag(page):
    """(frames painted during the drag, lag after it in milliseconds)."""
    page.evaluate(DRAG)
    inputs, frames = painted(page)
    last = next(time for time, lam in frames if lam == frames[-1][1] and time > inputs[-1])
    return sum(time < inputs[-1] for time, _ in frames), last - inputs[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", default="red_panda")
    parser.add_argument("--model", default="factorized")
    parser.add_argument("--other", default="original")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--settle", type=float, default=30, help="seconds for curves and stops before the clock starts")
    args = parser.parse_args()
    with one_notebook(CELL.format(**vars(args))) as (page, _):
        run_cell(page, 0)
        page.wait_for_selector(".nct-explorer[data-frame]")
        page.evaluate(WATCH)
        page.wait_for_timeout(1000 * args.settle)
        keys = arrow_keys(page, args.moves)
        drags = [drag(page) for _ in range(5)]
    print(f"photo {args.photo}, model {args.model}, compared with {args.other}; milliseconds\n")
    print("|                                      | median |  p95 | maximum |")
    print("|--------------------------------------|--------|------|---------|")
    rows = {"arrow key to painted picture": keys, "release of a drag to painted picture": [lag for _, lag in drags]}
    for label, times in rows.items():
        print(f"| {label:36} | {np.median(times):6.0f} | {np.percentile(times, 95):4.0f} | {max(times):7.0f} |")
    print(f"\npictures painted during a drag of 2 s at 60 Hz: {[n for n, _ in drags]}")


if __name__ == "__main__":
    main()
