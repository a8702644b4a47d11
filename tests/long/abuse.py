"""Two λ explorers under abuse, in JupyterLab and headless Chromium: python -m tests.long.abuse 60 --seed 0

For so many seconds sliders are dragged, photos, codecs and rivals are switched, photos and rubbish are uploaded, and
the kernel is interrupted, at random, now in the one explorer and now in the other. Counted are errors in the console
and in the kernel, and how the kernel's memory grew after a warm-up. In the end each explorer must show what its codec
makes of its photo at its λ. Then the first one's cell is run again ten times, which must not change the second.
Prints a table, and exits with 1 if anything was wrong. Needs a system with /proc.
"""

import argparse
import random
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from nctutorial import data, load_codec
from nctutorial.widgets.measurements import scaled_down
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import one_notebook, run_cell

CELLS = (
    "from nctutorial.widgets import LambdaExplorer\nfirst = LambdaExplorer('stream')\nfirst",
    "second = LambdaExplorer('red_panda')\nsecond",
    """import ctypes, gc, threading
class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena _1 _2 _3 mapped _4 _5 used free _6".split()]
allocator = ctypes.CDLL(None).mallinfo2
allocator.restype = Memory
_ = gc.collect()
memory, resident = allocator(), int(open("/proc/self/statm").read().split()[1]) * 4096
explorers = [thing for thing in gc.get_objects() if issubclass(type(thing), LambdaExplorer)]
awake = sum(not explorer.asleep for explorer in explorers)
print("measured", resident, memory.used + memory.mapped, threading.active_count(), awake)
del explorers""",
)
MAX_GROWTH = 200  # MB of resident memory
DRAG = """([root, to]) => new Promise((done) => {
  const slider = root.querySelector("input[type=range]");
  const from = Number(slider.value);
  let sent = 0;
  const timer = setInterval(() => {
    slider.value = from + ((to * slider.max - from) * ++sent) / 30;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    if (sent === 30) { clearInterval(timer); done(); }
  }, 16);
})"""
INTERRUPT = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"


class Abuse:
    def __init__(self, page, folder: Path, seed: int):
        self.page, self.random = page, random.Random(seed)
        self.counts = dict.fromkeys(("moves", "switches", "uploads", "interrupts"), 0)
        self.files = {}
        for i, shape in enumerate([(90, 120), (700, 500), (1500, 2000)]):
            image = np.random.default_rng(i).integers(0, 256, (*shape, 3), dtype=np.uint8) // 8 * 8
            Image.fromarray(image).resize(shape[::-1]).save(folder / f"own{i}.png")
            self.files[f"own{i}.png"] = folder / f"own{i}.png"
        self.rubbish = folder / "rubbish.jpg"
        self.rubbish.write_bytes(b"\xff\xd8\xff\xe0 and nothing more")

    def select(self, explorer: ExplorerPage, label: str, value: str | None = None) -> None:
        choice = explorer.choice(label)
        others = choice.locator("option:not(:checked)").evaluate_all("options => options.map(({ value }) => value)")
        choice.select_option(value or self.random.choice(others))
        self.counts["switches"] += 1

    def switch(self, explorer: ExplorerPage) -> None:
        self.select(explorer, self.random.choice(["Photo", "Codec", "Compare with"]))

    def move(self, explorer: ExplorerPage) -> None:
        self.page.evaluate(DRAG, [explorer.root.element_handle(), self.random.random()])
        self.counts["moves"] += 30

    def upload(self, explorer: ExplorerPage, path: Path | None = None) -> None:
        path = path or self.random.choice([*self.files.values(), self.rubbish])
        explorer.root.locator("input[type=file]").set_input_files(path)
        self.counts["uploads"] += 1

    def interrupt(self, _: ExplorerPage) -> None:
        self.page.evaluate(INTERRUPT)
        self.counts["interrupts"] += 1

    def go_on(self, explorers: list[ExplorerPage], seconds: float) -> None:
        acts = 6 * [self.move] + 4 * [self.interrupt] + 2 * [self.upload] + 3 * [self.switch]
        end = self.page.evaluate("performance.now()") + 1000 * seconds
        while self.page.evaluate("performance.now()") < end:
            self.random.choice(acts)(self.random.choice(explorers))
            self.page.wait_for_timeout(self.random.choice([0, 0, 50, 300, 1000]))

    def settle(self, explorer: ExplorerPage) -> None:
        """Wait for the answer to what was asked last: a slider that stands where the picture was coded."""
        explorer.wait_until(
            """(root) => {
                const opening = root.querySelector(".nct-left > .nct-note").textContent.startsWith("Opening");
                return root.dataset.model === [...root.querySelectorAll("select")][1].value && !opening;
            }"""
        )
        explorer.wait_for_slider()
        explorer.wait_for_rest()

    def last_state_right(self, explorer: ExplorerPage) -> bool:
        """Whether the widget shows the bytes that its codec makes of its photo at its λ."""
        choice = explorer.choice("Photo").locator("option:checked")
        name, text = choice.get_attribute("value"), choice.text_content()
        image, _ = scaled_down(data.load_image(self.files[text]) if name == "own" else data.photo(name))
        codec = load_codec(explorer.root.get_attribute("data-model"))
        return len(codec.compress(image, explorer.lam)) == explorer.value("bytes")

    def measure(self) -> tuple[float, float, int, int]:
        """Of the kernel: resident memory in MB, how much of it is in use, threads, explorers that hold a photo.

        The rest of the resident memory is what the allocator keeps for later: it varies, but does not add up.
        """
        run_cell(self.page, 2)
        self.page.wait_for_timeout(500)
        text = self.page.locator(".jp-OutputArea-output pre").last.inner_text()
        resident, used, threads, awake = map(int, text.removeprefix("measured").split())
        return resident / 1e6, used / 1e6, threads, awake


