import shutil
from pathlib import Path

import pytest
from lab import browser_at, jupyterlab

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def browser(chromium):
    with browser_at(chromium) as started:
        yield started


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A copy of the chapters: JupyterLab saves what it opens."""
    root = tmp_path_factory.mktemp("course") / "notebooks"
    shutil.copytree(NOTEBOOKS, root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return root


@pytest.fixture(scope="session")
def lab(course, tmp_path_factory):
    """Serves that copy: lab(notebook) -> address."""
    with jupyterlab(course, tmp_path_factory.mktemp("settings")) as url:
        yield url


@pytest.fixture(scope="module")
def page(browser):
    """A page that keeps in `page.faults` what goes wrong and what it asks of other machines."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(60_000)
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.faults.append(request.url) if outside(request.url) else None)
    yield page
    page.close()


@pytest.fixture(autouse=True)
def no_faults(page):
    page.faults.clear()
    yield
    assert page.faults == []


def outside(url):
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "file://", "data:", "blob:"))
