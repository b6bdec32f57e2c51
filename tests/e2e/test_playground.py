"""The playground in a browser: what it shows is what the service answers, whatever stands in the answer."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cds_service.server import free_port
from tests.e2e.conftest import Browse, overflow, serving, violations

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
ASSESSMENT = "org.calcinosis-cds.assessment"
SAMPLE = "dialysis-rising-trend"
HOSTILE = (
    '<img src=x onerror="window.hit=1"><script>window.hit=1</script><svg onload=window.hit=1>'
    "<a href='javascript:window.hit=1'>x</a><iframe srcdoc='<script>parent.hit=1</script>'></iframe>"
    "[y](javascript:window.hit=1) ![z](https://evil.example/z.png) <style>*{display:none}</style>"
)


def recorded(sample: str) -> Any:
    return json.loads((EXAMPLES / sample / "response.json").read_text())


def choose(page: Any, sample: str) -> None:
    with page.expect_response("**/cds-services/*"):
        page.click(f"button[value={sample}]")
    page.wait_for_selector("#results:not([hidden])")


@pytest.mark.parametrize("sample", [SAMPLE, "albumin-correction-critical", "dialysis-missing-phosphate"])
def test_one_click_draws_the_card_that_the_service_gives(browse: Browse, sample: str) -> None:
    page = browse("/playground")
    choose(page, sample)
    card = recorded(sample)["cards"][0]
    assert page.inner_text("#cards .summary") == card["summary"]
    assert page.inner_text("#cards .tier") == card["indicator"]
    a = card["extension"][ASSESSMENT]
    explained = page.inner_text("#explained")
    if a["product"]:
        for number in (a["product"]["value"], a["product"]["valueSi"], a["product"]["calcium"]["value"]):
            assert f"{number:.12g}" in explained
    for rule in a["rules"]:
        assert page.locator(f"#explained a[href='/knowledge/rules/{rule}']").count() >= 1
    for gap in a["gaps"]:
        assert gap["reason"] in explained
    assert json.loads(page.text_content("#received"))["cards"][0]["summary"] == card["summary"]
    assert f"examples/{sample}/request.json" in page.text_content("#curl")


def test_no_card_is_told_as_no_statement_about_risk(browse: Browse) -> None:
    page = browse("/playground")
    choose(page, "healthy")
    assert "not a statement about the absence of risk" in page.inner_text("#cards")


def test_an_edited_value_reaches_the_service_and_comes_back(browse: Browse) -> None:
    page = browse("/playground")
    choose(page, SAMPLE)
    page.fill("#phosphate-value", "5.0")
    page.select_option("#medicine", label="warfarin") if page.locator(
        "#medicine option", has_text=re.compile("^warfarin$")
    ).count() else None
    with page.expect_response("**/cds-services/*") as got:
        page.click("text=Fire the hook")
    a = got.value.json()["extension"][ASSESSMENT]
    assert a["product"]["phosphate"]["value"] == 5
    assert a["product"]["value"] == 49  # 9.8 x 5.0
    page.wait_for_function("document.querySelector('#explained').innerText.includes('49')")


def test_the_empty_chart_takes_values_units_a_condition_and_a_medicine(browse: Browse) -> None:
    page = browse("/playground")
    page.fill("#date", "2026-10-01")
    page.fill("#calcium-value", "2.60")
    page.select_option("#calcium-unit", "mmol/L")
    page.fill("#phosphate-value", "2.40")
    page.select_option("#phosphate-unit", "mmol/L")
    page.select_option("#condition", index=1)
    page.select_option("#medicine", index=1)
    with page.expect_response("**/cds-services/*") as got:
        page.click("text=Fire the hook")
    assert got.value.status == 200
    sent = json.loads(got.value.request.post_data)
    assert len(sent["prefetch"]["conditions"]["entry"]) == 1
    assert len(sent["prefetch"]["medications"]["entry"]) == 1
    product = got.value.json()["extension"][ASSESSMENT]["product"]
    assert product["valueSi"] == 6.24  # 2.60 x 2.40
    assert product["calcium"]["unit"] == "mmol/L"


def test_a_request_that_is_no_json_is_said_to_be_none(browse: Browse) -> None:
    page = browse("/playground")
    choose(page, SAMPLE)
    page.click("#tab-request")
    page.fill("#request", "{")
    page.click("text=Fire the hook")
    assert "not JSON" in page.inner_text("#status")


def test_an_error_of_the_service_is_shown_as_one(browse: Browse) -> None:
    page = browse("/playground", expected="412")
    choose(page, SAMPLE)
    page.click("#tab-request")
    request = json.loads(page.input_value("#request"))
    del request["prefetch"]["patient"]
    page.fill("#request", json.dumps(request))
    page.click("text=Fire the hook")
    page.wait_for_selector("text=The service could not decide")
    assert "patient" in page.inner_text("#cards")


@pytest.mark.parametrize("look", ["generic", "epic", "oracle"])
def test_each_look_shows_the_same_card(browse: Browse, look: str) -> None:
    page = browse("/playground")
    choose(page, SAMPLE)
    page.click(f".segments label:has(input[value={look}])")
    assert page.locator(f".look-{look}").count() == 1
    assert page.inner_text("#cards .summary") == recorded(SAMPLE)["cards"][0]["summary"]


@pytest.mark.parametrize("look", ["generic", "epic"])
def test_an_override_is_sent_as_the_standard_says(browse: Browse, look: str) -> None:
    page = browse("/playground", expected="404")
    choose(page, SAMPLE)
    page.click(f".segments label:has(input[value={look}])")
    page.fill("#cards input[aria-label^=Comment]", "seen")
    with page.expect_request("**/feedback") as got:
        if look == "epic":
            page.click("#cards button:has-text('Already acted on')")
        else:
            page.select_option("#cards select", label="Already acted on")
            page.click("#cards .acts button:has-text('Override')")
    card = json.loads(page.text_content("#received"))["cards"][0]
    item = json.loads(got.value.post_data)["feedback"][0]
    assert got.value.url.endswith("/cds-services/metastatic-calcification-patient-view/feedback")
    assert item["card"] == card["uuid"]
    assert item["outcome"] == "overridden"
    assert item["overrideReason"] == {
        "reason": {
            "code": "action-completed",
            "system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
        },
        "userComment": "seen",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", item["outcomeTimestamp"])


def test_nothing_of_a_hostile_answer_comes_alive(browse: Browse) -> None:
    page = browse("/playground")

    def poisoned(node: Any) -> Any:
        if isinstance(node, dict):
            kept = ("uuid", "indicator", "type", "tier")
            return {key: value if key in kept else poisoned(value) for key, value in node.items()}
        if isinstance(node, list):
            return [poisoned(each) for each in node]
        return HOSTILE if isinstance(node, str) else node

    answer = poisoned(recorded(SAMPLE))
    card = answer["cards"][0]
    card["links"] = [{"label": HOSTILE, "url": "javascript:window.hit=1", "type": "absolute"}, *card["links"]]
    card["suggestions"] = [{"label": HOSTILE, "uuid": "1", "actions": [{"description": HOSTILE}]}]
    answer["extension"][ASSESSMENT]["rules"] = [HOSTILE, "CL-50"]
    page.route("**/cds-services/*", lambda route: route.fulfill(json=answer))
    for look in ("generic", "epic", "oracle"):
        choose(page, SAMPLE)
        page.click(f".segments label:has(input[value={look}])")
        for details in page.locator("#cards details:not([open]) > summary").all():
            details.click()
        page.wait_for_timeout(200)
        assert page.evaluate("window.hit") is None
        assert (
            page.locator("#cards img, #cards iframe, #cards style, #cards svg, #explained img, #explained svg").count()
            == 0
        )
        assert page.locator("a[href^='javascript' i]").count() == 0
        assert page.locator("main [onerror], main [onload], main [style]").count() == 0
    assert "<img src=x" in page.inner_text("#cards .summary")


def test_a_hostile_chart_stays_text_through_the_real_service(browse: Browse) -> None:
    page = browse("/playground")
    choose(page, SAMPLE)
    page.click("#tab-request")
    request = json.loads(page.input_value("#request"))
    for entry in request["prefetch"]["observations-calcium"]["entry"]:
        entry["resource"]["valueQuantity"]["unit"] = entry["resource"]["valueQuantity"]["code"] = HOSTILE
    for entry in request["prefetch"]["conditions"]["entry"]:
        entry["resource"]["code"]["text"] = HOSTILE
        entry["resource"]["code"]["coding"][0]["display"] = HOSTILE
    page.fill("#request", json.dumps(request))
    with page.expect_response("**/cds-services/*") as got:
        page.click("text=Fire the hook")
    assert got.value.status == 200
    page.wait_for_timeout(200)
    assert page.evaluate("window.hit") is None
    assert page.locator("#cards img, #cards iframe, #cards style, #explained img").count() == 0


def test_the_way_to_a_card_can_be_gone_by_keyboard(browse: Browse) -> None:
    page = browse("/playground")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "healthy"
    page.keyboard.press("Tab")
    with page.expect_response("**/cds-services/*"):
        page.keyboard.press("Enter")
    page.wait_for_selector("#cards .card")
    page.focus("#tab-values")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-request"
    assert page.is_visible("#request")
    page.keyboard.press("ArrowLeft")
    page.focus("#phosphate-value")
    page.keyboard.press("Control+A")
    page.keyboard.type("9.9")
    with page.expect_response("**/cds-services/*") as got:
        page.keyboard.press("Enter")
    assert got.value.json()["extension"][ASSESSMENT]["product"]["phosphate"]["value"] == 9.9


@pytest.mark.parametrize("width", [360, 768, 1100, 1440])
def test_no_width_makes_the_page_scroll_sideways(browse: Browse, width: int) -> None:
    page = browse("/playground", width=width)
    choose(page, SAMPLE)
    assert overflow(page) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("look", ["generic", "epic", "oracle"])
def test_axe_finds_nothing(browser: Any, service: str, scheme: str, look: str) -> None:
    def prepare(page: Any) -> None:
        choose(page, SAMPLE)
        page.click(f".segments label:has(input[value={look}])")

    assert violations(browser, f"{service}/playground", prepare, color_scheme=scheme) == []


# ---- a FHIR server of the user's -------------------------------------------------------------------------------------


class FhirServer(BaseHTTPRequestHandler):
    """Answers searches of one sample's resources; Observations by code, so that wrong templates find nothing."""

    asked: list[str] = []  # noqa: RUF012  of the whole server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.asked.append(parts.path)
        kind, query = parts.path.removeprefix("/fhir/").split("/")[0], parse_qs(parts.query)
        prefetch = json.loads((EXAMPLES / SAMPLE / "request.json").read_text())["prefetch"]
        if kind == "Patient":
            return self.give(prefetch["patient"])
        if kind == "Encounter":
            return self.give(prefetch["encounter"])
        found = [e["resource"] for v in prefetch.values() if v.get("entry") for e in v["entry"]]
        codes = {each.split("|")[-1] for each in query.get("code", [""])[0].split(",")}
        kept = [r for r in found if r["resourceType"] == kind and (kind != "Observation" or self.code(r) in codes)]
        entries = [{"resource": each} for each in kept]
        return self.give({"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries})

    @staticmethod
    def code(resource: Any) -> str:
        return str(resource["code"]["coding"][0]["code"])

    def give(self, resource: Any) -> None:
        body = json.dumps(resource).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def fhir_server() -> Iterator[str]:
    FhirServer.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), FhirServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/fhir"
        server.shutdown()


def test_the_page_plays_the_ehr_for_a_server_of_this_machine(browse: Browse, fhir_server: str) -> None:
    page = browse("/playground", expected="404")
    page.click("#tab-server")
    page.fill("#server", fhir_server)
    page.fill("#server-patient", f"example-{SAMPLE}")
    page.fill("#server-encounter", "example-encounter")
    with page.expect_response("**/cds-services/*") as got:
        page.click("text=Read and fire")
    card = got.value.json()["cards"][0]
    page.wait_for_selector("#cards .summary")
    assert page.inner_text("#cards .summary") == card["summary"]
    sent = json.loads(got.value.request.post_data)
    assert sent["fhirServer"] == fhir_server
    assert len(FhirServer.asked) == len(sent["prefetch"])
    product = got.value.json()["extension"][ASSESSMENT]["product"]
    assert product["value"] == recorded(SAMPLE)["extension"][ASSESSMENT]["product"]["value"]


def test_a_server_that_may_not_be_read_is_explained(browse: Browse) -> None:
    page = browse("/playground", expected="403")
    page.click("#tab-server")
    page.fill("#server", "https://fhir.example.org/r4")
    page.fill("#server-patient", "p1")
    page.click("text=Read and fire")
    page.wait_for_function("document.querySelector('#server-status').textContent.includes('CDS_FHIR_SERVERS')")


def test_below_a_path_of_the_host_everything_is_found(browse: Browse) -> None:
    port = free_port()
    with serving(port, CDS_SANDBOX="true", CDS_PUBLIC_URL=f"http://127.0.0.1:{port}/cds") as url:
        page = browse(f"{url}/cds/playground")
        choose(page, SAMPLE)
        assert page.inner_text("#cards .summary") == recorded(SAMPLE)["cards"][0]["summary"]
        assert f"{url}/cds/cds-services/" in page.text_content("#curl")
        page.goto(page.get_attribute("#cards a[href*='/app?look=']", "href"))
        assert page.url.startswith(f"{url}/cds/app")
        page.wait_for_selector("svg")
        page.click("nav >> text=Knowledge")
        assert page.url == f"{url}/cds/knowledge"
