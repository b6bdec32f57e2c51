"""A real browser before a real service: started for the session, in sandbox mode with two workers.

Every page that a test opens through `browse` is watched: an error on its console or a request to another origin fails
the test. Without chromium or playwright the tests are skipped with the reason; with CI set that is a failure.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cds_service.server import free_port

AXE = Path(__file__).parent / "axe" / "axe.min.js"
FLAGS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(reason: str) -> None:
    """Skip for want of a tool; in CI want of a tool is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright is not installed: make e2e installs it")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("no chromium on this machine: apt-get install chromium")
    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


@contextmanager
def serving(port: int | None = None, **environ: str) -> Iterator[str]:
    """A service of its own with these settings, on a free port unless one is named, for as long as the block lasts."""
    port = port or free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    settings = {"CDS_PORT": str(port), "CDS_LOG_LEVEL": "ERROR", "CDS_DATABASE_URL": "", "CDS_WORKERS": "2", **environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "cds_service", "serve"], env=clean | settings, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(15)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        asked = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            asked.request("GET", "/readyz")
            if asked.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            asked.close()
    pytest.fail("the service did not start")


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    with serving(CDS_SANDBOX="true") as url:
        yield url


Browse = Callable[..., Any]


@pytest.fixture
def browse(browser: Any, service: str) -> Iterator[Browse]:
    """Opens pages of the service. expected: texts of console errors that the test provokes itself."""
    contexts, complaints = [], []

    def opened(path: str = "/", *, width: int = 1440, height: int = 1000, expected: str = "", **options: Any) -> Any:
        base = path if "://" in path else service + path
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        origin = urlsplit(base).netloc

        def console(message: Any) -> None:
            if message.type in ("error", "warning") and not (expected and expected in message.text):
                complaints.append(f"console: {message.text}")

        def requested(request: Any) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and parts.netloc != origin:
                complaints.append(f"request to another origin: {request.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", requested)
        page.goto(base)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def violations(browser: Any, url: str, prepare: Callable[[Any], None] = lambda page: None, **options: Any) -> list[str]:
    """What axe-core has to say about a page; it is injected, so the page's own policy is lifted in this context."""
    context = browser.new_context(bypass_csp=True, viewport={"width": 1440, "height": 1000}, **options)
    try:
        page = context.new_page()
        page.goto(url)
        prepare(page)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("async () => (await axe.run()).violations")
        return [f"{each['id']}: {[node['html'][:120] for node in each['nodes'][:3]]}" for each in found]
    finally:
        context.close()


def overflow(page: Any) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
