"""The same guidance from prefetch, from prefetch that lacks a key, and from reads of our own (CH-36, CH-44).

For every example: the server answers each query with what the prefetch holds under its key.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.fhir.gather import Fetched, Query
from cds_service.hooks.decide import decide
from cds_service.hooks.request import read_request
from cds_service.hooks.services import services
from cds_service.terminology.catalog import Catalog
from tests.conftest import NOW

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/request.json"))


class Ehr:
    """A FHIR server that answers each query with what the whole prefetch holds under its key."""

    def __init__(self, prefetch: dict[str, Any]) -> None:
        self._prefetch = prefetch

    def read(self, queries: Sequence[Query]) -> Sequence[Fetched]:
        return [Fetched(each, [json.dumps(self._prefetch.get(each.key)).encode()]) for each in queries]


def guidance(catalog: Catalog, request: dict[str, Any], prefetch: dict[str, Any], whole: dict[str, Any]) -> Any:
    """All that the caller is told, apart from where the data came from."""
    service = next(each for each in services(catalog) if each.hook == request["hook"])
    body = json.dumps({**request, "prefetch": prefetch}).encode()
    call = read_request(body, service.hook, sandbox=True)
    now = call.evaluation_time or NOW
    made = decide(call, wanted=service.wanted, catalog=catalog, fetch=Ehr(whole), now=now, new_id=lambda: "1")
    cards = [json.loads(msgspec.json.encode(card.to_json())) for card in made.cards]
    return made.assessment, [(card["summary"], card["indicator"], card["detail"]) for card in cards]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_prefetch_partial_prefetch_and_own_reads_lead_to_the_same_guidance(catalog: Catalog, path: Path) -> None:
    request = json.loads(path.read_text("utf-8"))
    whole = request["prefetch"]
    expected = guidance(catalog, request, whole, whole)
    assert guidance(catalog, request, {}, whole) == expected
    for key in whole:
        assert guidance(catalog, request, {k: v for k, v in whole.items() if k != key}, whole) == expected, key
