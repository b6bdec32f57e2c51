"""Requests with sound resources that were broken in ways that networks, interfaces and people find."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any, Final

Json = Any
_WORDS: Final = (
    *("", " ", "null", "NaN", "-", "<0.5", "> 20", "7,1", "1e9", "final ", "FINAL", "hemolyzed", "see comment"),
    *(
        "\u0000",
        "\u202e7.1",
        "\U0001d7d5.\U0001d7cf",
        "x" * 5000,
        "<script>alert(1)</script>",
        "[link](http://evil.example)",
        "|",
        "`",
    ),
    *(
        "2026-02-31",
        "2026",
        "2026-13-01T99:99:99Z",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "urn:uuid:x",
        "Patient/other",
    ),
    *("mg/dL", "mmol/L", "MG/DL", "meq/L", "g/L", "mg/24 h", "http://loinc.org", "2777-1", "17861-6", "N18.6"),
)
_NUMBERS: Final = (0, -1, 1, 0.0001, 7.1, 12.5, 99, 1e5, 1e15, -1e300, 10**30, 3.14159265358979)
_STOPS: Final = 0.15
_KINDS: Final = (
    *("Patient", "Observation", "Condition", "MedicationRequest", "MedicationStatement", "Procedure", "Encounter"),
    *("Bundle", "OperationOutcome", "DiagnosticReport", "Specimen", "Nonsense", "Provenance", "", "MedicationOrder"),
)


def mutated(request: str, chance: random.Random) -> Json:
    """The request, given as JSON, with one to eight things changed inside its prefetch."""
    changed = json.loads(request)
    for _ in range(chance.randint(1, 8)):
        if changed["prefetch"]:
            holder, key = _place(changed["prefetch"], chance)
            chance.choice(_WAYS)(holder, key, chance)
    return changed


def _place(node: Json, chance: random.Random) -> tuple[Json, Any]:
    """A place inside, as its holder and its key or index: a walk downwards that mostly goes on to the leaves."""
    while True:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        value = node[key]
        if not (isinstance(value, dict | list) and value) or chance.random() < _STOPS:
            return node, key
        node = value


def _drop(holder: Json, key: Any, chance: random.Random) -> None:
    del holder[key]


def _word(holder: Json, key: Any, chance: random.Random) -> None:
    holder[key] = chance.choice(_WORDS)


def _number(holder: Json, key: Any, chance: random.Random) -> None:
    holder[key] = chance.choice(_NUMBERS)


def _other_type(holder: Json, key: Any, chance: random.Random) -> None:
    value = holder[key]
    holder[key] = chance.choice(
        [[value], {"value": value}, str(value), None, True, [], {}, [[value]], json.dumps(value)]
    )


def _twice(holder: Json, key: Any, chance: random.Random) -> None:
    if isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[f"{key}{chance.choice(('', '_', '2'))}"] = copy.deepcopy(holder[key])


def _scaled(holder: Json, key: Any, chance: random.Random) -> None:
    value = holder[key]
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:
        holder[key] = round(value * chance.choice((0.1, 0.5, 1.3, 2, 10, 100)), 3)


def _kind(holder: Json, key: Any, chance: random.Random) -> None:
    if isinstance(holder, dict):
        holder["resourceType"] = chance.choice(_KINDS)


def _deep(holder: Json, key: Any, chance: random.Random) -> None:
    value = holder[key]
    for _ in range(chance.choice((3, 40, 400))):
        value = {"extension": value}
    holder[key] = value


def _swap(holder: Json, key: Any, chance: random.Random) -> None:
    other = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


_WAYS: Final[tuple[Callable[[Json, Any, random.Random], None], ...]] = (
    *(_drop, _drop, _word, _word, _number, _other_type, _other_type, _twice, _scaled, _scaled, _kind, _deep, _swap),
)
