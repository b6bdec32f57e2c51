"""/playground: plays the EHR with synthetic patients, or with a FHIR server that may be read. In sandbox mode only.

Knows: what the page offers to choose from, how prefetch templates are filled from a server.
Must not know: how a call is decided; the page fires the real endpoint.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from flask import Blueprint, Response, request

from cds_service.fhir.gather import Fetch, Fetched, query_for
from cds_service.hooks.refusal import HookError
from cds_service.hooks.request import HookRequest, read_request
from cds_service.hooks.services import Service
from cds_service.hooks.wording.texts import rule_words
from cds_service.pages.render import Renderer
from cds_service.pages.samples import Sample, read_json
from cds_service.terminology import codes, layout
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.content import Content

PATIENT_VIEW: Final = "patient-view"
_LABS: Final = (("calcium", "ca_total", ("mg/dL", "mmol/L")), ("phosphate", "phosphate", ("mg/dL", "mmol/L")))
_ALBUMIN: Final = ("albumin", "albumin", ("g/dL", "g/L"))
_LOINC: Final = "http://loinc.org"
_NOT_ALLOWED: Final = (
    "This service may not read that server. Servers of this machine can always be read in sandbox mode; others must be "
    "named at the start: CDS_FHIR_SERVERS=https://... make run"
)
FetchFor = Callable[[HookRequest], Fetch | None]


class _Wish(msgspec.Struct, rename="camel"):
    """What the page sends to have a request filled."""

    fhir_server: str
    patient_id: str
    encounter_id: str = ""


def blueprint(
    render: Renderer,
    samples: Sequence[Sample],
    services: Sequence[Service],
    fetch_for: FetchFor,
    new_id: Callable[[], str],
    setup: Callable[[], Mapping[str, object]],
) -> Blueprint:
    """The routes of the playground. setup: what the page needs to know, made on first use."""
    routes = Blueprint("playground", __name__)
    by_id = {sample.id: sample for sample in samples}
    groups = (
        ("A chart is opened", [sample for sample in samples if sample.hook == PATIENT_VIEW]),
        ("An order is placed", [sample for sample in samples if sample.hook != PATIENT_VIEW]),
    )
    service = next(each for each in services if each.hook == PATIENT_VIEW)

    @routes.get("/playground")
    def playground() -> Response:
        return render.page("playground.html", here="/playground", samples=samples, groups=groups, setup=setup())

    @routes.get("/playground/patients/<name>")
    def patient(name: str) -> Response:
        sample = by_id.get(name)
        if sample is None:
            raise HookError(404, "not-found", "There is no sample patient of this name.")
        return _json(read_json(sample))

    @routes.post("/playground/fill")
    def fill() -> Response:
        try:
            wish = msgspec.json.decode(_body(), type=_Wish)
        except msgspec.MsgspecError:
            return _json({"problem": "Give the address of a FHIR server and the id of a patient."}, 400)
        return _filled(wish, service, fetch_for, new_id)

    return routes


def _body() -> bytes:
    if request.mimetype != "application/json":
        raise HookError(415, "not-supported", "Content-Type does not fit; expected application/json.")
    return request.get_data(cache=False)


def _filled(wish: _Wish, service: Service, fetch_for: FetchFor, new_id: Callable[[], str]) -> Response:
    """The request of an EHR whose server this is, with every prefetch template filled; or why that cannot be."""
    context = {"userId": "Practitioner/playground", "patientId": wish.patient_id}
    if wish.encounter_id:
        context["encounterId"] = wish.encounter_id
    made: dict[str, object] = {
        "hook": service.hook,
        "hookInstance": new_id(),
        "context": context,
        "fhirServer": wish.fhir_server,
    }
    try:
        checked = read_request(msgspec.json.encode(made), service.hook, sandbox=True)
    except HookError as error:
        return _json({"problem": error.diagnostics}, 400)
    fetch = fetch_for(checked)
    if fetch is None:
        return _json({"problem": _NOT_ALLOWED}, 403)
    queries = [
        query_for(each, wish.patient_id, wish.encounter_id or None)
        for each in service.wanted
        if wish.encounter_id or "encounterId" not in each.query
    ]
    answers = sorted(fetch.read(queries), key=lambda answer: [each.key for each in queries].index(answer.query.key))
    if not any(answer.pages for answer in answers):
        reasons = sorted({answer.failure for answer in answers if answer.failure})
        return _json({"problem": f"Nothing could be read from that server: {'; '.join(reasons)}."}, 502)
    prefetch = {answer.query.key: _joined(answer) for answer in answers if answer.pages}
    failed = [f"{answer.query.key} ({answer.failure})" for answer in answers if answer.failure]
    return _json({"request": made | {"prefetch": prefetch}, "filled": list(prefetch), "failed": failed})


def _joined(answer: Fetched) -> object:
    """The pages of one query as one resource, as an EHR prefetches it."""
    try:
        pages = [msgspec.json.decode(page) for page in answer.pages]
    except msgspec.DecodeError:
        return None
    if len(pages) == 1 or not all(isinstance(page, dict) for page in pages):
        return pages[0]
    entries = [entry for page in pages for entry in page.get("entry") or ()]
    first = {name: value for name, value in pages[0].items() if name not in ("link", "entry")}
    return first | {"entry": entries}


def setup_of(
    catalog: Catalog, content: Content, services: Sequence[Service], servers: Sequence[str], samples: Sequence[Sample]
) -> dict[str, object]:
    """What the page must know: services, codes to choose from, the words of rules, inputs and sources."""
    service = next(each for each in services if each.hook == PATIENT_VIEW)
    rules = {
        each.id: {"clause": each.clause, "sources": each.sources} for each in rule_words(catalog.knowledge.criteria)
    }
    return {
        "services": [{"id": each.id, "hook": each.hook} for each in services],
        "labs": [_lab(catalog, service, *lab) for lab in (*_LABS, _ALBUMIN)],
        "conditions": _conditions(catalog, content),
        "medicines": _medicines(catalog, content),
        "rules": rules,
        "inputs": {each.id: each.name for each in catalog.inputs.values()},
        "sources": {each.id: {"title": each.title, "url": each.url} for each in catalog.sources.values()},
        "servers": servers,
        "blank": _blank(service),
        "samples": [sample.id for sample in samples],
    }


def _blank(service: Service) -> dict[str, object]:
    """An empty chart of an adult: every query answered, nothing found."""
    nothing = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []}
    patient = {"resourceType": "Patient", "id": "playground", "gender": "female", "birthDate": "1960-01-01"}
    prefetch: dict[str, object] = {each.key: nothing for each in service.wanted if "encounterId" not in each.query}
    return {
        "hook": service.hook,
        "hookInstance": "",
        "context": {"userId": "Practitioner/playground", "patientId": "playground"},
        "prefetch": prefetch | {"patient": patient},
    }


def _lab(catalog: Catalog, service: Service, name: str, input_id: str, units: Sequence[str]) -> dict[str, object]:
    found = catalog.codes_for(input_id, context=True)
    usual = catalog.observations[_LOINC][found[0]]
    key = next((each.key for each in service.wanted if input_id in (each.inputs or ())), service.wanted[0].key)
    return {
        "id": name,
        "name": name.capitalize(),
        "codes": found,
        "code": found[0],
        "display": usual.display,
        "units": units,
        "key": key,
    }


def _conditions(catalog: Catalog, content: Content) -> list[dict[str, str]]:
    """One ICD-10-CM code for each cause that has one which states it alone."""
    first: dict[str, dict[str, str]] = {}
    for row in content.of(layout.FINDINGS[codes.ICD10CM]):
        cause = catalog.knowledge.causes.get(row["concept"])
        if cause is not None and row["specificity"] == "exact":
            chosen = {"system": codes.ICD10CM, "code": row["code"], "display": row["display"], "name": cause.name}
            first.setdefault(cause.id, chosen)
    return sorted(first.values(), key=lambda each: each["name"].lower())


def _medicines(catalog: Catalog, content: Content) -> list[dict[str, str]]:
    """One RxNorm code for each medicine that has one."""
    first: dict[str, dict[str, str]] = {}
    for row in content.of(layout.MEDICATIONS[codes.RXNORM]):
        drug = catalog.drugs.get(row["drug"])
        if drug is not None:
            chosen = {"system": codes.RXNORM, "code": row["code"], "display": row["display"], "name": drug.name}
            known = first.setdefault(drug.id, chosen)
            if len(row["display"]) < len(known["display"]):
                first[drug.id] = chosen  # the plain ingredient, not a product with two
    return sorted(first.values(), key=lambda each: each["name"].lower())


def _json(value: object, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(msgspec.json.encode(value), status=status, mimetype="application/json", headers=headers)
