"""The content as FHIR R4 ValueSets, ConceptMaps and the CodeSystems of our own ids that the maps point to.

Knows: which resources there are and what they are called.
Must not know: files; how rows read as equivalences (rows.py).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cds_service.interchange.resources import COMMENT, Json, Publication, checked, identifier, text_of
from cds_service.interchange.rows import (
    Mapped,
    finding_rows,
    medicine_rows,
    observation_rows,
    procedure_rows,
    rejected_rows,
)
from cds_service.terminology import codes, layout
from cds_service.terminology.content import Content

NOT_ALONE: Final = "Codes that are broader, residual or only related stand in the concept map, not here."


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of our ids. names: of each id; sets: ids of each value set; note: what its value sets leave out."""

    id: str
    title: str
    names: Mapping[str, str]
    sets: Mapping[str, tuple[str, ...]]
    set_titles: Mapping[str, str]
    note: str
    rows: tuple[Mapped, ...]


def resources_of(content: Content, publication: Publication) -> tuple[Json, ...]:
    """Return all resources, sorted by type and id."""
    found: list[Json] = []
    for kind in _kinds(content):
        found.append(_code_system(kind, publication))
        found += _value_sets(kind, publication)
        found += _concept_maps(kind, kind.id, kind.title, kind.rows, publication)
    look_alikes = tuple(rejected_rows(content))
    found += _concept_maps(_inputs(content), "look-alikes", "Results that must not be read", look_alikes, publication)
    return tuple(checked(each) for each in sorted(found, key=lambda each: (each["resourceType"], each["id"])))


def files_of(content: Content, publication: Publication) -> dict[str, str]:
    """Return the text of each file of the export by its name, one resource a file."""
    return {f"{each['resourceType']}-{each['id']}.json": text_of(each) for each in resources_of(content, publication)}


# ---- what there is


def _kinds(content: Content) -> tuple[Kind, ...]:
    findings = {row["id"]: row["name"] for table in (layout.CAUSES, layout.CONCEPTS) for row in content.of(table)}
    procedures = tuple(procedure_rows(content))
    kinds = {row.target: row.target.replace("_", " ") for row in procedures}
    return (
        _inputs(content),
        _kind("finding", "Causes and concepts", findings, NOT_ALONE, finding_rows(content)),
        _medicines(content),
        _kind("procedure", "Procedures", kinds, "Look-alikes (donors, work-up, access) are left out.", procedures),
    )


def _inputs(content: Content) -> Kind:
    names = {row["input"]: row["name"] for row in content.of(layout.INPUTS)}
    note = "Codes that are shown for context only stand in the concept map, not here."
    return _kind("input", "Results", names, note, observation_rows(content))


def _medicines(content: Content) -> Kind:
    names, groups = {}, defaultdict(list)
    for row in content.of(layout.DRUGS):
        names[row["drug"]] = row["name"]
        groups[row["group"]].append(row["drug"])
    note = "Products without systemic effect stand in the concept map, not here."
    titles = {group: group.replace("_", " ") for group in groups}
    sets = {group: tuple(drugs) for group, drugs in groups.items()}
    return Kind("medicine", "Medicines", names, sets, titles, note, tuple(medicine_rows(content)))


def _kind(id_: str, title: str, names: Mapping[str, str], note: str, rows: Iterable[Mapped]) -> Kind:
    return Kind(id_, title, names, {name: (name,) for name in names}, names, note, tuple(rows))


# ---- how it is told


def _code_system(kind: Kind, publication: Publication) -> Json:
    description = f"Ids of calcinosis-cds that its clinical rules use. {kind.title}."
    return {
        **publication.head("CodeSystem", kind.id, f"{kind.title}: ids of calcinosis-cds", description, ()),
        "caseSensitive": True,
        "valueSet": publication.url("ValueSet", f"{kind.id}-ids"),
        "content": "complete",
        "count": len(kind.names),
        "concept": [{"code": code, "display": name} for code, name in sorted(kind.names.items())],
    }


def _value_sets(kind: Kind, publication: Publication) -> Iterator[Json]:
    for name, targets in sorted(kind.sets.items()):
        rows = [row for row in kind.rows if row.alone and row.target in targets]
        if rows:
            yield _value_set(kind, name, rows, publication)
    title = f"{kind.title}: all ids of calcinosis-cds"
    yield {
        **publication.head("ValueSet", f"{kind.id}-ids", title, f"All ids. {kind.title}.", ()),
        "compose": {"include": [{"system": publication.url("CodeSystem", kind.id)}]},
    }


def _value_set(kind: Kind, name: str, rows: list[Mapped], publication: Publication) -> Json:
    by_system = _grouped(rows, lambda row: row.system)
    title = f"{kind.title}: {kind.set_titles[name]}"
    description = f"Codes that calcinosis-cds takes as {kind.set_titles[name]}. {kind.note}"
    return {
        **publication.head("ValueSet", identifier(kind.id, name), title, description, by_system),
        "compose": {
            "include": [
                {"system": system, "concept": [_concept(same) for same in _grouped(held, _code).values()]}
                for system, held in by_system.items()
            ]
        },
    }


def _concept(rows: list[Mapped]) -> Json:
    """One code, told once even where two of our ids of the set share it."""
    remarks = "; ".join(dict.fromkeys(row.remark for row in rows if row.remark))
    comment = {"extension": [{"url": COMMENT, "valueString": remarks}]} if remarks else {}
    return {**comment, "code": rows[0].code, "display": rows[0].display}


def _concept_maps(
    kind: Kind, name: str, title: str, rows: tuple[Mapped, ...], publication: Publication
) -> Iterator[Json]:
    """One map for each code system, so that a site takes only those that it is licensed for."""
    target = publication.url("CodeSystem", kind.id)
    for system, held in _grouped(rows, lambda row: row.system).items():
        known = codes.SYSTEM_NAMES[system]
        description = (
            f"From {known} codes to the ids that the rules of calcinosis-cds use. Codes count as the comments say."
        )
        id_ = identifier(name, "from", known.lower())
        yield {
            **publication.head("ConceptMap", id_, f"{title}: from {known}", description, (system,)),
            "targetCanonical": publication.url("ValueSet", f"{kind.id}-ids"),
            "group": [{"source": system, "target": target, "element": _elements(held, kind.names)}],
        }


def _elements(rows: list[Mapped], names: Mapping[str, str]) -> list[Json]:
    return [
        {"code": code, "display": same[0].display, "target": [_target(row, names) for row in same]}
        for code, same in _grouped(rows, _code).items()
    ]


def _target(row: Mapped, names: Mapping[str, str]) -> Json:
    comment = {"comment": row.remark} if row.remark else {}
    return {"code": row.target, "display": names[row.target], "equivalence": row.equivalence, **comment}


def _code(row: Mapped) -> str:
    return row.code


def _grouped(rows: Iterable[Mapped], key: Callable[[Mapped], str]) -> dict[str, list[Mapped]]:
    groups: dict[str, list[Mapped]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.system, row.code, row.target)):
        groups[key(row)].append(row)
    return dict(groups)
