"""From the bytes of a feedback call to the items that are kept, or to a HookError that names every place that is wrong.

Knows: the feedback of CDS Hooks 2.0, and Epic's (overrideReasons, with the reason in an extension).
Must not know: databases, Flask.

Kept is what counting needs: a code of a reason, never its display; of a comment that there was one, and its text only
where the site wants it, for people write of patients in it. No message repeats a value.
"""

import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from cds_service.hooks.refusal import HookError, check_utf8, malformed, wrong_type
from cds_service.hooks.request import instant_of, is_uuid
from cds_service.storage.records import FeedbackItem

OUTCOMES = ("accepted", "overridden")
MOST_ITEMS = 10_000
_MOST_TOLD = 20
_LONGEST_COMMENT = 2000
# what may be a code; anything else could be words about a patient
_CODE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
LONGEST_ID = 200
_AN_ID = f"up to {LONGEST_ID} printable characters"
_EPIC_REASON = "com.epic.cdshooks.feedback.overrideReason.reasonCategory"
OTHER_REASON = "other"
_TIME = "an RFC 3339 time with seconds and zone, for instance 2026-10-12T08:30:00Z"


class _Coding(msgspec.Struct):
    code: str | None = None


class _Reason(msgspec.Struct, rename="camel"):
    reason: _Coding | None = None
    user_comment: str | None = None
    extension: dict[str, msgspec.Raw] | None = None


class _Accepted(msgspec.Struct):
    id: str | UnsetType = UNSET


class _Item(msgspec.Struct, rename="camel"):
    card: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    outcome_timestamp: str | UnsetType = UNSET
    accepted_suggestions: list[_Accepted] | None = None
    override_reason: _Reason | None = None
    override_reasons: _Reason | list[_Reason] | None = None


class _Body(msgspec.Struct):
    feedback: list[msgspec.Raw] | UnsetType = UNSET


_BODY = msgspec.json.Decoder(_Body)
_ITEM = msgspec.json.Decoder(_Item)
_TEXT = msgspec.json.Decoder(str | int)
Problem = tuple[str, str]


def read_feedback(
    body: bytes, *, tenant: str, service: str, received: datetime, keep_comments: bool
) -> list[FeedbackItem]:
    """Read and check a feedback call; all of it is good, or nothing is kept.

    Source: CDS Hooks 2.0, "Feedback"; 3.0 draft, invariants cds-fb-1 to cds-fb-3.
    Raises: HookError.
    """
    items: list[FeedbackItem] = []
    problems: list[Problem] = []
    for number, raw in enumerate(_raw_items(body)):
        place = f"feedback[{number}]"
        item, found = _decoded(raw, place)
        problems += found or (_problems(item, place) if item else ())
        if item and not problems:
            items.append(_kept(item, tenant, service, received, keep_comments=keep_comments))
    if problems:
        told = problems[:_MOST_TOLD]
        more = f" And {len(problems) - len(told)} more." if len(problems) > len(told) else ""
        raise HookError(
            400,
            "value",
            "Nothing was kept. " + " ".join(f"{place} {what}." for place, what in told) + more,
            tuple(place for place, _ in told),
        )
    return items


def _raw_items(body: bytes) -> Sequence[msgspec.Raw]:
    check_utf8(body)
    try:
        items = _BODY.decode(body).feedback
    except RecursionError:
        raise HookError(400, "structure", "The body is nested too deeply to be feedback.") from None
    except msgspec.ValidationError as error:
        raise wrong_type(str(error)) from None
    except msgspec.DecodeError as error:
        raise HookError(400, "structure", malformed(body, str(error))) from None
    if isinstance(items, UnsetType):
        raise HookError(400, "required", "Missing: feedback, an array with an item for each outcome.", ("feedback",))
    if not items:
        raise HookError(400, "value", "feedback is an empty array; expected at least one item.", ("feedback",))
    if len(items) > MOST_ITEMS:
        raise HookError(
            413, "too-long", f"feedback has more than {MOST_ITEMS} items; send fewer at a time.", ("feedback",)
        )
    return items


