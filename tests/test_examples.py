"""Every example goes through the whole service and gets the answer that stands beside it."""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cds_service.calcinosis.order_rules import RULE_ORDER
from cds_service.hooks.plain import response_as_text
from cds_service.hooks.services import wanted_data
from cds_service.terminology.load import load_catalog
from examples.regenerate import HERE, examples, respond

EXAMPLES = examples()
TABLE = dict(re.findall(r"^\| \[([\w-]+)\]\(\1/\) \| (\w+) \|", (HERE / "README.md").read_text("utf-8"), re.M))
WITH_BROKEN_DRAFTS = "order-drafts-not-judged"
ASSESSMENT = "org.calcinosis-cds.assessment"


def load(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(path.read_text("utf-8"))
    return loaded


def steady(node: object) -> object:
    """The response without what changes with each edit of the content: ids of cards and the digest of the tables."""
    if isinstance(node, dict):
        return {key: steady(value) for key, value in node.items() if key not in ("uuid", "digest")}
    return [steady(value) for value in node] if isinstance(node, list) else node


def resources(node: object) -> Iterator[Mapping[str, object]]:
    """All resources of a request that are no Bundle."""
    if isinstance(node, dict):
        if node.get("resourceType") not in (None, "Bundle"):
            yield node
        else:
            for value in node.values():
                yield from resources(value)
    elif isinstance(node, list):
        for value in node:
            yield from resources(value)


def test_every_example_is_in_the_table_and_has_its_line() -> None:
    assert set(TABLE) == {example.name for example in EXAMPLES}
    assert len(EXAMPLES) >= 18
    assert all((example / "README.md").read_text("utf-8").strip() for example in EXAMPLES)
    assert set(TABLE.values()) == {"none", "info", "warning", "critical"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_service_answers_an_example_as_written(example: Path) -> None:
    response = respond(example)
    assert steady(response) == steady(load(example / "response.json")), "run examples/regenerate.py and read the change"
    cards = response["cards"]
    assert isinstance(cards, list)
    extension = response["extension"]
    assert isinstance(extension, dict)
    assessment = extension[ASSESSMENT]
    of_orders = assessment["orderTier"] is not None
    assert of_orders == example.name.startswith("order-")
    assert assessment["orderTier" if of_orders else "tier"] == TABLE[example.name]
    assert [card["indicator"] for card in cards] == [TABLE[example.name]] * (TABLE[example.name] != "none")
    assert all(line.isprintable() for line in response_as_text(response).split("\n"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_synthetic_patient_in_valid_fhir(example: Path) -> None:
    request = load(example / "request.json")
    prefetch = request["prefetch"]
    assert isinstance(prefetch, dict)
    assert list(prefetch) == [wanted.key for wanted in wanted_data(load_catalog())]
    kinds: set[str] = set()
    drafts = request["context"].get("draftOrders") if example.name != WITH_BROKEN_DRAFTS else None  # type: ignore[attr-defined]
    for resource in resources([prefetch, drafts]):
        kind = str(resource["resourceType"])
        kinds.add(kind)
        model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        model.model_validate(resource)
        owner = resource if kind == "Patient" else None
        if owner is not None:
            assert str(owner["id"]).startswith("example-")
            assert "Example" in json.dumps(owner["name"])
        else:
            assert resource["subject"] == {"reference": f"Patient/{request['context']['patientId']}"}  # type: ignore[index]
    assert {"Patient", "Observation", "Encounter"} <= kinds


def test_every_order_rule_has_its_example() -> None:
    fired = set[str]()
    hooks = set()
    for example in EXAMPLES:
        hooks.add(load(example / "request.json")["hook"])
        for finding in load(example / "response.json")["extension"][ASSESSMENT]["orders"]:  # type: ignore[index]
            fired.add(finding["rule"])
            fired.update(finding["downgradedBy"])
    assert fired >= {*RULE_ORDER, "CL-111"}
    assert hooks == {"patient-view", "order-select", "order-sign"}
