"""From the bytes of a hook call to a HookRequest, or to a HookError that names the place and what was expected.

Knows: the envelope of CDS Hooks 2.0 and the two request extensions of the assessment contract.
Must not know: what stands inside the prefetched resources. They are decoded in the same pass, by the shapes of fhir/,
for a second pass over the body would cost as much again. When anything at all does not fit, the values stay undecoded
(msgspec.Raw) and fhir/ reads what can be read.

No message repeats a value of the request, for it could be an identifier or a token; hook names are the exception.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from cds_service.fhir import parts, shapes
from cds_service.hooks.refusal import HookError, check_utf8, malformed, wrong_type

EXPLAIN = "org.calcinosis-cds.explain"
EVALUATION_TIME = "org.calcinosis-cds.evaluation-time"
ORDER_SELECT, ORDER_SIGN = "order-select", "order-sign"
ORDER_HOOKS = (ORDER_SELECT, ORDER_SIGN)
USER_TYPES = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")

# this service asks for some twenty; a site may have a few of its own for other services
MOST_KEYS = 200

# FHIR allows letters, digits, - and . up to 64; real sites have _ and longer ids. Dots alone could bend a URL.
_ID_TEXT = r"(?!\.+\Z)[A-Za-z0-9._-]{1,128}"
_ID = re.compile(_ID_TEXT)
_UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_USER = re.compile(rf"({'|'.join(USER_TYPES)})/{_ID_TEXT}")
_INSTANT = re.compile(r"(19|2\d)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_HOOK_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
# the same forms for the OpenAPI document, whose expressions know no \Z
FORMS = {
    name: form.pattern.replace(r"\Z", "$")
    for name, form in {"id": _ID, "uuid": _UUID, "user": _USER, "token": _TOKEN, "instant": _INSTANT}.items()
}


@dataclass(frozen=True, slots=True)
class FhirAuthorization:
    """The EHR's permission to read from its FHIR server, for this call only. patient: the only one it is good for."""

    access_token: str = field(repr=False)
    patient: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HookRequest:
    """One checked call. It has no repr, because most of it identifies a person.

    draft_orders: as they came, empty for hooks without orders. selections: None where the hook has none.
    """

    hook: str
    hook_instance: str
    user_id: str
    patient_id: str
    encounter_id: str | None
    draft_orders: msgspec.Raw
    selections: tuple[str, ...] | None
    prefetch: dict[str, msgspec.Raw] | dict[str, shapes.Brought]
    fhir_server: str | None
    fhir_authorization: FhirAuthorization | None
    explain: bool
    evaluation_time: datetime | None


class _Context(msgspec.Struct, rename="camel"):
    user_id: str | UnsetType = UNSET
    patient_id: str | UnsetType = UNSET
    encounter_id: str | None = None
    draft_orders: msgspec.Raw = shapes.ABSENT
    selections: list[str] | None = None


class _Authorization(msgspec.Struct):
    access_token: str | UnsetType = UNSET
    token_type: str | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET
    scope: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    patient: str | None = None


P = TypeVar("P")


class _Envelope(msgspec.Struct, Generic[P], rename="camel"):
    hook: str | UnsetType = UNSET
    hook_instance: str | UnsetType = UNSET
    context: _Context | UnsetType = UNSET
    fhir_server: str | None = None
    fhir_authorization: _Authorization | None = None
    prefetch: dict[str, P] | None = None
    extension: dict[str, msgspec.Raw] | None = None


_AnyEnvelope = _Envelope[msgspec.Raw] | _Envelope[shapes.Brought]
_WHOLE: msgspec.json.Decoder[_Envelope[shapes.Brought]] = msgspec.json.Decoder(_Envelope[shapes.Brought])
_FRAME: msgspec.json.Decoder[_Envelope[msgspec.Raw]] = msgspec.json.Decoder(_Envelope[msgspec.Raw])


def read_request(body: bytes, hook: str, *, sandbox: bool, keep_raw: bool = False) -> HookRequest:
    """Read and check a call of a service that serves the hook.

    sandbox: whether the caller may set the clock and name a FHIR server without TLS.
    keep_raw: leave the prefetched values undecoded, for validation of the evidence.
    Source: CDS Hooks 2.0, "Calling a CDS Service".
    Raises: HookError.
    """
    envelope = _decoded(body, keep_raw=keep_raw)
    _check_complete(envelope, hook)
    if len(envelope.prefetch or ()) > MOST_KEYS:
        raise HookError(400, "too-costly", f"prefetch has more than {MOST_KEYS} keys.", ("prefetch",))
    context = envelope.context
    assert isinstance(context, _Context)  # noqa: S101  _check_complete has seen to it; this tells the type checker
    _check_hook(str(envelope.hook), hook)
    _check("hookInstance", str(envelope.hook_instance), _UUID, "a UUID")
    _check("context.userId", str(context.user_id), _USER, "Type/id with one of " + ", ".join(USER_TYPES))
    _check("context.patientId", str(context.patient_id), _ID, "the bare id of a Patient (letters, digits, - . _)")
    if context.encounter_id:  # null and "" are not allowed by the standard, but plainly mean "none"
        _check("context.encounterId", context.encounter_id, _ID, "the bare id of an Encounter (letters, digits, - . _)")
    extension = envelope.extension or {}
    return HookRequest(
        hook=hook,
        hook_instance=str(envelope.hook_instance),
        user_id=str(context.user_id),
        patient_id=str(context.patient_id),
        encounter_id=context.encounter_id or None,
        draft_orders=_draft_orders(context) if hook in ORDER_HOOKS else shapes.ABSENT,
        selections=tuple(context.selections or ()) if hook == ORDER_SELECT else None,
        prefetch=envelope.prefetch or {},
        fhir_server=_fhir_server(envelope, sandbox),
        fhir_authorization=_fhir_authorization(envelope),
        explain=_explain(extension.get(EXPLAIN)),
        evaluation_time=_evaluation_time(extension.get(EVALUATION_TIME)) if sandbox else None,
    )