def _decoded(raw: msgspec.Raw, place: str) -> tuple[_Item | None, Sequence[Problem]]:
    try:
        return _ITEM.decode(raw), ()
    except msgspec.ValidationError as error:
        refused = wrong_type(str(error))
        inner = "".join(f".{name}" for name in refused.expression)
        what = refused.diagnostics.removeprefix("The body").removeprefix(inner[1:]).strip().rstrip(".")
        return None, [(place + inner, what)]
    except (msgspec.DecodeError, RecursionError):
        return None, [(place, "cannot be read")]


def _problems(item: _Item, place: str) -> Iterator[Problem]:
    """What is wrong with the values of an item."""
    needed = {"card": item.card, "outcome": item.outcome, "outcomeTimestamp": item.outcome_timestamp}
    missing = [name for name, value in needed.items() if value is UNSET]
    yield from ((f"{place}.{name}", "is missing") for name in missing)
    if item.card is not UNSET and not _is_id(str(item.card)):
        yield f"{place}.card", f"is {_kind(str(item.card))}; expected the id of a card, {_AN_ID}"
    if item.outcome is not UNSET and item.outcome not in OUTCOMES:
        yield f"{place}.outcome", f"is {_kind(str(item.outcome))}; expected {' or '.join(OUTCOMES)}"
    if item.outcome_timestamp is not UNSET and instant_of(str(item.outcome_timestamp)) is None:
        yield f"{place}.outcomeTimestamp", f"is {_kind(str(item.outcome_timestamp))}; expected {_TIME}"
    if item.outcome == "accepted" and not item.accepted_suggestions:
        yield f"{place}.acceptedSuggestions", "is missing or empty; expected the accepted suggestions"
    for number, accepted in enumerate(item.accepted_suggestions or ()):
        if accepted.id is UNSET or not _is_id(str(accepted.id)):
            yield (
                f"{place}.acceptedSuggestions[{number}].id",
                f"does not fit; expected the id of a suggestion, {_AN_ID}",
            )


def _kind(text: str) -> str:
    return f"a string of {len(text)} characters that does not fit" if text else "an empty string"


def _is_id(text: str) -> bool:
    return 0 < len(text) <= LONGEST_ID and text.isprintable()


def _id_kept(text: str) -> str:
    """An id as it is kept: what is no uuid is none of ours and could be words, so a uuid made of it stands for it."""
    return text.lower() if is_uuid(text) else str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:calcinosis-cds:foreign:{text}"))


def _kept(item: _Item, tenant: str, service: str, received: datetime, *, keep_comments: bool) -> FeedbackItem:
    """The item as it is stored; it has no problems."""
    at = instant_of(str(item.outcome_timestamp))
    assert at is not None  # noqa: S101  _problems has seen to it; this tells the type checker
    reasons = _reasons(item) if item.outcome == "overridden" else ()
    comments = [reason.user_comment for reason in reasons if reason.user_comment]
    return FeedbackItem(
        received_at=received,
        tenant=tenant,
        service=service,
        card=_id_kept(str(item.card)),
        outcome=str(item.outcome),
        outcome_at=at,
        suggestions=tuple(_id_kept(str(each.id)) for each in item.accepted_suggestions or ()),
        reason=next((code for reason in reasons if (code := _code(reason))), None),
        commented=bool(comments),
        comment=comments[0].replace("\0", "")[:_LONGEST_COMMENT] if comments and keep_comments else None,
    )


def _reasons(item: _Item) -> tuple[_Reason, ...]:
    """The reasons in the standard's and in Epic's member."""
    epic = item.override_reasons
    several = tuple(epic) if isinstance(epic, list) else (epic,) if epic else ()
    return ((item.override_reason,) if item.override_reason else ()) + several


def _code(reason: _Reason) -> str | None:
    """The code of a reason: the one that we offered, or the category of the EHR's own; None when there is none."""
    code = reason.reason.code if reason.reason else None
    raw = (reason.extension or {}).get(_EPIC_REASON)
    if not code and raw is not None:
        try:
            code = str(_TEXT.decode(raw))
        except (msgspec.DecodeError, RecursionError):
            return OTHER_REASON
    if not code:
        return OTHER_REASON if reason.reason else None
    return code if _CODE.fullmatch(code) else OTHER_REASON
