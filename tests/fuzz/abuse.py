"""The λ explorer under abuse, in JupyterLab and headless Chromium: python -m tests.fuzz.abuse 60 --seed 0

For so many seconds the slider is dragged, photos, codecs and rivals are switched, photos and rubbish are uploaded, and
the kernel is interrupted, at random. Counted are errors in the console and in the kernel, and how the kernel's memory
grew after a warm-up. In the end the widget must show what a codec makes of its photo at its λ. Then the cell is run
again ten times. Prints a table, and exits with 1 if anything was wrong. Needs a system with /proc.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from nctutorial import data, load_codec
from nctutorial.study import fit
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import browser_at, jupyterlab, notebook, open_notebook, run_cell

CELLS = (
    "from nctutorial.explorer import LambdaExplorer\nexplorer = LambdaExplorer('stream')\nexplorer",
    "import gc, threading\n_ = gc.collect()\n"
    "resident = int(open('/proc/self/statm').read().split()[1]) * 4096\n"
    "print('resident', resident, 'threads', threading.active_count())",
)
MAX_GROWTH = 200  # MB
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
        self.explorer = ExplorerPage(page)
        self.counts = dict.fromkeys(("moves", "switches", "uploads", "interrupts"), 0)
        self.files = {}
        for i, shape in enumerate([(90, 120), (700, 500), (1500, 2000)]):
            image = np.random.default_rng(i).integers(0, 256, (*shape, 3), dtype=np.uint8) // 8 * 8
            Image.fromarray(image).resize(shape[::-1]).save(folder / f"own{i}.png")
            self.files[f"own{i}.png"] = folder / f"own{i}.png"
        self.rubbish = folder / "rubbish.jpg"
        self.rubbish.write_bytes(b"\xff\xd8\xff\xe0 and nothing more")

    def select(self, label: str, value: str | None = None) -> None:
        choice = self.explorer.root.get_by_role("combobox", name=label)
        values = choice.locator("option").evaluate_all("options => options.map((option) => option.value)")
        choice.select_option(value or self.random.choice(values))
        self.counts["switches"] += 1

    def move(self) -> None:
        self.page.evaluate(DRAG, [self.explorer.root.element_handle(), self.random.random()])
        self.counts["moves"] += 30

    def upload(self, path: Path | None = None) -> None:
        path = path or self.random.choice([*self.files.values(), self.rubbish])
        self.explorer.root.locator("input[type=file]").set_input_files(path)
        self.counts["uploads"] += 1

    def interrupt(self) -> None:
        self.page.evaluate(INTERRUPT)
        self.counts["interrupts"] += 1

    def go_on(self, seconds: float) -> None:
        acts = 6 * [self.move] + 4 * [self.interrupt] + 2 * [self.upload]
        acts += [lambda: self.select("Photo"), lambda: self.select("Codec"), lambda: self.select("Compare with")]
        end = self.page.evaluate("performance.now()") + 1000 * seconds
        while self.page.evaluate("performance.now()") < end:
            self.random.choice(acts)()
            self.page.wait_for_timeout(self.random.choice([0, 0, 50, 300, 1000]))

    def settle(self) -> None:
        """Wait for the answer to what was asked last: a slider that stands where the picture was coded."""
        self.explorer.wait_until(
            """(root) => {
                const slider = root.querySelector("input[type=range]");
                const lam = 0.001 * 60 ** (slider.value / slider.max);
                const codec = [...root.querySelectorAll("select")][1].value;
                return Math.abs(Math.log(root.dataset.lam / lam)) < 2e-3 && root.dataset.codec === codec;
            }"""
        )
        self.explorer.wait_for_rest()

    def last_state_right(self) -> bool:
        """Whether the widget shows the bytes that its codec makes of its photo at its λ."""
        choice = self.explorer.root.get_by_role("combobox", name="Photo").locator("option:checked")
        name, text = choice.get_attribute("value"), choice.text_content()
        image, _ = fit(data.load_image(self.files[text]) if name == "own" else data.photo(name))
        codec = load_codec(self.explorer.root.get_attribute("data-codec"))
        return len(codec.compress(image, self.explorer.lam)) == self.explorer.value("bytes")

    def measure(self) -> tuple[float, int]:
        """The kernel's resident memory in MB, and its threads; by a cell, so the kernel must be usable."""
        run_cell(self.page, 1)
        self.page.wait_for_timeout(500)
        text = self.page.locator(".jp-OutputArea-output pre").last.inner_text()
        found = re.search(r"resident (\d+) threads (\d+)", text)
        assert found, text
        return int(found[1]) / 1e6, int(found[2])


def abuse(page, url: str, folder: Path, log: Path, seconds: float, seed: int, reruns: int) -> dict:
    """Open the notebook of CELLS at `url` and abuse it. log: of the server. Returns the row of the table."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    open_notebook(page, url)
    run_cell(page, 0)
    it = Abuse(page, folder, seed)
    for codec in ("hyperprior", "factorized"):  # the warm-up: all that is loaded once, and the largest photo
        it.select("Codec", codec)
        it.upload(it.files["own2.png"])
        it.settle()
    page.wait_for_timeout(5000)
    before, threads = it.measure()
    it.counts = dict.fromkeys(it.counts, 0)
    it.go_on(seconds)
    it.settle()
    page.wait_for_timeout(3000)
    right = it.last_state_right()
    after, threads_after = it.measure()
    for _ in range(reruns):
        run_cell(page, 0)
        ExplorerPage(page)
    page.wait_for_timeout(5000)
    again, threads_again = it.measure()
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    python = re.findall(r"^(?!KeyboardInterrupt)\w*(?:Error|Exception)\b.*", text, re.M)
    errors = [*faults, *python, *page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_text_contents()]
    return it.counts | {
        "errors": errors,
        "growth": after - before,
        "growth_again": again - after,
        "threads": max(threads_after, threads_again) - threads,
        "right": right,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reruns", type=int, default=10, help="of the cell, after it")
    args = parser.parse_args()
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    with tempfile.TemporaryDirectory() as folder, browser_at(chromium) as browser:
        root, settings = Path(folder, "root"), Path(folder, "settings")
        root.mkdir()
        settings.mkdir()
        notebook(root / "abuse.ipynb", *CELLS)
        with jupyterlab(root, settings) as url:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(60_000)
            row = abuse(page, url("abuse.ipynb"), Path(folder), settings / "log", args.seconds, args.seed, args.reruns)
    print("| moves | switches | uploads | interrupts | errors | memory (MB) | threads | last state right |")
    print("|-------|----------|---------|------------|--------|-------------|---------|------------------|")
    right = "yes" if row["right"] else "NO"
    print(
        f"| {row['moves']:5} | {row['switches']:8} | {row['uploads']:7} | {row['interrupts']:10} | "
        f"{len(row['errors']):6} | {row['growth']:+11.0f} | {row['threads']:+7} | {right:16} |"
    )
    print(*row["errors"], sep="\n")
    print(f"\n{args.reruns} runs of the cell again: {row['growth_again']:+.0f} MB")
    grown = max(row["growth"], row["growth_again"])
    return 0 if row["right"] and not row["errors"] and grown < MAX_GROWTH and row["threads"] <= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
