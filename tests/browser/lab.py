"""JupyterLab and Chromium, started for a test or a benchmark and stopped after it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

TOKEN = "explorer"
QUIET = (
    "--no-browser --allow-root --ip=127.0.0.1 --ServerApp.port_retries=0 --expose-app-in-browser "
    "--LabApp.news_url=None --LabApp.extension_manager=readonly --LanguageServerManager.autodetect=False "
    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate "
    "--ServerApp.terminals_enabled=False"
).split()
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
LAB_FOLDERS = ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")


@contextlib.contextmanager
def browser_at(path):
    """A headless Chromium that asks for nothing in the background."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@contextlib.contextmanager
def jupyterlab(root: Path, settings: Path):
    """Serve the notebooks in `root`; `settings` is an empty folder. Yields url(notebook) -> address."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = os.environ | {name: str(settings / name) for name in (*FOLDERS, *LAB_FOLDERS)}
    command = [sys.executable, "-m", "jupyterlab", *QUIET, f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    news = settings / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    log = open(settings / "log", "wb")  # noqa: SIM115
    server = subprocess.Popen(
        [*command, f"--ServerApp.root_dir={root}"], env=env, stdout=log, stderr=log, start_new_session=True
    )
    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}", timeout=5).close()
                break
            if server.poll() is not None:
                raise RuntimeError((settings / "log").read_text())
            time.sleep(0.25)
        yield lambda notebook: f"http://127.0.0.1:{port}/lab/tree/{notebook}?token={TOKEN}&reset"
    finally:
        server.send_signal(signal.SIGINT)
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
        log.close()


@contextlib.contextmanager
def one_notebook(*cells: str):
    """A notebook of these code cells, open in a browser. Yields (page, folder); folder/settings/log is the server's."""
    with (
        tempfile.TemporaryDirectory() as name,
        browser_at(shutil.which(os.environ.get("CHROMIUM", "chromium"))) as browser,
    ):
        folder = Path(name)
        for part in ("root", "settings"):
            (folder / part).mkdir()
        notebook(folder / "root" / "cells.ipynb", *cells)
        with jupyterlab(folder / "root", folder / "settings") as url:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(60_000)
            open_notebook(page, url("cells.ipynb"))
            yield page, folder


def notebook(path: Path, *cells: str):
    """Write a notebook of these code cells."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, path)


def open_notebook(page, url):
    """Open it and wait for an idle kernel."""
    page.goto(url)
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=90_000,
    )


def run_cell(page, index):
    """Run one cell; fails if it raises."""
    page.evaluate("index => { jupyterapp.shell.currentWidget.content.activeCellIndex = index }", index)
    assert page.evaluate("jupyterapp.commands.execute('notebook:run-cell')") is not False, "the cell failed"


def run_all(page):
    """Run all cells; fails if one raises."""
    assert page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')") is True, "a cell failed"
