"""Makes page.png anew: a real stress session, its page, and a picture of the upper part.

Run it as `python .github/screenshots/make_page.py` with the development extras and a Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = """\
import os
import time

def test_sum(repro):
    time.sleep(0.001)
    assert repro.iteration % 37, "sum differs by 3"

def test_queue(repro):
    if repro.iteration % 53 == 0:
        time.sleep(0.02)
        raise TimeoutError("no answer from the queue after 20 ms")

def test_driver(repro):
    time.sleep(0.0005)
    if repro.iteration in (71, 158):
        os._exit(3)
"""


def main() -> None:
    """Writes the picture beside this file."""
    from playwright.sync_api import sync_playwright

    target = Path(__file__).with_name("page.png")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_device.py").write_text(TESTS, encoding="utf-8")
        stress = ["--repro-stress", "200", "-n", "2", "--repro-tag", "before", "-q"]
        subprocess.run([sys.executable, "-m", "pytest", *stress], cwd=folder, check=False)
        page_file = Path(folder, "page.html")
        report = [sys.executable, "-m", "pytest_repro.cli.report", "html", "--output", str(page_file)]
        subprocess.run(report, cwd=folder, check=True)
        with sync_playwright() as browsers:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1100, "height": 860})
            page.goto(page_file.as_uri())
            page.locator(".lane canvas").last.focus()
            page.keyboard.press("Shift+ArrowRight")
            page.wait_for_timeout(300)
            page.screenshot(path=target)
            browser.close()


if __name__ == "__main__":
    main()
