"""Reading a hook request: what is taken, and the whole text of every refusal."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from cds_service.fhir import shapes
from cds_service.hooks.refusal import HookError
from cds_service.hooks.request import HookRequest, read_request

HOOK = "patient-view"
CLOCK = "org.calcinosis-cds.evaluation-time"
EXPLAIN = "org.calcinosis-cds.explain"
AUTHORIZATION = {
    "access_token": "secret-token",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": "calcinosis",
}


def call(**changes: object) -> dict[str, object]:
    body: dict[str, object] = {
        "hook": HOOK,
        "hookInstance": "7d4c0cf2-6f2b-4a0e-9a53-0c7b9f3c9a10",
        "context": {"userId": "Practitioner/p1", "patientId": "x1"},
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not ...}


def context(**changes: object) -> dict[str, object]:
    whole = {"userId": "Practitioner/p1", "patientId": "x1", **changes}
    return {"context": {name: value for name, value in whole.items() if value is not ...}}


def read(body: object, *, sandbox: bool = True) -> HookRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_request(data, HOOK, sandbox=sandbox)


def refused(body: object, *, sandbox: bool = True) -> HookError:
    with pytest.raises(HookError) as caught:
        read(body, sandbox=sandbox)
    return caught.value


# ---- what is taken ---------------------------------------------------------------------------------------------------


def test_the_three_required_members_are_enough() -> None:
    request = read(call())
    assert (request.hook, request.user_id, request.patient_id) == (HOOK, "Practitioner/p1", "x1")
    assert request.hook_instance == "7d4c0cf2-6f2b-4a0e-9a53-0c7b9f3c9a10"
    assert request.prefetch == {}
    assert (request.encounter_id, request.fhir_server, request.fhir_authorization) == (None, None, None)
    assert (request.explain, request.evaluation_time) == (False, None)


def test_prefetched_resources_stay_as_they_came() -> None:
    body = b'{"prefetch": {"patient": {"id" : 7.10}, "none": null}, ' + json.dumps(call()).encode()[1:]
    request = read(body)
    raw = {key: bytes(raw) for key, raw in request.prefetch.items() if isinstance(raw, msgspec.Raw)}
    assert raw == {"patient": b'{"id" : 7.10}', "none": b"null"}


FITTING: dict[str, object] = {
    "patient": {"resourceType": "Patient", "id": "x1"},
    "observations": {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation", "id": "o1"}}]},
    "none": None,
}


def test_resources_that_fit_their_shapes_are_decoded_in_the_same_pass() -> None:
    given = read(call(prefetch=FITTING)).prefetch
    bundle = given["observations"]
    assert isinstance(given["patient"], shapes.Patient)
    assert isinstance(bundle, shapes.Bundle)
    assert [entry.resource.id for entry in bundle.entry or () if entry.resource is not None] == ["o1"]
    assert given["none"] is None


@pytest.mark.parametrize("odd", [{"resourceType": "Nonsense"}, {"resourceType": "Patient", "id": 7}, 7, [[]], {}])
def test_one_that_does_not_fit_leaves_all_undecoded(odd: object) -> None:
    given = read(call(prefetch={**FITTING, "odd": odd})).prefetch
    assert {key: json.loads(bytes(raw)) for key, raw in given.items() if isinstance(raw, msgspec.Raw)} == {
        **FITTING,
        "odd": odd,
    }


def test_nothing_is_decoded_where_the_raw_resources_are_wanted() -> None:
    request = read_request(json.dumps(call(prefetch=FITTING)).encode(), HOOK, sandbox=True, keep_raw=True)
    assert all(isinstance(raw, msgspec.Raw) for raw in request.prefetch.values())


@pytest.mark.parametrize("kind", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_every_kind_of_user_of_patient_view_is_taken(kind: str) -> None:
    assert read(call(**context(userId=f"{kind}/a-1.b_2"))).user_id == f"{kind}/a-1.b_2"


@pytest.mark.parametrize("patient_id", ["1", "A.b-9", "under_score", "x" * 128])
def test_ids_of_real_sites_are_taken(patient_id: str) -> None:
    assert read(call(**context(patientId=patient_id))).patient_id == patient_id


@pytest.mark.parametrize("nothing", [..., None, ""])
def test_an_encounter_that_is_not_named_is_none(nothing: object) -> None:
    assert read(call(**context(encounterId=nothing))).encounter_id is None


def test_unknown_members_and_extensions_are_ignored() -> None:
    body = call(new=[1], extension={"com.example": {"a": 1}}, **context(extension={"b": 2}, more=None))
    assert read(body).patient_id == "x1"


def test_the_last_of_two_equal_names_counts() -> None:
    body = json.dumps(call()).encode()[:-1] + b', "context": {"userId": "Patient/x2", "patientId": "x2"}}'
    assert read(body).patient_id == "x2"


def test_null_for_an_optional_member_means_that_it_is_not_there() -> None:
    request = read(call(prefetch=None, fhirServer=None, fhirAuthorization=None, extension=None))
    assert (request.prefetch, request.fhir_server, request.fhir_authorization) == ({}, None, None)


@pytest.mark.parametrize(("given", "explain"), [(True, True), (False, False)])
def test_the_caller_may_ask_for_the_assessment(given: bool, explain: bool) -> None:
    assert read(call(extension={EXPLAIN: given})).explain is explain


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-12T10:30:00+02:00", datetime(2026, 10, 12, 10, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-10-12T10:30:00.5Z", datetime(2026, 10, 12, 10, 30, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_the_sandbox_takes_the_clock_of_the_caller(text: str, instant: datetime) -> None:
    assert read(call(extension={CLOCK: text})).evaluation_time == instant


@pytest.mark.parametrize("text", ["2026-10-12T10:30:00+02:00", "nonsense", 7])
def test_outside_the_sandbox_the_clock_of_the_caller_is_ignored(text: object) -> None:
    assert read(call(extension={CLOCK: text}), sandbox=False).evaluation_time is None


def test_the_token_is_kept_for_the_call_but_never_printed() -> None:
    request = read(call(fhirServer="https://ehr.example.org/fhir", fhirAuthorization=AUTHORIZATION))
    assert request.fhir_authorization is not None
    assert request.fhir_authorization.access_token == "secret-token"  # noqa: S105  made up
    assert "secret-token" not in repr(request) + repr(request.fhir_authorization)


def test_an_open_server_needs_no_token() -> None:
    assert read(call(fhirServer="http://127.0.0.1:8080/fhir/")).fhir_server == "http://127.0.0.1:8080/fhir/"


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "diagnostics"),
    [
        (b"", "The body is empty; expected a hook request as a JSON object."),
        (b" \n ", "The body is empty; expected a hook request as a JSON object."),
        (b'{"hook":\n "x",}', "The body is not JSON: trailing comma in object at byte 14 (line 2, column 6)."),
        (b'{"a": NaN}', "The body is not JSON: invalid character at byte 6 (line 1, column 7)."),
        (
            b'{"prefetch": {"p": {"v": Infinity}}}',
            "The body is not JSON: invalid character at byte 25 (line 1, column 26).",
        ),
        (b'{"a": 01}', "The body is not JSON: invalid number at byte 7 (line 1, column 8)."),
        (b'{"a": "\x00"}', "The body is not JSON: invalid character at byte 7 (line 1, column 8)."),
        (b"{} {}", "The body is not JSON: trailing characters at byte 4 (line 1, column 5)."),
        (
            b'{"hook": "pat',
            "The body is not JSON: it ends too early, or a string holds half of a surrogate pair (\\ud800 to \\udfff).",
        ),
        (
            b'{"hook": "\\ud800"}',
            "The body is not JSON: it ends too early, or a string holds half of a surrogate pair (\\ud800 to \\udfff).",
        ),
        (b"\xef\xbb\xbf{}", "The body starts with a byte order mark; expected JSON in UTF-8 without one."),
        ('{"hook": "x"}'.encode("utf-16"), "The body is UTF-16; expected JSON in UTF-8."),
        (b'{"a": "\xe4"}', "The body is not UTF-8 near byte 7 (line 1, column 8); expected JSON in UTF-8."),
        (
            b'{"prefetch": {"p": "\xff"}}',
            "The body is not UTF-8 near byte 20 (line 1, column 21); expected JSON in UTF-8.",
        ),
        (b"[1]", "The body is an array; expected an object."),
        (b"null", "The body is null; expected an object."),
        (b'"text"', "The body is a string; expected an object."),
        (b"[" * 100_000, "The body is an array; expected an object."),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The body is nested too deeply to be a hook request."),
        (
            b'{"prefetch": {"p": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}}",
            "The body is nested too deeply to be a hook request.",
        ),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_place(body: bytes, diagnostics: str) -> None:
    error = refused(body)
    assert (error.status, error.code, error.diagnostics, error.expression) == (400, "structure", diagnostics, ())


def test_bad_utf8_is_found_behind_the_first_slice() -> None:
    body = b'{"hook": "' + "ä".encode() * 600_000 + b"\xff" + b'"}'
    assert refused(body).diagnostics.startswith("The body is not UTF-8 near byte 120001")


@pytest.mark.parametrize(
    ("changes", "place", "diagnostics"),
    [
        ({"hook": 7}, "hook", "hook is an integer; expected a string."),
        ({"hook": None}, "hook", "hook is null; expected a string."),
        ({"hookInstance": ["a"]}, "hookInstance", "hookInstance is an array; expected a string."),
        ({"context": "x1"}, "context", "context is a string; expected an object."),
        (context(patientId=4711), "context.patientId", "context.patientId is an integer; expected a string."),
        (context(userId={"a": 1}), "context.userId", "context.userId is an object; expected a string."),
        (context(encounterId=1.5), "context.encounterId", "context.encounterId is a number; expected a string."),
        ({"prefetch": []}, "prefetch", "prefetch is an array; expected an object."),
        ({"extension": []}, "extension", "extension is an array; expected an object."),
        ({"fhirServer": True}, "fhirServer", "fhirServer is true or false; expected a string."),
        ({"fhirAuthorization": "t"}, "fhirAuthorization", "fhirAuthorization is a string; expected an object."),
    ],
)
def test_a_wrong_type_is_refused_with_place_kind_and_expectation(
    changes: dict[str, object], place: str, diagnostics: str
) -> None:
    error = refused(call(**changes))
    assert (error.status, error.code, error.expression, error.diagnostics) == (400, "structure", (place,), diagnostics)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, ("hook", "hookInstance", "context", "context.userId", "context.patientId")),
        (call(hook=...), ("hook",)),
        (call(hookInstance=...), ("hookInstance",)),
        (call(context=...), ("context", "context.userId", "context.patientId")),
        (call(context={}), ("context.userId", "context.patientId")),
        (call(**context(userId=...)), ("context.userId",)),
        (call(**context(patientId=...)), ("context.patientId",)),
    ],
)
def test_all_that_is_missing_is_named_at_once(body: object, missing: tuple[str, ...]) -> None:
    error = refused(body)
    assert (error.status, error.code, error.expression) == (400, "required", missing)
    assert error.diagnostics == f"Missing: {', '.join(missing)}."


USER = "Type/id with one of Practitioner, PractitionerRole, Patient, RelatedPerson."
PATIENT = "the bare id of a Patient (letters, digits, - . _)."


@pytest.mark.parametrize(
    ("changes", "place", "diagnostics"),
    [
        ({"hook": "order-sign"}, "hook", 'hook is "order-sign"; this service expects "patient-view".'),
        ({"hook": "Mrs Doe <b>"}, "hook", 'hook is no hook name; this service expects "patient-view".'),
        ({"hook": ""}, "hook", 'hook is no hook name; this service expects "patient-view".'),
        (
            {"hookInstance": "not-a-uuid"},
            "hookInstance",
            "hookInstance is a string of 10 characters that does not fit; expected a UUID.",
        ),
        (
            context(userId="p1"),
            "context.userId",
            f"context.userId is a string of 2 characters that does not fit; expected {USER}",
        ),
        (
            context(userId="Device/d1"),
            "context.userId",
            f"context.userId is a string of 9 characters that does not fit; expected {USER}",
        ),
        (
            context(patientId="Patient/x1"),
            "context.patientId",
            f"context.patientId is a string of 10 characters that does not fit; expected {PATIENT}",
        ),
        (
            context(patientId=""),
            "context.patientId",
            f"context.patientId is an empty string that does not fit; expected {PATIENT}",
        ),
        (
            context(patientId=".."),
            "context.patientId",
            f"context.patientId is a string of 2 characters that does not fit; expected {PATIENT}",
        ),
        (
            context(encounterId="e 1"),
            "context.encounterId",
            "context.encounterId is a string of 3 characters that does not fit; "
            "expected the bare id of an Encounter (letters, digits, - . _).",
        ),
        (
            {"extension": {EXPLAIN: "yes"}},
            f"extension.{EXPLAIN}",
            f"extension.{EXPLAIN} is not a boolean; expected true or false.",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_repeating_it(
    changes: dict[str, object], place: str, diagnostics: str
) -> None:
    error = refused(call(**changes))
    assert (error.status, error.code, error.expression, error.diagnostics) == (400, "value", (place,), diagnostics)


@pytest.mark.parametrize(
    "patient_id", ["x/1", "x?1", "x#1", "x%2F1", "x\n1", "x\u202e1", "x\x001", "ä", "x" * 129, "."]
)
def test_an_id_cannot_bend_a_url(patient_id: str) -> None:
    assert refused(call(**context(patientId=patient_id))).expression == ("context.patientId",)


@pytest.mark.parametrize(
    "value",
    [
        "2026-10-12",
        "2026-10-12T10:30:00",
        "2026-10-12T10:30Z",
        "2026-02-30T10:30:00Z",
        "2026-10-12T25:00:00Z",
        "2026-10-12T10:30:00+99:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "",
        1_760_000_000,
        None,
    ],
)
def test_a_broken_clock_is_refused_in_the_sandbox(value: object) -> None:
    error = refused(call(extension={CLOCK: value}))
    assert (error.status, error.code, error.expression) == (400, "value", (f"extension.{CLOCK}",))
    assert error.diagnostics.endswith(
        "expected a FHIR instant between 1900 and 2999 with seconds and zone, for instance 2026-10-12T10:30:00+02:00."
    )


def test_authorization_without_a_server_is_refused() -> None:
    error = refused(call(fhirAuthorization=AUTHORIZATION))
    assert (error.status, error.code, error.expression) == (400, "required", ("fhirServer",))
    assert error.diagnostics == "fhirAuthorization is given without fhirServer."


@pytest.mark.parametrize("name", sorted(AUTHORIZATION))
def test_authorization_needs_all_its_members(name: str) -> None:
    partial = {key: value for key, value in AUTHORIZATION.items() if key != name}
    error = refused(call(fhirServer="https://ehr.example.org/fhir", fhirAuthorization=partial))
    assert error.diagnostics == f"Missing: fhirAuthorization.{name}."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_token", ""),
        ("access_token", "two words"),
        ("access_token", "line\nbreak"),
        ("access_token", "ü"),
        ("access_token", None),
        ("access_token", ["secret-token"]),
        ("token_type", "Basic"),
        ("token_type", 1),
        ("expires_in", "300"),
        ("scope", None),
        ("subject", {}),
        ("patient", 7),
        ("patient", "../x"),
    ],
)
def test_broken_authorization_is_refused(name: str, value: object) -> None:
    body = call(fhirServer="https://ehr.example.org/fhir", fhirAuthorization=AUTHORIZATION | {name: value})
    error = refused(body)
    assert error.status == 400
    assert error.expression == (f"fhirAuthorization.{name}",)
    assert "secret-token" not in error.diagnostics


def test_an_integer_of_5000_digits_is_refused() -> None:
    body = call(fhirServer="https://ehr.example.org/fhir", fhirAuthorization=AUTHORIZATION)
    error = refused(json.dumps(body).replace("300", "9" * 5000).encode())
    assert (error.status, error.code) == (400, "value")
    assert error.diagnostics == "fhirAuthorization.expires_in: integer value out of range."


@pytest.mark.parametrize(
    "server",
    ["", "ehr.example.org", "ftp://ehr.example.org", "https://", "https://u:p@ehr.example.org", "https://e.org/a?b=c",
     "https://e.org/#a", "https://e.org\\@f.org", "https://e .org", "https://ë.org", "https://[::1", "https://e.org:99999"],
)  # fmt: skip
def test_a_server_that_is_no_plain_web_address_is_refused(server: str) -> None:
    error = refused(call(fhirServer=server))
    assert (error.status, error.code, error.expression) == (400, "value", ("fhirServer",))


def test_outside_the_sandbox_the_server_must_use_tls() -> None:
    error = refused(call(fhirServer="http://ehr.example.org/fhir"), sandbox=False)
    assert (error.status, error.code, error.expression) == (400, "security", ("fhirServer",))
    assert error.diagnostics == "fhirServer uses http; expected https outside the sandbox."