def abuse(page, folder: Path, seconds: float, seed: int, reruns: int) -> dict:
    """Abuse the notebook of CELLS that is open. folder: as in `one_notebook`. Returns the row of the table."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    run_cell(page, 0)
    run_cell(page, 1)
    it, explorers = Abuse(page, folder, seed), [ExplorerPage(page, 0), ExplorerPage(page, 1)]
    for codec in ("hyperprior", "factorized"):  # the warm-up: all that is loaded once, and the largest photo
        for explorer in explorers:
            it.select(explorer, "Codec", codec)
            it.upload(explorer, it.files["own2.png"])
            it.settle(explorer)
    page.wait_for_timeout(5000)
    before = it.measure()
    it.counts = dict.fromkeys(it.counts, 0)
    it.go_on(explorers, seconds)
    it.measure()  # comes after all that was asked before it
    for explorer in explorers:
        it.settle(explorer)
    page.wait_for_timeout(3000)
    right = [it.last_state_right(explorer) for explorer in explorers]
    after = it.measure()
    second = explorers[1].root.get_attribute("data-frame"), explorers[1].pixels()
    for _ in range(reruns):
        run_cell(page, 0)
        ExplorerPage(page, 0)
    page.wait_for_timeout(5000)
    right.append((explorers[1].root.get_attribute("data-frame"), explorers[1].pixels()) == second)
    again = it.measure()
    text = re.sub(r"\x1b\[[0-9;]*m", "", (folder / "settings" / "log").read_text(errors="replace"))
    python = re.findall(r"^(?!KeyboardInterrupt)\w*(?:Error|Exception)\b.*", text, re.M)
    errors = [*faults, *python, *page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_text_contents()]
    return it.counts | {
        "errors": errors,
        "growth": [now - then for now, then in zip(after, before, strict=True)],
        "growth_again": [now - then for now, then in zip(again, after, strict=True)],
        "right": all(right),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reruns", type=int, default=10, help="of the first cell, after it")
    args = parser.parse_args()
    with one_notebook(*CELLS) as (page, folder):
        row = abuse(page, folder, args.seconds, args.seed, args.reruns)
    print("| moves | switches | uploads | interrupts | errors | memory (MB) | in use | threads | last states right |")
    print("|-------|----------|---------|------------|--------|-------------|--------|---------|-------------------|")
    right = "yes" if row["right"] else "NO"
    resident, used, threads, awake = row["growth"]
    print(
        f"| {row['moves']:5} | {row['switches']:8} | {row['uploads']:7} | {row['interrupts']:10} | "
        f"{len(row['errors']):6} | {resident:+11.0f} | {used:+6.0f} | {threads:+7} | {right:17} |"
    )
    print(*row["errors"], sep="\n")
    resident_again, used, threads_again, awake_again = row["growth_again"]
    print(
        f"\n{args.reruns} runs of the first cell again: {resident_again:+.0f} MB, {used:+.1f} MB in use, "
        f"{threads_again:+} threads, {awake_again:+} explorers that hold a photo"
    )
    leaks = max(threads, threads + threads_again, awake, awake_again) > 0 or max(resident, resident_again) > MAX_GROWTH
    return 1 if leaks or row["errors"] or not row["right"] else 0


if __name__ == "__main__":
    sys.exit(main())
