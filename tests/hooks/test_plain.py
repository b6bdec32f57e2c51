"""Cards and responses as plain text for a terminal."""

from cds_service.hooks.plain import card_as_text, response_as_text
from tests.hooks.assessments import assessment, card, corrected

# ---- plain text


def test_a_card_is_a_box_of_eighty_columns() -> None:
    shown = card_as_text(card(assessment(product=corrected())))
    assert {len(line) for line in shown.split("\n")} == {80}
    assert shown.startswith("+-- CRITICAL ---")
    assert "- Phosphate: 7.3 mg/dL, high; 2026-10-09" in shown
    assert "| Result: Value; " in shown
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


def test_what_a_card_offers_is_told_with_its_actions_and_how_it_may_be_dismissed() -> None:
    remove = {
        "label": "Remove the draft order Calcitriol",
        "actions": [{"description": "Remove the draft order Calcitriol"}],
    }
    draw = {
        "label": "Order from one draw",
        "actions": [{"description": "Order calcium"}, {"description": "Order albumin"}],
    }
    shown = card_as_text(
        {"suggestions": [remove, draw], "overrideReasons": [{"code": "x", "display": "Already acted on"}]}
    )
    assert [line.strip("| ") for line in shown.split("\n") if "Order" in line or "Remove" in line] == [
        "- Remove the draft order Calcitriol",
        "- Order from one draw: Order calcium; Order albumin",
    ]
    assert "| - Already acted on" in shown
    assert {len(line) for line in shown.split("\n")} == {80}


def test_what_is_said_of_orders_stands_first_in_the_assessment() -> None:
    told = {
        "orderTier": "warning",
        "tier": "none",
        "orders": [{"reference": "MedicationRequest/draft-1", "rule": "OT-2"}],
        "ordersNotJudged": [{"reference": "MedicationRequest/draft-2", "reason": "not-coded"}],
    }
    shown = response_as_text({"cards": [], "extension": {"org.calcinosis-cds.assessment": told}})
    assert "  order tier:  warning\n  orders:      MedicationRequest/draft-1 (OT-2)\n" in shown
    assert "  not judged:  MedicationRequest/draft-2 (not-coded)\n  tier:        none\n" in shown
    assert "order" not in response_as_text(
        {"cards": [], "extension": {"org.calcinosis-cds.assessment": {"tier": "info"}}}
    )


def test_an_error_is_told_with_its_diagnostics() -> None:
    issue = {"severity": "error", "code": "required", "diagnostics": "no patient data"}
    assert response_as_text({"resourceType": "OperationOutcome", "issue": [issue]}) == "error: no patient data"


def test_chart_text_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in card_as_text({"summary": "\x1b[31mred", "detail": "\x07", "source": {"label": "\x9b"}})
