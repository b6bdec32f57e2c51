"""Take docs/images/*.png from a running service: `make screenshots`. Look at each before you commit it.

A service of its own is started in sandbox mode with a journal of made-up calls; the browser is the machine's chromium.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from cds_service.server import free_port
from cds_service.storage.journal import Journal
from cds_service.storage.records import DecisionRecord
from cds_service.storage.upgrade import upgrade

IMAGES = Path(__file__).parent / "images"
SAMPLE = "dialysis-rising-trend"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def service(database: str) -> Iterator[str]:
    """A service in sandbox mode for as long as the block lasts."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    environ = clean | {"CDS_DATABASE_URL": database, "CDS_LOG_LEVEL": "ERROR", "CDS_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "cds_service", "serve", "--sandbox"], env=environ)
    try:
        for _ in range(1200):
            asked = HTTPConnection("127.0.0.1", port)
            try:
                asked.request("GET", "/readyz")
                if asked.getresponse().status == 200:
                    break
            except OSError:
                time.sleep(0.1)
            finally:
                asked.close()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(15)


def made_up_calls(now: datetime) -> Iterator[DecisionRecord]:
    """Twelve weeks of calls, more of the quiet kinds than of the loud ones; the numbers mean nothing."""
    kinds = (("none", None, 31, 0), ("info", "CL-60", 9, 1), ("info", "CL-53", 6, 1), ("warning", "CL-52", 4, 1))
    for week in range(12):
        for tier, headline, often, cards in (*kinds, ("critical", "CL-50", 2, 1)):
            for n in range(often + (week * 7 + often) % 4):
                yield DecisionRecord(
                    at=now - timedelta(weeks=week, minutes=n),
                    service="metastatic-calcification-patient-view",
                    hook="patient-view",
                    tenant="general-hospital" if n % 3 else "dialysis-unit",
                    hook_instance_hash=None,
                    outcome="decided",
                    content_version="2026.11.0",
                    content_digest="sha256:0",
                    tier=tier,
                    headline=headline,
                    rules=(),
                    cards=cards,
                    gaps={"missing": 1} if headline == "CL-60" else {},
                    read_ms=0.6 + n % 5 / 10,
                    decide_ms=1.1 + n % 7 / 10,
                    answer_ms=0.2,
                )


def fire(page: Any, url: str, sample: str) -> None:
    page.goto(f"{url}/playground")
    with page.expect_response("**/cds-services/*"):
        page.click(f"button[value={sample}]")
    page.wait_for_selector("#results:not([hidden])")


def keep(page: Any, name: str, **options: Any) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled", **options)
    print(f"took docs/images/{name}.png")


def take(browser: Any, url: str) -> None:
    """Take all pictures."""
    page = browser.new_page(viewport={"width": 1440, "height": 940}, color_scheme="light")
    fire(page, url, SAMPLE)
    keep(page, "playground")
    link = page.get_attribute("#cards a[href*='/app?look=']", "href")
    page.goto(link)
    keep(page, "trend")
    page.goto(f"{url}/knowledge/rules/CL-50")
    keep(page, "knowledge")
    page.goto(f"{url}/ops")
    keep(page, "operations")
    dark = browser.new_page(viewport={"width": 1440, "height": 940}, color_scheme="dark")
    dark.goto(link)
    keep(dark, "trend-dark")
    phone = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2)
    fire(phone, url, SAMPLE)
    phone.locator("#cards").scroll_into_view_if_needed()
    phone.evaluate("document.querySelector('.sidebar').scrollIntoView()")
    keep(phone, "playground-phone")


def main() -> None:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        sys.exit("No chromium on this machine: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/journal.sqlite3"
        upgrade(database)
        journal = Journal(database)
        for entry in made_up_calls(datetime.now(UTC)):
            journal.record(entry)
        journal.close()
        with service(database) as url, sync_playwright() as tool:
            browser = tool.chromium.launch(executable_path=found, args=FLAGS)
            take(browser, url)
            browser.close()


if __name__ == "__main__":
    main()
