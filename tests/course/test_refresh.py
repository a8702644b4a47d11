"""scripts/refresh.py: what it writes, and that an error leaves the old file."""

import nbformat
import pytest

from scripts import refresh


@pytest.fixture
def notebook(tmp_path):
    """notebook(*cells): a chapter of these code cells, never run."""

    def write(*cells):
        path = tmp_path / "00_test.ipynb"
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, path)
        return path

    return write


def test_a_chapter_is_run_and_stored_the_same_every_time(notebook):
    path = notebook("import ipywidgets\nprint(1)\nprint(2, flush=True)\nprint(3)", "ipywidgets.IntSlider()")
    before = nbformat.read(path, as_version=4)
    refresh.chapter(path)
    after = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in after.cells] == [1, 2]
    assert [output.text for output in after.cells[0].outputs] == ["1\n2\n3\n"]
    assert after.cells[1].outputs[0].data[refresh.WIDGET]["model_id"] == after.cells[1].id
    assert after.metadata == before.metadata and not any(cell.metadata for cell in after.cells)
    once = path.read_bytes()
    refresh.chapter(path)
    assert path.read_bytes() == once


def test_a_chapter_that_fails_stays_and_the_command_says_why(notebook, monkeypatch, capsys):
    path = notebook("assert 1 > 2, 'no longer true'")
    monkeypatch.setattr(refresh, "CHAPTERS", [path])
    before = path.read_bytes()
    with pytest.raises(SystemExit) as exit:
        refresh.main(["00"])
    assert exit.value.code == 1 and path.read_bytes() == before
    assert "refresh: 00 failed" in capsys.readouterr().err


def test_stale_figures_are_replaced_and_the_rest_is_kept(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("Before.\n\n<!-- figures: summary -->\n\nold\n\n<!-- end of figures -->\n\nAfter.\n")
    monkeypatch.setattr(refresh, "PAGES", [page])
    refresh.main(["figures"])
    text = page.read_text("utf-8")
    assert text.startswith("Before.\n\n<!-- figures: summary -->\n\n| codec |")
    assert text.endswith("%|\n\n<!-- end of figures -->\n\nAfter.\n".replace("%|", "% |")) and "old" not in text
    refresh.main(["figures"])
    assert page.read_text("utf-8") == text


def test_an_unknown_part_is_refused_before_anything_runs(capsys):
    with pytest.raises(SystemExit) as exit:
        refresh.main(["figures", "tables"])
    assert exit.value.code == 2 and "no part is called tables" in capsys.readouterr().err
