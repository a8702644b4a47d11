"""The λ explorer on real pages: JupyterLab with a kernel, and one HTML file without."""

import numpy as np
import pytest
from explorer_page import HASH, STOPS, ExplorerPage
from explorer_standin import DctCodec
from lab import notebook, open_notebook, run_all, run_cell
from PIL import Image

from nctutorial import data
from nctutorial.widgets import write_html

CELLS = (
    "from nctutorial.widgets import LambdaExplorer\nfirst = LambdaExplorer('daisies', 0.01)\nfirst",
    "second = LambdaExplorer('mariachi', 0.003)\nsecond",
    "first.lam = 0.05",
    "import ipywidgets\n"
    "all_widgets = ipywidgets.widgets.widget._instances.values()\n"
    "print('awake:', sum(isinstance(w, LambdaExplorer) and not w.asleep for w in all_widgets))",
)


def test_chapter_07_as_a_student_uses_it(lab, page):
    open_notebook(page, lab("07_lambda_slider.ipynb"))
    run_all(page)
    explorer = ExplorerPage(page)
    # by keyboard, from stop to stop
    explorer.bring_into_view()
    explorer.slider.focus()
    explorer.wait_for_change(lambda: explorer.slider.press("ArrowRight"))
    assert explorer.slider.input_value() == "35"
    size, picture, lam = explorer.value("bytes"), explorer.pixels(), explorer.lam
    assert 8 * size / (768 * 512) == pytest.approx(explorer.value("bpp"), abs=6e-4)
    explorer.wait_for_change(lambda: explorer.slider.press("ArrowRight"))
    assert explorer.lam > lam and explorer.value("bytes") > size
    assert explorer.pixels() != picture
    assert explorer.slider.get_attribute("aria-valuetext") == f"{STOPS[36]:.3g}"
    explorer.wait_for_change(lambda: explorer.slider.press("ArrowLeft"))
    assert (explorer.value("bytes"), explorer.pixels()) == (size, picture)
    for key, lam in ("Home", 0.001), ("End", 0.06):
        explorer.wait_for_change(lambda key=key: explorer.slider.press(key))
        assert explorer.lam == pytest.approx(lam)
    largest = explorer.value("bytes")
    # by mouse
    explorer.bring_into_view()
    box = explorer.slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 11, middle)
    page.mouse.down()
    for share in np.linspace(1, 0.25, 20):
        page.mouse.move(box["x"] + box["width"] * share, middle)
        page.wait_for_timeout(16)
    page.mouse.up()
    assert int(explorer.slider.input_value()) == pytest.approx(15, abs=2)
    explorer.wait_for_slider()
    assert explorer.value("bytes") < largest / 3
    explorer.wait_for_rest()
    assert 0.8 < explorer.value("ms_ssim") < 1
    assert explorer.value("loss") > explorer.value("bpp")


@pytest.fixture(scope="module")
def two(course, lab, page):
    notebook(course / "two.ipynb", *CELLS)
    open_notebook(page, lab("two.ipynb"))
    run_cell(page, 0)
    run_cell(page, 1)
    return ExplorerPage(page, 0), ExplorerPage(page, 1)


def test_two_explorers_on_a_page(two, page):
    first, second = two
    seen = second.pixels(), second.value("bytes")
    first.wait_for_change(lambda: run_cell(page, 2))  # λ set from Python, between two stops
    assert first.lam == pytest.approx(0.05, rel=1e-3)
    assert first.slider.get_attribute("aria-valuetext") == "0.0500"
    assert int(first.slider.input_value()) == np.abs(np.log(STOPS / 0.05)).argmin()
    assert (second.pixels(), second.value("bytes")) == seen
    ids = page.locator(".nct-explorer [id]").evaluate_all("nodes => nodes.map((node) => node.id)")
    assert len(ids) == len(set(ids)) > 0


def test_running_a_cell_again_does_not_leak(two, page):
    for _ in range(3):
        run_cell(page, 0)
        ExplorerPage(page, 0)
    page.wait_for_timeout(1000)
    run_cell(page, 3)
    assert page.locator(".jp-OutputArea-output pre").last.inner_text().strip() == "awake: 2"
    first = ExplorerPage(page, 0)
    first.slider.focus()
    first.wait_for_change(lambda: first.slider.press("PageDown"))


def curve_names(explorer):
    """What the legend of the R-D plane names, from its top."""
    return explorer.root.locator(".nct-plane text[fill]").all_text_contents()[::-1]


def test_the_codec_can_be_switched(two):
    first, second = two
    choice = first.choice("Codec")
    assert choice.locator("option").all_text_contents() == ["factorised", "hyperprior"]
    lam, size, picture = first.lam, first.value("bytes"), first.pixels()
    untouched = second.value("bytes"), second.pixels()
    # both curves, on the photo that is open, without being asked for
    first.wait_until("(root) => root.querySelectorAll('.nct-plane svg .nct-curve').length === 4")
    assert curve_names(first) == ["factorised", "hyperprior", "WebP", "JPEG"]
    # by keyboard, as everything
    choice.focus()
    first.wait_for_change(lambda: choice.press("ArrowDown"))
    assert first.root.get_attribute("data-model") == "hyperprior" and first.lam == lam
    assert first.value("bytes") != size and first.pixels() != picture
    assert first.root.locator(".nct-table th[scope=col]").first.text_content() == "hyperprior"
    assert first.root.locator(".nct-own .nct-tag").text_content().startswith("hyperprior, λ = ")
    assert curve_names(first) == ["hyperprior", "factorised", "WebP", "JPEG"]
    assert first.root.locator(".nct-plane svg .nct-curve").count() == 4
    assert "The hyperprior codec stands at" in first.root.locator(".nct-plane").get_attribute("aria-label")
    first.wait_for_rest()
    first.wait_for_change(lambda: choice.select_option("factorized"))
    assert (first.value("bytes"), first.pixels()) == (size, picture)
    assert (second.value("bytes"), second.pixels()) == untouched


