"""The operations page in a browser, over the journal of a real service."""

from pathlib import Path
from typing import Any

import pytest

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
