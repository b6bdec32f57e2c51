"""Cards and responses as plain text for a terminal."""

from cds_service.hooks.plain import card_as_text, response_as_text
from tests.hooks.assessments import assessment, card, corrected

# ---- plain text


def test_a_card_is_a_box_of_eighty_columns() -> None:
    shown = card_as_text(card(assessment(product=corrected())))
    assert {len(line) for line in shown.split("\n")} == {80}
    assert shown.startswith("+-- CRITICAL ---")
    assert "- Phosphate: 7.3 mg/dL, high; 2026-10-09" in shown
    assert "**" not in shown


def test_no_card_is_told_as_looked_and_nothing_to_show() -> None:
    shown = response_as_text({"cards": []})
    assert "looked, nothing to show" in shown
    told = {
        "tier": "none",
        "product": {"value": 33.8, "bound": "exact", "freshness": "fresh"},
        "causes": [],
        "gaps": [],
    }
    shown = response_as_text({"cards": [], "extension": {"org.calcinosis-cds.assessment": told}})
    assert "tier:        none" in shown
    assert "33.8 mg2/dL2 (exact, fresh)" in shown


def test_an_error_is_told_with_its_diagnostics() -> None:
    issue = {"severity": "error", "code": "required", "diagnostics": "no patient data"}
    assert response_as_text({"resourceType": "OperationOutcome", "issue": [issue]}) == "error: no patient data"


def test_chart_text_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in card_as_text({"summary": "\x1b[31mred", "detail": "\x07", "source": {"label": "\x9b"}})