def _decoded(body: bytes, *, keep_raw: bool) -> _AnyEnvelope:
    check_utf8(body)
    if not keep_raw:
        try:
            return _WHOLE.decode(body)
        except parts.UNREADABLE:
            pass  # the frame alone tells what is wrong with it; the rest is read by fhir/ as far as it goes
    try:
        return _FRAME.decode(body)
    except RecursionError:
        raise HookError(400, "structure", "The body is nested too deeply to be a hook request.") from None
    except msgspec.ValidationError as error:
        raise wrong_type(str(error)) from None
    except msgspec.DecodeError as error:
        raise HookError(400, "structure", malformed(body, str(error))) from None


def _check_complete(envelope: _AnyEnvelope, hook: str) -> None:
    context = envelope.context if isinstance(envelope.context, _Context) else _Context()
    required = {
        "hook": envelope.hook,
        "hookInstance": envelope.hook_instance,
        "context": envelope.context,
        "context.userId": context.user_id,
        "context.patientId": context.patient_id,
        **({"context.draftOrders": context.draft_orders or UNSET} if hook in ORDER_HOOKS else {}),
        **({"context.selections": UNSET if context.selections is None else ""} if hook == ORDER_SELECT else {}),
    }
    missing = tuple(place for place, value in required.items() if value is UNSET)
    if missing:
        raise HookError(400, "required", f"Missing: {', '.join(missing)}.", missing)


def _draft_orders(context: _Context) -> msgspec.Raw:
    """The drafts as they came; what is no object and no list is refused, for nothing in it could be an order."""
    if bytes(context.draft_orders)[:1] not in (b"{", b"["):
        place = "context.draftOrders"
        raise HookError(400, "structure", f"{place} is no object; expected a Bundle of draft orders.", (place,))
    return context.draft_orders


def _check_hook(hook: str, served: str) -> None:
    if hook != served:
        named = f'"{hook}"' if _HOOK_NAME.fullmatch(hook) else "no hook name"
        raise HookError(400, "value", f'hook is {named}; this service expects "{served}".', ("hook",))


def _check(place: str, value: str, pattern: re.Pattern[str], expected: str) -> None:
    if not pattern.fullmatch(value):
        raise _refused(place, value, expected)


def _refused(place: str, value: str, expected: str) -> HookError:
    seen = f"a string of {len(value)} characters" if value else "an empty string"
    return HookError(400, "value", f"{place} is {seen} that does not fit; expected {expected}.", (place,))


def _explain(raw: msgspec.Raw | None) -> bool:
    if raw is None:
        return False
    text = bytes(raw).strip()
    if text not in (b"true", b"false"):
        place = f"extension.{EXPLAIN}"
        raise HookError(400, "value", f"{place} is not a boolean; expected true or false.", (place,))
    return text == b"true"


def _evaluation_time(raw: msgspec.Raw | None) -> datetime | None:
    if raw is None:
        return None
    place = f"extension.{EVALUATION_TIME}"
    expected = "a FHIR instant between 1900 and 2999 with seconds and zone, for instance 2026-10-12T10:30:00+02:00"
    try:
        text = msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, RecursionError):
        raise HookError(400, "value", f"{place} is not a string; expected {expected}.", (place,)) from None
    instant = instant_of(text)
    if instant is None:
        raise _refused(place, text, expected)
    return instant


def instant_of(text: str) -> datetime | None:
    """The instant that an RFC 3339 text with seconds and zone means, None when it means none."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # the 31st of February, an hour of 25, an offset of a day
        return None


def is_uuid(text: str) -> bool:
    """Tell whether the text is a UUID as cards and hook instances have one."""
    return bool(_UUID.fullmatch(text))


def _fhir_server(envelope: _AnyEnvelope, sandbox: bool) -> str | None:
    server = envelope.fhir_server
    if server is None:
        if envelope.fhir_authorization is not None:
            raise HookError(400, "required", "fhirAuthorization is given without fhirServer.", ("fhirServer",))
        return None
    expected = "an absolute http or https URL without user name, query and fragment"
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not server.isascii() or any(mark in server for mark in "@?#\\ ") or not server.isprintable():
        raise _refused("fhirServer", server, expected)
    if parts.scheme == "http" and not sandbox:
        # CDS Hooks 2.0: "production environments SHALL use https"
        raise HookError(400, "security", "fhirServer uses http; expected https outside the sandbox.", ("fhirServer",))
    return server


def _fhir_authorization(envelope: _AnyEnvelope) -> FhirAuthorization | None:
    given = envelope.fhir_authorization
    if given is None:
        return None
    required = ("access_token", "token_type", "expires_in", "scope", "subject")
    missing = tuple(f"fhirAuthorization.{name}" for name in required if getattr(given, name) is UNSET)
    if missing:
        raise HookError(400, "required", f"Missing: {', '.join(missing)}.", missing)
    _check("fhirAuthorization.access_token", str(given.access_token), _TOKEN, "a token that fits into an HTTP header")
    if str(given.token_type).lower() != "bearer":
        raise _refused("fhirAuthorization.token_type", str(given.token_type), '"Bearer"')
    if given.patient:
        _check("fhirAuthorization.patient", given.patient, _ID, "the bare id of a Patient")
    return FhirAuthorization(access_token=str(given.access_token), patient=given.patient or None)
