"""The pages of a real run; all pages in Chromium at three widths: no horizontal scroll, no narrow table cell."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.fork_server import ForkServer
from tests.project import CANARY, make_project

from . import hostile
from .test_html import check_page

WIDTHS = (390, 768, 1280)
NARROWEST = 60
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MEASURE = """
window.onload = () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, width = frame.contentWindow.innerWidth;
    const shown = [...page.body.querySelectorAll("*")].map(e => [e, e.getBoundingClientRect()]).filter(x => x[1].width);
    const cells = shown.filter(([e]) => e.matches("td, th")).map(([, box]) => box.width);
    const outside = shown.filter(([, box]) => box.right > width + 0.5 || box.left < -0.5).map(([e]) => e.outerHTML);
    return {name: frame.title, width, scroll: page.documentElement.scrollWidth, cells: cells.length,
            narrowest: Math.min(...cells), outside: outside.slice(0, 3).map(text => text.slice(0, 200))};
  });
  document.body.innerHTML = '<pre id="found"></pre>';
  document.getElementById("found").textContent = JSON.stringify(found);
};
"""


@pytest.fixture(scope="module")
def failed_run(tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer) -> dict[str, str]:
    """The pages of a run whose probe fails: its report, and the status beside an environment that does not exist."""
    root = make_project(tmp_path_factory.mktemp("layout"))
    picture = root / "templates" / "medimageparse" / "probe" / "phantom.png"
    picture.write_bytes((Path(__file__).parent / "black.png").read_bytes())
    assert amldeploy.run(root, "apply", "-e", "local").returncode == 5
    status = amldeploy.run(root, "status", "-e", "local", "-e", "nowhere", "-o", "html")
    assert status.returncode == 3
    assert amldeploy.run(root, "status", "-e", "local", "-e", "nowhere").returncode == 64
    (report,) = (root / ".amldeploy" / "reports").glob("*-apply/report.html")
    return {"failed run": report.read_text(encoding="utf-8"), "status": status.stdout}


def test_the_pages_of_a_failed_run(failed_run: dict[str, str]) -> None:
    """The report is that of the run, with the endpoint as Azure has it then; the status has what could be read."""
    report, status = failed_run["failed run"], html.unescape(failed_run["status"])
    for page in failed_run.values():
        check_page(page)
        assert CANARY not in page
    for part in (
        "<h1>apply local: failed</h1>", "<dt>Started</dt><dd>20", "<dd>mlw-local</dd>",
        f"on {socket.gethostname()}</dd>", "USD an hour", '<td data-label="Before">no endpoint</td>',
        '<td data-label="After">none</td>', "/inference/eastus/mip-papdf/score</td>", "AML376",
        '<p class="cure">→ Look at probe-mip-blue-answer.txt',
    ):  # fmt: skip
        assert part in report, part
    for part in ("Status of local, nowhere", "Not read: nowhere.", "/mip-papdf/score</dd>", "blue", "AML"):
        assert part in status, part


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_pages_fit_their_screen(failed_run: dict[str, str], tmp_path: Path) -> None:
    """Of a real run, with hostile texts, and with 200 endpoints."""
    pages = failed_run | {
        "hostile report": hostile.report_page(),
        "hostile status": hostile.status_page(),
        "200 endpoints": hostile.long_report_page(),
        "status of 200 endpoints": hostile.long_status_page(),
    }
    measured = measure(pages, tmp_path)
    assert len(measured) == len(pages) * len(WIDTHS)
    for each in measured:
        assert each["scroll"] <= each["width"], each
        assert each["cells"] > 0, each
        assert each["narrowest"] >= NARROWEST, each
        assert each["outside"] == [], each


def measure(pages: dict[str, str], folder: Path) -> list[dict]:
    """What one Chromium measures in a frame for each page and width."""
    frames = [
        f'<iframe title="{name}" width="{width}" height="900" srcdoc="{html.escape(text)}"></iframe>'
        for name, text in pages.items()
        for width in WIDTHS
    ]
    file = folder / "frames.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><body><script>{MEASURE}</script>{''.join(frames)}")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    with subprocess.Popen(
        [str(CHROMIUM), *options, file.as_uri()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as browser:  # fmt: skip
        try:
            printed, _ = browser.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(browser.pid, signal.SIGKILL)  # the browser is a child of a script
            raise
    (found,) = re.findall(r'<pre id="found">(.*?)</pre>', printed, re.DOTALL)
    return json.loads(html.unescape(found))
