"""Make again what depends on the weights: python -m scripts.refresh [PART ...]

golden    tests/codec/golden: streams, and the pictures that they decode to
table     data/reference/kodak_learned.csv; needs the Kodak images (NCTUTORIAL_KODAK), takes minutes
figures   the tables between markers in README.md and data/weights/README.md, from that CSV
picture   docs/explorer.webp; needs Chromium (CHROMIUM is its path)
chapters  the notebooks, each run in place from a fresh kernel; 07 is chapter 07 alone

All parts, in this order, if none is named. A file is replaced when its successor is whole; the first error ends it all.
"""

import argparse
import csv
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from nctutorial import codec, data, metrics
from nctutorial.widgets import write_html
from tests.browser.lab import browser_at

ROOT = Path(__file__).resolve().parents[1]
LEARNED = ROOT / "data" / "reference" / "kodak_learned.csv"
CLASSICAL = ROOT / "data" / "reference" / "kodak_classical.csv"
PAGES = (ROOT / "README.md", ROOT / "data" / "weights" / "README.md")
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
WIDGET = "application/vnd.jupyter.widget-view+json"


def golden() -> None:
    subprocess.run([sys.executable, "tests/codec/make_golden.py"], cwd=ROOT, check=True)


def table() -> None:
    folder = data.kodak_paths()[0].parent
    with tempfile.TemporaryDirectory(dir=LEARNED.parent) as temporary:  # a new file: no row of the old one is kept
        out = Path(temporary, LEARNED.name)
        command = [sys.executable, "-m", "nctutorial.cli", "benchmark", str(folder), "--out", str(out)]
        subprocess.run([*command, "--model", *codec.NAMES, "--jobs", str(os.cpu_count())], cwd=ROOT, check=True)
        os.replace(out, LEARNED)


def figures() -> None:
    blocks = {"summary": summary(), "means": means()}
    for page in PAGES:
        text = BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match[2]]}\n\n{match[3]}", page.read_text("utf-8"))
        data.write_atomic(page, text.encode())


def curves(path: Path, *columns: str) -> dict[str, dict[str, np.ndarray]]:
    """The numbers of these columns in a CSV, by codec and image ("01" to "24"): (points, columns)."""
    found: dict = defaultdict(lambda: defaultdict(list))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            image = row["image"].removeprefix("kodim").removesuffix(".png")
            found[row["codec"]][image].append([float(row[name]) for name in columns])
    return {name: {image: np.array(curve) for image, curve in of.items()} for name, of in found.items()}


def summary() -> str:
    """Weights, range and BD-rates against other codecs, as a Markdown table."""
    learned, classical = (curves(path, "bpp", "psnr") for path in (LEARNED, CLASSICAL))
    lines = ["| codec | weights | bpp | PSNR (dB) | BD-rate: HEVC | JPEG | `factorized` |", "|---" * 7 + "|"]
    for name in codec.NAMES:
        size = (data.WEIGHTS / f"{name}.safetensors").stat().st_size
        (low_bpp, low_psnr), *_, (bpp, psnr) = np.mean([*learned[name].values()], axis=0)
        ranges = f"{low_bpp:.3f} to {bpp:.3f} | {low_psnr:.1f} to {psnr:.1f}"
        lines.append(f"| `{name}` | {size / 1e6:.1f} MB | {ranges} |")
        for reference in (classical["hevc444_x265"], classical["jpeg420"], learned["factorized"]):
            rates = [metrics.bd_rate(*reference[image].T, *curve.T) for image, curve in learned[name].items()]
            lines[-1] += f" {np.mean(rates):+.1f} % |" if reference is not learned[name] else " |"
    return "\n".join(lines)


def means() -> str:
    """Means over the images at each λ, as a Markdown table."""
    learned = curves(LEARNED, "bpp", "psnr", "ms_ssim", "lam")
    head = "".join(f" `{name}`: bpp | PSNR (dB) | MS-SSIM |" for name in codec.NAMES)
    lines = ["| λ |" + head, "|---" * (1 + 3 * len(codec.NAMES)) + "|"]
    for row in zip(*(np.mean([*learned[name].values()], axis=0) for name in codec.NAMES), strict=True):
        lines.append(f"| {row[0][3]:.5f} |" + "".join(" {:.4f} | {:.2f} | {:.4f} |".format(*mean) for mean in row))
    return "\n".join(lines)


def picture() -> None:
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if chromium is None:
        raise SystemExit("no Chromium: install it or set CHROMIUM to its path")
    with tempfile.TemporaryDirectory() as folder, browser_at(chromium) as browser:
        html = Path(folder, "explorer.html")
        write_html(html, "red_panda", model="hyperprior")
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        page.goto(html.as_uri())
        page.locator(".nct-explorer[data-frame]").wait_for()
        page.get_by_label("Compare with").select_option("JPEG at the same bytes")
        page.wait_for_timeout(1000)  # until it is painted
        png = page.locator(".nct-explorer").screenshot()
    webp = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(webp, "WEBP", quality=85, method=6)
    data.write_atomic(ROOT / "docs" / "explorer.webp", webp.getvalue())


def chapter(path: Path) -> None:
    """Run a notebook and store its outputs and counts. What differs in every run does not get into the file."""
    notebook = nbformat.read(path, as_version=4)
    metadata = notebook.metadata.copy()
    stable = {"record_timing": False, "store_widget_state": False, "coalesce_streams": True}
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}, **stable).execute()
    notebook.metadata = metadata
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if WIDGET in output.get("data", ()):
                output.data[WIDGET]["model_id"] = cell.id
    data.write_atomic(path, (nbformat.writes(notebook) + "\n").encode())


def main(argv: list[str] | None = None) -> None:
    numbers = {path.stem[:2]: functools.partial(chapter, path) for path in CHAPTERS}
    parts = {part.__name__: part for part in (golden, table, figures, picture)} | numbers
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", metavar="PART", nargs="*")
    named = set(parser.parse_args(argv).parts or parts)
    if unknown := named - {"chapters", *parts}:
        parser.error(f"no part is called {', '.join(sorted(unknown))}: there are chapters, {', '.join(parts)}")
    for name, make in parts.items():
        if name in named or ("chapters" in named and name in numbers):
            print(f"refresh: {name}", flush=True)
            try:
                make()
            except (data.KodakError, subprocess.CalledProcessError, CellExecutionError) as error:
                parser.exit(1, f"refresh: {name} failed: {error}\n")


if __name__ == "__main__":
    main()
