"""The operations page in a browser, over the journal of a real service."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cds_service.storage.engine import engine_of
from cds_service.storage.schema import feedback
from tests.e2e.conftest import overflow, serving, violations

pytestmark = pytest.mark.e2e


def test_what_was_fired_is_counted_and_axe_finds_nothing(browser: Any, tmp_path: Path) -> None:
    with serving(CDS_SANDBOX="true", CDS_DATABASE_URL=f"sqlite:///{tmp_path}/journal.sqlite3") as url:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(f"{url}/playground")
        for sample in ("product-just-above-70", "healthy", "dialysis-55-to-70"):
            with page.expect_response("**/cds-services/*"):
                page.click(f"button[value={sample}]")
        page.wait_for_timeout(1500)  # the journal writes in the background
        page.goto(f"{url}/ops")
        assert page.inner_text(".facts div:has(dt:text-is('Calls')) dd") == "3"
        last = page.locator(".weeks tbody tr").last.locator("td.number").all_inner_texts()
        assert last == ["1", "0", "1", "1"]
        assert violations(browser, f"{url}/ops") == []
        page.set_viewport_size({"width": 360, "height": 800})
        assert overflow(page) <= 0
        with page.expect_download() as got:
            page.click("text=CSV")
        assert "calls by rule" in Path(got.value.path()).read_text()
        context.close()


def test_what_a_user_answers_in_the_playground_is_in_the_store_and_on_the_page(browser: Any, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/journal.sqlite3"
    with serving(CDS_SANDBOX="true", CDS_DATABASE_URL=database) as url:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(f"{url}/playground")
        shown = choose(page, "product-just-above-70")
        page.fill("#cards input[aria-label^=Comment]", "seen on the ward")
        page.select_option("#cards select[aria-label=Reason]", label="Patient declines")
        page.click("#cards button:text-is('Override')")
        page.wait_for_selector("#cards .status:has-text('Feedback taken: overridden')")
        removable = choose(page, "order-calcium-and-calcitriol")
        page.click("#cards .suggestion:has-text('Calcitriol') button")
        page.wait_for_selector("#cards .status:has-text('Feedback taken: accepted')")
        with engine_of(database, reads=True, pooled=False).connect() as connection:
            kept = connection.execute(sa.select(feedback).order_by(feedback.c.id)).mappings().all()
        assert [(row["card"], row["outcome"], row["reason"], row["commented"]) for row in kept] == [
            (shown["uuid"], "overridden", "patient-refuses", True),
            (removable["uuid"], "accepted", None, False),
        ]
        calcitriol = next(each["uuid"] for each in removable["suggestions"] if "Calcitriol" in each["label"])
        assert kept[1]["suggestions"] == [calcitriol]
        page.wait_for_timeout(1500)  # the journal writes in the background
        page.goto(f"{url}/ops")
        levels = page.get_by_role("region", name="What became of the cards").locator("tbody tr").all_inner_texts()
        assert [row.split() for row in levels] == [
            ["critical", "1", "0", "1", "0", "0", "0"],
            ["warning", "1", "1", "0", "0", "0", "0"],
        ]
        reasons = page.get_by_role("region", name="Why cards were overridden").locator("tbody tr").all_inner_texts()
        assert [row.split("\t") for row in reasons] == [["Patient declines", "1"]]
        page.click("text=OT-2")
        assert "OT-2" in page.inner_text("h1")
        context.close()


def choose(page: Any, sample: str) -> Any:
    """Open a chart and return the card that came."""
    with page.expect_response("**/cds-services/*") as got:
        page.click(f"button[value={sample}]")
    page.wait_for_selector("#cards .card")
    return got.value.json()["cards"][0]
