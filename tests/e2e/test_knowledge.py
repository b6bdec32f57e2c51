"""The knowledge pages in a browser: whole without script, filtered with it."""

import re
from typing import Any

import pytest

from tests.e2e.conftest import Browse, overflow, violations

pytestmark = pytest.mark.e2e
PAGES = ["/knowledge", "/knowledge/rules/CL-50", "/knowledge/units", "/knowledge/hti-1", "/knowledge?q=phosphate"]


def test_the_table_of_units_is_filtered_while_one_types(browse: Browse) -> None:
    page = browse("/knowledge/units")
    rows = page.locator("tbody tr")
    page.fill("#filter", "phosphate mmol/l")
    shown = [row.inner_text() for row in rows.all() if row.is_visible()]
    assert 0 < len(shown) < rows.count()
    assert all("phosphate" in row and "mmol/l" in row.lower() for row in shown)
    assert page.inner_text("#filter-status") == f"{len(shown)} of {rows.count()} rows"


def test_the_pages_are_whole_without_script(browse: Browse) -> None:
    page = browse("/knowledge", java_script_enabled=False)
    page.fill("#q", "CL-50")
    page.click("button:has-text('Search')")
    page.click("table a:has-text('CL-50')")
    assert re.search(r"/knowledge/rules/CL-50$", page.url)
    assert "product above 70" in page.inner_text("main").lower()
    browse("/knowledge/units", java_script_enabled=False).wait_for_selector("tbody tr >> nth=500")


def test_from_the_explained_card_to_the_source_in_two_clicks(browse: Browse) -> None:
    page = browse("/playground")
    with page.expect_response("**/cds-services/*"):
        page.click("button[value=dialysis-rising-trend]")
    page.click("#explained a.rule-id:has-text('CL-50')")
    assert page.inner_text("h1") == "Rule CL-50"
    assert page.get_attribute("a:has-text('Calcinosis Cutis')", "href").startswith("https://")


@pytest.mark.parametrize("path", PAGES)
def test_no_width_makes_the_page_scroll_sideways(browse: Browse, path: str) -> None:
    for width in (360, 1000):
        assert overflow(browse(path, width=width)) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "/knowledge/export", "/knowledge/nothing"])
def test_axe_finds_nothing(browser: Any, service: str, path: str, scheme: str) -> None:
    assert violations(browser, service + path, color_scheme=scheme) == []
