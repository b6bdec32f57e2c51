"""The reasoning of one decision as a tree: level, rule, inputs, result, citation.

Knows: which part of the assessment belongs under which heading.
Must not know: how the judgement was reached; it tells what stands in the assessment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cds_service.calcinosis.assessment import Assessment, Product, Value
from cds_service.hooks.wording.texts import RuleWords
from cds_service.hooks.wording.write import number
from cds_service.pages.series import PRODUCT_UNIT, told
from cds_service.terminology.catalog import Catalog, Source


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree. href: the page or publication it leads to, "" for none; open: shown unfolded at first."""

    text: str
    detail: str = ""
    href: str = ""
    below: Sequence["Node"] = ()
    open: bool = False
    quiet: bool = False


def tree(a: Assessment, catalog: Catalog, rules: Mapping[str, RuleWords]) -> list[Node]:
    """Return the branches: what set the level, what lowered it, causes, the other rules."""

    def rule(id_: str, *below: Node, open_: bool = False) -> Node:
        words = rules.get(id_)
        sources = (
            [_citation(catalog.sources[each]) for each in words.sources if each in catalog.sources] if words else []
        )
        return Node(id_, words.clause if words else "", f"/knowledge/rules/{id_}", (*below, *sources), open_)

    told_before = {a.headline, *(cap.rule for cap in a.caps), *(each for cause in a.causes for each in cause.rules)}
    headline = [rule(a.headline, *_inputs(a, catalog), open_=True)] if a.headline else list(_inputs(a, catalog))
    branches = [Node(f"Level: {a.tier}", _set_by(a), "", headline, open=True)]
    if a.caps:
        caps = [rule(cap.rule, Node(f"from {cap.from_tier} to {cap.to_tier}")) for cap in a.caps]
        branches.append(Node("What lowered the level", "", "", caps, open=True))
    if a.causes:
        causes = [
            Node(cause.name, f"{cause.basis}, {cause.type}", "", (*_evidence(cause.evidence), *map(rule, cause.rules)))
            for cause in a.causes
        ]
        branches.append(Node("Causes", f"type that fits: {a.risk_pathway}", "", causes, open=True))
    weak = [Node(each.replace("_", " ")) for each in a.weaknesses]
    branches.append(Node(f"Confidence: {a.confidence}", "" if weak else "no weakness found", "", weak, open=True))
    others = [rule(each) for each in a.rules if each not in told_before]
    if others:
        branches.append(Node("Other rules that fired", "", "", others))
    return branches


def _set_by(a: Assessment) -> str:
    return f"set by {a.headline}" if a.headline else "looked, nothing to show; no statement about the absence of risk"


def _inputs(a: Assessment, catalog: Catalog) -> Iterable[Node]:
    if a.product is not None:
        yield _product(a.product)
    for value in a.values:
        name = catalog.inputs[value.measurement.input].name
        yield _value(name, value)


def _product(p: Product) -> Node:
    bound = {"exact": "", "atLeast": "at least ", "atMost": "at most "}[p.bound]
    members = [_value(f"Calcium ({p.calcium.kind})", p.calcium), _value("Phosphate", p.phosphate)]
    if p.albumin is not None:
        members.append(_value("Albumin", p.albumin))
    pair = Node(
        f"Pair class {p.pair_class}", f"{number(p.gap_hours)} h apart, {number(p.age_hours)} h old: {p.freshness}"
    )
    return Node(
        f"Product: {bound}{number(p.value_mg2_dl2)} {PRODUCT_UNIT}",
        "calcium x phosphate",
        "",
        (*members, pair),
        open=True,
    )


def _value(name: str, value: Value) -> Node:
    m = value.measurement
    entered = ""
    if value.kind == "corrected" and value.canonical is not None:
        entered = f"{number(value.canonical)} mg/dL entered the product; "
    return Node(f"{name}: {told(m)}", f"{entered}{value.position}, {m.taken.text}, {m.reference}")


def _evidence(references: Iterable[str]) -> list[Node]:
    return [Node(each, quiet=True) for each in references]


def _citation(source: Source) -> Node:
    year = "" if source.year is None or str(source.year) in source.title else str(source.year)
    return Node(source.title, year, source.url or "", quiet=True)