CLOSE_IN_BYTES = r"""(root) => {
    const row = [...root.querySelectorAll("tr")].find((row) => row.textContent.includes("file (bytes)"));
    const [ours, theirs] = [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent.replace(/\D/g, "")));
    return 0.85 * ours < theirs && theirs <= ours;
}"""
SHOWS = "(root, name) => root.querySelector('.nct-other .nct-tag').textContent.toLowerCase().startsWith(name)"


def test_pictures_to_compare(two):
    first, _ = two
    ours, other = first.pixels(), first.root.locator(".nct-other canvas")
    seen = [other.evaluate(HASH)]
    for name in ("jpeg", "webp", "original"):
        first.choice("Compare with").select_option(name)
        first.wait_until(SHOWS, name)
        if name != "original":
            first.wait_until(CLOSE_IN_BYTES)
        first.wait_for_rest()
        seen.append(other.evaluate(HASH))
    assert len(set(seen[:3])) == 3 and seen[3] == seen[0] and first.pixels() == ours


def test_bits_wipe_and_zoom(two, page):
    first, _ = two
    plain = first.stage.screenshot()
    first.root.get_by_label("where the bits go").check()
    assert first.root.get_by_text("bits per 16×16 block").is_visible()
    assert first.stage.screenshot() != plain
    first.root.get_by_label("where the bits go").uncheck()
    assert first.stage.screenshot() == plain
    # the wipe, by keyboard and by mouse
    first.wipe.focus()
    first.wipe.press("End")
    assert first.wipe.get_attribute("aria-valuenow") == "100" and first.stage.screenshot() != plain
    box, stage = first.wipe.bounding_box(), first.stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 4, box["y"] + 40, steps=5)
    page.mouse.up()
    assert first.wipe.get_attribute("aria-valuenow") == "25"
    # the enlarged region
    tile, lens = first.root.locator(".nct-tiles canvas").last, first.root.get_by_label("Region shown enlarged")
    before, place = tile.screenshot(), lens.bounding_box()
    lens.focus()
    lens.press("ArrowLeft")
    moved = tile.screenshot()
    assert moved != before and lens.bounding_box()["x"] < place["x"]
    first.choice("Zoom").select_option("8")
    assert tile.screenshot() != moved
    assert lens.bounding_box()["width"] == pytest.approx(place["width"] / 2, abs=1)


def test_other_photos(two, tmp_path):
    first, _ = two
    before = first.pixels()
    first.wait_for_change(lambda: first.choice("Photo").select_option("dogs_window"))
    assert first.pixels().startswith("512x768:") and first.pixels() != before
    # the reader's own
    x = np.linspace(0, 255, 2000, dtype=np.uint8)
    photo = np.dstack(np.broadcast_arrays(x, x[:1500, None], np.uint8(90)))
    Image.fromarray(photo).save(tmp_path / "beach.jpg")
    chooser = first.root.locator("input[type=file]")
    for _ in range(2):  # the same once more is answered too
        first.wait_for_change(lambda: chooser.set_input_files(tmp_path / "beach.jpg"))
        first.root.get_by_text("2000 × 1500 pixels, scaled down to 1182 × 886").wait_for()
    assert first.choice("Photo").locator("option:checked").text_content() == "beach.jpg"
    # a broken one
    kept = first.pixels()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing more")
    chooser.set_input_files(tmp_path / "broken.jpg")
    first.root.get_by_role("alert").filter(has_text="broken.jpg").wait_for()
    assert first.pixels() == kept
    first.wait_for_change(lambda: first.choice("Photo").select_option("stream"))
    assert not first.root.get_by_role("alert").is_visible()


def test_stand_alone_file(page, tmp_path):
    write_html(tmp_path / "explorer.html", data.photo("stream")[:256, :320], n=5, model=DctCodec())
    page.goto((tmp_path / "explorer.html").as_uri())
    explorer = ExplorerPage(page)
    sizes, pictures = [], []
    explorer.slider.focus()
    explorer.wait_for_change(lambda: explorer.slider.press("Home"))
    for _ in range(4):
        sizes.append(explorer.value("bytes"))
        pictures.append(explorer.pixels())
        explorer.wait_for_change(lambda: explorer.slider.press("ArrowRight"))
    assert sizes == sorted(set(sizes)) and len(set(pictures)) == 4
    explorer.wait_for_change(lambda: explorer.slider.press("ArrowLeft"))
    assert (explorer.value("bytes"), explorer.pixels()) == (sizes[3], pictures[3])
    explorer.choice("Compare with").select_option("webp")
    explorer.wait_until(SHOWS, "webp, quality")
    assert 0.5 < explorer.value("ms_ssim") < 1
    assert explorer.root.locator("input[type=file]").count() == 0  # nobody could open it
    spoken = explorer.root.locator("output, [role=status], [aria-live]")
    assert spoken.count() == 1  # one voice, for screen readers, once the slider rests
    explorer.slider.focus()
    explorer.wait_for_change(lambda: explorer.slider.press("Home"))
    spoken.filter(has_text="λ 0.00100: ").wait_for(state="attached")
