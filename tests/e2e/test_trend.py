"""The page behind a card in a browser, from the playground and launched by a made-up EHR."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cds_service.server import free_port
from tests.e2e.conftest import Browse, overflow, serving, violations
from tests.pages.ehr import Ehr

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLE = "dialysis-rising-trend"
ASSESSMENT = "org.calcinosis-cds.assessment"


def link_of(page: Any, sample: str = SAMPLE) -> str:
    """Fire a sample in the playground and return the link of its card."""
    with page.expect_response("**/cds-services/*"):
        page.click(f"button[value={sample}]")
    page.wait_for_selector("#cards a[href*='/app?look=']")
    return str(page.get_attribute("#cards a[href*='/app?look=']", "href"))


def test_the_link_of_a_card_shows_the_numbers_of_its_answer(browse: Browse) -> None:
    playground = browse("/playground")
    link = link_of(playground)
    a = json.loads(playground.text_content("#received"))["extension"][ASSESSMENT]
    for _ in range(4):  # two workers: whichever answers knows the link
        page = browse(link)
        shown = page.inner_text("main")
        assert f"{a['product']['value']} mg²/dL²" in shown
        for earlier in a["trend"]["previous"]:
            assert f"{earlier['value']} mg²/dL²" in shown
        for value in (a["product"]["calcium"], a["product"]["phosphate"]):
            assert f"{value['value']} {value['unit']}" in shown


def test_a_mark_tells_value_unit_time_and_source_to_pointer_and_keyboard(browse: Browse) -> None:
    page = browse(link_of(browse("/playground")))
    page.hover("#chart-phosphate .dot.pair")
    told = page.inner_text("#tip")
    for word in ("Phosphate 9.1 mg/dL", "2026-10-07T07:30:00+02:00", "Observation/p-2", "used by the card"):
        assert word in told
    page.mouse.move(0, 0)
    page.focus("#chart-product .dot >> nth=0")
    assert "52.08" in page.inner_text("#tip")
    page.keyboard.press("Tab")
    assert "71.04" in page.inner_text("#tip")
    page.keyboard.press("Escape")
    assert page.is_hidden("#tip")


def test_the_charts_are_there_without_script_and_in_print(browse: Browse) -> None:
    link = link_of(browse("/playground"))
    page = browse(link, java_script_enabled=False)
    assert page.locator("svg.plot .dot").count() >= 9
    assert page.locator(".tree details[open]").count() >= 3
    page.emulate_media(media="print")
    assert page.is_visible("#chart-product svg.plot")
    assert page.is_hidden("header nav")


@pytest.mark.parametrize("sample", [SAMPLE, "refused-unit"])
def test_no_width_makes_the_page_scroll_sideways(browse: Browse, sample: str) -> None:
    link = link_of(browse("/playground"), sample)
    for width in (360, 1000):
        assert overflow(browse(link, width=width)) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sample", [SAMPLE, "refused-unit"])
def test_axe_finds_nothing(browser: Any, browse: Browse, sample: str, scheme: str) -> None:
    assert violations(browser, link_of(browse("/playground"), sample), color_scheme=scheme) == []


# ---- launched by an EHR ----------------------------------------------------------------------------------------------


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    port = free_port()
    made = Ehr(f"http://127.0.0.1:{port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.give()

        def do_POST(self) -> None:
            self.give()

        def give(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, headers, text = made.answer(self.command, made.base + self.path, body, token)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(text))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def test_a_whole_launch_in_a_browser_ends_on_the_page(browser: Any, ehr: Ehr) -> None:
    port = free_port()
    ours = f"http://127.0.0.1:{port}"
    with serving(port, CDS_SANDBOX="true", CDS_PUBLIC_URL=ours, CDS_SMART_CLIENTS=f"{ehr.fhir}=calcinosis") as url:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{url}/app/launch?iss={ehr.fhir}&launch={ehr.launch_of(SAMPLE)}")
        assert page.url.startswith(f"{url}/app/callback?")
        assert "Calcium x phosphate" in page.inner_text(".verdict")
        assert f"Patient/example-{SAMPLE}" in page.inner_text("main")
        (token,) = ehr.tokens
        assert token not in page.content()
        assert context.cookies() == []
        page.reload()
        assert re.search(r"unknown, was used already", page.inner_text("main"))
        context.close()
