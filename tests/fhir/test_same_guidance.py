"""The same guidance from prefetch, from prefetch that lacks a key, and from reads of our own (CH-36, CH-44).

For every example, and every case beside the project: a server that holds the resources answers by type and code, as an
EHR does that fills the templates in.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.fhir.gather import Fetched, Query, query_for
from cds_service.hooks.decide import decide
from cds_service.hooks.request import read_request
from cds_service.hooks.services import Service, services
from cds_service.terminology.catalog import Catalog
from tests import ehr
from tests.conftest import NOW

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/request.json"))
CASES = sorted((ROOT.parent / "shared" / "cases").glob("*.json"))

Json = dict[str, Any]


class Server:
    """Reads from an EHR in this process."""

    def __init__(self, held: ehr.Ehr) -> None:
        self._held = held

    def read(self, queries: Sequence[Query]) -> Sequence[Fetched]:
        return [
            Fetched(each, [self._held.answer("/fhir/" + each.text + (f"&{each.wishes}" if each.wishes else ""))])
            for each in queries
        ]


def resources(prefetch: Json) -> Iterator[Json]:
    for value in prefetch.values():
        if value is not None:
            yield from (entry["resource"] for entry in value["entry"]) if "entry" in value else [value]


def ehr_of(request: Json, *, includes: bool) -> ehr.Ehr:
    """An EHR that holds all that the request brought."""
    held: dict[str, list[Json]] = {}
    for resource in resources(request["prefetch"]):
        held.setdefault(resource["resourceType"], []).append(resource)
    return ehr.Ehr(held=held, includes=includes)


def filled_in(service: Service, request: Json, server: Server) -> Json:
    """The prefetch of an EHR that fills every template in."""
    context = request["context"]
    queries = [query_for(each, context["patientId"], context.get("encounterId")) for each in service.wanted]
    return {fetched.query.key: json.loads(fetched.pages[0]) for fetched in server.read(queries)}


def guidance(catalog: Catalog, service: Service, request: Json, prefetch: Json, server: Server | None) -> Any:
    """All that the caller is told, apart from where the data came from."""
    body = json.dumps({**request, "prefetch": prefetch}).encode()
    call = read_request(body, service.hook, sandbox=True)
    now = call.evaluation_time or NOW
    made = decide(call, wanted=service.wanted, catalog=catalog, fetch=server, now=now, new_id=lambda: "1")
    cards = [json.loads(msgspec.json.encode(card.to_json())) for card in made.cards]
    return made.assessment, made.advice, [(card["summary"], card["indicator"], card["detail"]) for card in cards]


def held_in_one(path: Path) -> Json:
    found: Json = json.loads(path.read_text("utf-8"))
    request: Json = found.get("request", found)
    return request


@pytest.mark.parametrize("path", [*EXAMPLES, *CASES], ids=lambda path: path.parent.name + "-" + path.stem)
def test_prefetch_partial_prefetch_and_own_reads_lead_to_the_same_guidance(catalog: Catalog, path: Path) -> None:
    request = held_in_one(path)
    service = next(each for each in services(catalog) if each.hook == request["hook"])
    server = Server(ehr_of(request, includes=True))
    expected = guidance(catalog, service, request, {}, server)
    assert expected == guidance(catalog, service, request, request["prefetch"], None)
    whole = filled_in(service, request, Server(ehr_of(request, includes=False)))
    assert guidance(catalog, service, request, whole, server) == expected
    for key in whole:
        part = {name: value for name, value in whole.items() if name != key}
        assert guidance(catalog, service, request, part, server) == expected, key
