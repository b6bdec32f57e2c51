"""The feedback endpoint: what is taken, what is refused with its place, what is kept, and when the store is away."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.hooks.refusal import HookError
from cds_service.settings import read_settings
from cds_service.storage.engine import engine_of
from cds_service.storage.schema import feedback, shown_card
from cds_service.terminology.catalog import Catalog
from cds_service.trust.tenants import Tenant
from tests import builders
from tests.calls import ORDER_SIGN, PATIENT_VIEW, calcium, critical_call, draft, order_call, phosphate
from tests.conftest import NOW
from tests.storage.databases import sqlite_at

FEEDBACK = f"{PATIENT_VIEW}/feedback"
CARD = "3c2f0a54-9a1f-4d61-8f8f-0b6f2a7f7c01"
OTHER = "3c2f0a54-9a1f-4d61-8f8f-0b6f2a7f7c02"
SUGGESTION = "9d1a7f0e-5a51-4c6e-9a86-4f6a5f0f1d11"
AT = "2026-10-12T08:20:00Z"
Json = dict[str, Any]


def accepted(**changes: Any) -> Json:
    item = {
        "card": CARD,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": SUGGESTION}],
        "outcomeTimestamp": AT,
        **changes,
    }
    return {name: value for name, value in item.items() if value is not ...}


def overridden(**changes: Any) -> Json:
    item = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": AT, **changes}
    return {name: value for name, value in item.items() if value is not ...}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_at(tmp_path / "journal.sqlite3")


@pytest.fixture
def client_with(url: str, catalog: Catalog) -> Callable[..., FlaskClient]:
    def client_with(tenant: Tenant | None = None, **settings: object) -> FlaskClient:
        app = create_app(
            read_settings({}, sandbox=True, database_url=url, **settings),
            clock=lambda: NOW,
            catalog=catalog,
            admit=(lambda: tenant) if tenant else None,
        )
        return app.test_client()

    return client_with


@pytest.fixture
def client(client_with: Callable[..., FlaskClient]) -> FlaskClient:
    return client_with()


def send(client: FlaskClient, *items: object) -> Any:
    return client.post(FEEDBACK, json={"feedback": list(items)})


def kept(url: str) -> list[Json]:
    with engine_of(url, reads=True, pooled=False).connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(feedback).order_by(feedback.c.id)).mappings()]


def shown_in(client: FlaskClient, url: str) -> list[Json]:
    """The cards on record, once the journal has written them."""
    client.application.extensions["journal"].flush()
    with engine_of(url, reads=True, pooled=False).connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(shown_card).order_by(shown_card.c.id)).mappings()]


# ---- what is taken ---------------------------------------------------------------------------------------------------


def test_ch_97_98_an_accepted_suggestion_is_kept(client: FlaskClient, url: str) -> None:
    answer = send(client, accepted())
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})
    (row,) = kept(url)
    assert row == {
        "id": 1,
        "received_at": NOW.astimezone(UTC),
        "tenant": "default",
        "service": PATIENT_VIEW.rpartition("/")[2],
        "card": CARD,
        "outcome": "accepted",
        "outcome_at": datetime(2026, 10, 12, 8, 20, tzinfo=UTC),
        "suggestions": [SUGGESTION],
        "reason": None,
        "commented": False,
        "comment": None,
    }


REASONS: dict[str, tuple[Json, str | None, bool]] = {
    "none": ({}, None, False),
    "null": ({"overrideReason": None}, None, False),
    "empty": ({"overrideReason": {}}, None, False),
    "a code": ({"overrideReason": {"reason": {"code": "patient-refuses", "system": "s"}}}, "patient-refuses", False),
    "a comment": ({"overrideReason": {"userComment": "seen"}}, None, True),
    "both": ({"overrideReason": {"reason": {"code": "x1", "display": "X"}, "userComment": "seen"}}, "x1", True),
    "words for a code": ({"overrideReason": {"reason": {"code": "Mrs Doe says no"}}}, "other", False),
    "a reason without code": ({"overrideReason": {"reason": {"display": "no"}}}, "other", False),
    "Epic with a code": (
        {"overrideReasons": {"reason": {"code": "contraindicated", "system": "http: //e"}, "userComment": "t"}},
        "contraindicated",
        True,
    ),
    "Epic with its own": (
        {
            "overrideReasons": {
                "extension": {
                    "com.epic.cdshooks.feedback.overrideReason.reasonCategory": "45",
                    "com.epic.cdshooks.feedback.overrideReason.reasonDisplay": "Does not meet criteria",
                    "com.epic.cdshooks.feedback.overrideReason.reasonTitle": "Does not meet criteria",
                },
                "userComment": "t",
            }
        },
        "45",
        True,
    ),
    "Epic with a number": (
        {"overrideReasons": {"extension": {"com.epic.cdshooks.feedback.overrideReason.reasonCategory": 45}}},
        "45",
        False,
    ),
    "Epic with an object": (
        {"overrideReasons": {"extension": {"com.epic.cdshooks.feedback.overrideReason.reasonCategory": {"a": 1}}}},
        "other",
        False,
    ),
    "a list": (
        {"overrideReasons": [{"userComment": "t"}, {"reason": {"code": "a"}}, {"reason": {"code": "b"}}]},
        "a",
        True,
    ),
}


@pytest.mark.parametrize("form", REASONS)
def test_ch_99_100_a_reason_a_comment_both_or_neither_are_taken_in_the_standards_and_in_epics_shape(
    client: FlaskClient, url: str, form: str
) -> None:
    more, reason, commented = REASONS[form]
    assert send(client, overridden(**more)).status_code == 200
    (row,) = kept(url)
    assert (row["reason"], row["commented"], row["comment"]) == (reason, commented, None)


def test_rb_03_the_words_of_a_comment_are_kept_only_where_the_site_wants_them(
    client_with: Callable[..., FlaskClient], url: str
) -> None:
    reason = {"userComment": "asked\0the ward " + "x" * 5000}
    assert send(client_with(keep_comments=True), overridden(overrideReason=reason)).status_code == 200
    (row,) = kept(url)
    assert row["comment"] == ("askedthe ward " + "x" * 5000)[:2000]


def test_ch_101_rb_03_cards_of_any_calls_may_come_at_once_and_unknown_ones_are_kept(
    client: FlaskClient, url: str
) -> None:
    items = [overridden(card=f"3c2f0a54-9a1f-4d61-8f8f-{number:012d}") for number in range(2000)]
    assert send(client, *items).status_code == 200
    assert len(kept(url)) == 2000


@pytest.mark.parametrize("identity", ["123456", "Mrs Doe's card", "x" * 37, "\u00e4" * 200])
def test_ch_101_an_id_that_is_no_uuid_is_kept_as_a_uuid_made_of_it_once(
    client: FlaskClient, url: str, identity: str
) -> None:
    for _ in range(2):
        assert send(client, accepted(card=identity, acceptedSuggestions=[{"id": identity}])).status_code == 200
    (row,) = kept(url)
    assert UUID(row["card"]).version == 5
    assert row["suggestions"] == [row["card"]]
    assert send(client, overridden(card=identity + "!" if len(identity) < 200 else "!")).status_code == 200
    assert len({each["card"] for each in kept(url)}) == 2


def test_an_accepted_part_of_a_suggestion_is_one_that_was_shown(
    client_with: Callable[..., FlaskClient], url: str
) -> None:
    """Epic takes one action a suggestion, so that a draw of three tests goes out as three suggestions."""
    client = client_with(Tenant(name="north", profile="epic"))
    (card,) = client.post(PATIENT_VIEW, json=critical_call()).get_json()["cards"]
    ids = [each["uuid"] for each in card["suggestions"]]
    assert len(ids) == len(set(ids)) >= 3
    (shown,) = shown_in(client, url)
    assert shown["suggestions"] == ids
    last = accepted(card=card["uuid"], acceptedSuggestions=[{"id": ids[-1]}])
    assert send(client, last).status_code == 200
    (row,) = kept(url)
    assert (row["card"], row["suggestions"]) == (shown["uuid"], [ids[-1]])


def test_ch_102_the_same_card_may_come_again_and_counts_once_an_outcome_and_time(client: FlaskClient, url: str) -> None:
    later = overridden(outcomeTimestamp="2026-10-12T08:21:00Z")
    same_time = overridden(outcomeTimestamp="2026-10-12T10:20:00.000+02:00", card=CARD.upper())
    for batch in ([overridden()], [overridden(), overridden(), later], [same_time], [accepted()]):
        assert send(client, *batch).status_code == 200
    assert [(row["outcome"], row["outcome_at"].minute) for row in kept(url)] == [
        ("overridden", 20),
        ("overridden", 21),
        ("accepted", 20),
    ]


def test_two_clients_may_report_the_same_card_without_touching_each_other(
    client_with: Callable[..., FlaskClient], url: str
) -> None:
    for name in ("north", "south"):
        assert send(client_with(Tenant(name=name)), overridden()).status_code == 200
    assert [row["tenant"] for row in kept(url)] == ["north", "south"]


TIMES = {
    "2026-10-12T08:20:00Z": "08:20:00.000000",
    "2026-10-12T08:20:00.5Z": "08:20:00.500000",
    "2026-10-12T08:20:00.123456789Z": "08:20:00.123456",
    "2026-10-12T10:20:00+02:00": "08:20:00.000000",
    "2026-10-12T02:50:00-05:30": "08:20:00.000000",
}


@pytest.mark.parametrize("text", TIMES)
def test_ch_105_rfc_3339_times_are_understood(client: FlaskClient, url: str, text: str) -> None:
    assert send(client, overridden(outcomeTimestamp=text)).status_code == 200
    assert kept(url)[0]["outcome_at"].strftime("%H:%M:%S.%f") == TIMES[text]


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-10-12", "2026-10-12T08:20:00", "2026-02-30T08:20:00Z", "1760257200", "2026-10-12T08:20Z"],
)
def test_ch_105_other_times_are_refused(client: FlaskClient, url: str, text: str) -> None:
    answer = send(client, overridden(outcomeTimestamp=text))
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["expression"] == ["feedback[0].outcomeTimestamp"]
    assert kept(url) == []


def test_each_card_on_orders_is_on_record_under_its_own_rules(client: FlaskClient, url: str) -> None:
    thiazide = draft(builders.coding(builders.RXNORM, "310798"), id="draft-2")
    calcitriol = draft(builders.coding(builders.RXNORM, "308867"), id="draft-3")
    values = (calcium(12.4), phosphate(5.0))
    told = client.post(ORDER_SIGN, json=order_call(thiazide, calcitriol, observations=values)).get_json()
    shown = shown_in(client, url)
    assert [(row["uuid"], row["topic"]) for row in shown] == [
        (card["uuid"], card["source"]["topic"]["code"]) for card in told["cards"]
    ]
    assert [row["rules"] for row in shown] == [["OT-2", "OT-6"], ["OT-7"]]


# ---- what is refused -------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[object, str, str]] = {
    "no object": ([accepted()], "", "The body is an array; expected an object."),
    "no feedback": ({}, "feedback", "Missing: feedback, an array with an item for each outcome."),
    "no array": ({"feedback": accepted()}, "feedback", "feedback is an object; expected an array."),
    "nothing": ({"feedback": []}, "feedback", "feedback is an empty array; expected at least one item."),
    "no item": ({"feedback": [7]}, "feedback[0]", "feedback[0] is an integer; expected an object."),
    "no card": ({"feedback": [overridden(card=...)]}, "feedback[0].card", "feedback[0].card is missing."),
    "a number for a card": (
        {"feedback": [overridden(card=7)]},
        "feedback[0].card",
        "feedback[0].card is an integer; expected a string.",
    ),
    "an empty id": (
        {"feedback": [overridden(card="")]},
        "feedback[0].card",
        "feedback[0].card is an empty string; expected the id of a card, up to 200 printable characters.",
    ),
    "an id that is too long": (
        {"feedback": [overridden(card="1" * 201)]},
        "feedback[0].card",
        "feedback[0].card is a string of 201 characters that does not fit; expected the id of a card, up to 200 "
        "printable characters.",
    ),
    "a control character in an id": (
        {"feedback": [overridden(card="12\u00003456")]},
        "feedback[0].card",
        "feedback[0].card is a string of 7 characters that does not fit; expected the id of a card, up to 200 "
        "printable characters.",
    ),
    "no outcome": ({"feedback": [overridden(outcome=...)]}, "feedback[0].outcome", "feedback[0].outcome is missing."),
    "ignored": (
        {"feedback": [overridden(outcome="ignored")]},
        "feedback[0].outcome",
        "feedback[0].outcome is a string of 7 characters that does not fit; expected accepted or overridden.",
    ),
    "no time": (
        {"feedback": [overridden(outcomeTimestamp=...)]},
        "feedback[0].outcomeTimestamp",
        "feedback[0].outcomeTimestamp is missing.",
    ),
    "accepted nothing": (
        {"feedback": [accepted(acceptedSuggestions=[])]},
        "feedback[0].acceptedSuggestions",
        "feedback[0].acceptedSuggestions is missing or empty; expected the accepted suggestions.",
    ),
    "accepted without saying what": (
        {"feedback": [accepted(acceptedSuggestions=...)]},
        "feedback[0].acceptedSuggestions",
        "feedback[0].acceptedSuggestions is missing or empty; expected the accepted suggestions.",
    ),
    "a suggestion without id": (
        {"feedback": [accepted(acceptedSuggestions=[{}])]},
        "feedback[0].acceptedSuggestions[0].id",
        "feedback[0].acceptedSuggestions[0].id does not fit; expected the id of a suggestion, up to 200 printable "
        "characters.",
    ),
    "words for a reason": (
        {"feedback": [overridden(overrideReason="no")]},
        "feedback[0].overrideReason",
        "feedback[0].overrideReason is a string; expected an object.",
    ),
    "one good, one bad": (
        {"feedback": [overridden(), overridden(card=...)]},
        "feedback[1].card",
        "feedback[1].card is missing.",
    ),
}


@pytest.mark.parametrize("form", BROKEN)
def test_ch_103_104_broken_feedback_is_refused_with_its_place_and_nothing_is_kept(
    client: FlaskClient, url: str, form: str
) -> None:
    body, place, told = BROKEN[form]
    answer = client.post(FEEDBACK, json=body)
    assert answer.status_code == 400
    (issue,) = answer.get_json()["issue"]
    assert issue["diagnostics"].removeprefix("Nothing was kept. ") == told
    assert issue.get("expression", [""]) == [place]
    assert kept(url) == []


def test_all_bad_places_of_a_batch_are_told_up_to_twenty(client: FlaskClient) -> None:
    answer = send(client, *[overridden(card=...) for _ in range(25)])
    (issue,) = answer.get_json()["issue"]
    assert len(issue["expression"]) == 20
    assert issue["diagnostics"].endswith("feedback[19].card is missing. And 5 more.")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"feedback": [', b"\xff", b'{"feedback": ' + b"[" * 100_000, b'{"feedback": [{"card": "\\ud800"}]}'],
)
def test_bodies_that_are_no_json_are_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post(FEEDBACK, data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["resourceType"]) == (400, "OperationOutcome")


def test_more_items_than_fit_are_refused_with_413(client: FlaskClient) -> None:
    answer = client.post(FEEDBACK, data=b'{"feedback": [' + b"0," * 10_000 + b"0]}", content_type="application/json")
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (413, "too-long")


def test_rb_03_feedback_for_an_unknown_service_is_404(client: FlaskClient) -> None:
    answer = client.post("/cds-services/nothing/feedback", json={"feedback": [accepted()]})
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (404, "not-found")


def test_ch_111_feedback_of_a_stranger_is_refused_and_not_kept(url: str, catalog: Catalog) -> None:
    def nobody() -> Tenant:
        raise HookError(401, "login", "This service works for its registered clients only.")

    app = create_app(read_settings({}, sandbox=True, database_url=url), catalog=catalog, admit=nobody)
    assert send(app.test_client(), accepted()).status_code == 401
    assert kept(url) == []


def test_feedback_is_not_offered_where_nothing_is_kept(production: FlaskClient) -> None:
    answer = send(production, accepted())
    assert answer.status_code == 404
    assert "CDS_DATABASE_URL is empty" in answer.get_json()["issue"][0]["diagnostics"]


# ---- the store is away -----------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_503_with_the_time_to_try_again_and_nothing_is_lost_when_it_is_back(
    client: FlaskClient, url: str
) -> None:
    with engine_of(url, pooled=False).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback RENAME TO elsewhere")
    away = send(client, accepted())
    assert (away.status_code, away.headers["Retry-After"]) == (503, "30")
    assert away.get_json()["issue"][0]["code"] == "transient"
    with engine_of(url, pooled=False).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO feedback")
    assert send(client, accepted()).status_code == 200
    assert len(kept(url)) == 1
