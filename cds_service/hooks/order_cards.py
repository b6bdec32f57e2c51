"""The cards of draft orders: one for each rule, with all the drafts that it is about.

Knows: card fields, the order of the parts of the text, how a removal is offered.
Must not know: how the findings were reached, FHIR, HTTP. The words are in wording/.
"""

from collections.abc import Callable, Iterable, Mapping

from cds_service.calcinosis.assessment import Assessment, Tier, Value
from cds_service.calcinosis.order_rules import RULE_ORDER
from cds_service.calcinosis.orders import OrderAdvice, OrderFinding, Reason
from cds_service.hooks.cards import (
    MOST_LINKS,
    OVERRIDE_REASONS,
    OVERRIDE_SYSTEM,
    TOPIC_SYSTEM,
    Card,
    Coding,
    LinksOf,
    address_of,
    bullets,
    cited,
    label_of,
    no_links,
    sources_of,
    to_sources,
)
from cds_service.hooks.suggestions import Action, Suggestion
from cds_service.hooks.wording.facts import limits_of
from cds_service.hooks.wording.findings import POPULATIONS
from cds_service.hooks.wording.order_text import (
    because_lines,
    draft_lines,
    firm_lines,
    order_summary,
    unjudged_lines,
    weigh_lines,
)
from cds_service.hooks.wording.orders import ORDER_TOPICS, REMOVALS, REMOVE
from cds_service.hooks.wording.rules import LIMITS
from cds_service.hooks.wording.sections import remark_lines, rule_lines
from cds_service.hooks.wording.values import table_of
from cds_service.hooks.wording.write import inert
from cds_service.terminology.catalog import Catalog


def order_cards(
    advice: OrderAdvice,
    assessment: Assessment,
    catalog: Catalog,
    new_id: Callable[[], str],
    extension: Mapping[str, object],
    links_of: LinksOf = no_links,
) -> tuple[Card, ...]:
    """Return the cards of an order hook, the gravest first; none when no rule speaks of an order (CL-123).

    Each order stands on the card of its gravest finding; its other findings are lines there.
    """
    by_rule: dict[str, list[OrderFinding]] = {}
    for found in _by_order(advice.findings):
        by_rule.setdefault(found[0].rule, []).extend(found)
    heads = sorted(by_rule, key=lambda rule: (-_tier(by_rule[rule]).rank, RULE_ORDER.index(rule)))
    return tuple(_card(by_rule[rule], advice, assessment, catalog, new_id, extension, links_of) for rule in heads)


def _by_order(findings: Iterable[OrderFinding]) -> list[list[OrderFinding]]:
    orders: dict[str, list[OrderFinding]] = {}
    for finding in findings:
        orders.setdefault(finding.order.reference, []).append(finding)
    return [sorted(found, key=lambda f: (-f.tier.rank, RULE_ORDER.index(f.rule))) for found in orders.values()]


def _tier(findings: Iterable[OrderFinding]) -> Tier:
    return max((finding.tier for finding in findings), key=lambda tier: tier.rank)


def _card(
    findings: list[OrderFinding],
    advice: OrderAdvice,
    assessment: Assessment,
    catalog: Catalog,
    new_id: Callable[[], str],
    extension: Mapping[str, object],
    links_of: LinksOf,
) -> Card:
    head = findings[0].rule
    sources = sources_of((head, *(finding.rule for finding in findings)), catalog.sources)
    tier = _tier(findings)
    loud = tier in (Tier.WARNING, Tier.CRITICAL)
    return Card(
        uuid=new_id(),
        summary=order_summary([f for f in findings if f.rule == head], advice.seen, catalog.knowledge.criteria),
        indicator=tier,
        detail=_detail(findings, advice, assessment, catalog),
        source_label=label_of(sources[0]) if sources else f"calcinosis-cds rules {catalog.version}",
        source_url=address_of(sources[0]) if sources else None,
        topic=Coding(TOPIC_SYSTEM, head.replace("-", ""), ORDER_TOPICS[head]),
        links=(*links_of(assessment), *to_sources(sources))[:MOST_LINKS],
        override_reasons=tuple(Coding(OVERRIDE_SYSTEM, *reason) for reason in OVERRIDE_REASONS) if loud else (),
        extension=extension,
        rules=_rules(findings),
        suggestions=_removals(findings, new_id),
    )


def _rules(findings: Iterable[OrderFinding]) -> tuple[str, ...]:
    """The rules of the card: those that raised it, then those that lowered it."""
    found = list(findings)
    lowered = (rule for finding in found for rule in finding.downgraded_by)
    return tuple(dict.fromkeys((*(finding.rule for finding in found), *lowered)))


def _removals(findings: Iterable[OrderFinding], new_id: Callable[[], str]) -> tuple[Suggestion, ...]:
    """Offer to remove each draft, unless one of its findings forbids it. Source: CDS Hooks 2.0, "Action" (delete)."""
    offered: dict[str, OrderFinding] = {}
    kept = set()
    for finding in findings:
        offered.setdefault(finding.order.reference, finding)
        if not finding.removable:
            kept.add(finding.order.reference)
    suggestions = []
    for reference, finding in offered.items():
        if reference not in kept:
            words = REMOVALS.get(finding.rule, REMOVE)
            label = words.format(name=inert(finding.order.name, 80))
            remove = Action(type="delete", description=label, resource_id=reference)
            suggestions.append(Suggestion(uuid=new_id(), label=label, actions=(remove,)))
    return tuple(suggestions)


def _detail(findings: list[OrderFinding], advice: OrderAdvice, assessment: Assessment, catalog: Catalog) -> str:
    criteria = catalog.knowledge.criteria
    drafts = {finding.order.reference: finding for finding in findings}
    rules = _rules(findings)
    groups = [POPULATIONS[group] for group in assessment.population if group in POPULATIONS]
    background = [f"{inert(name, 60)} (drafted too, not selected)" for name in dict.fromkeys(advice.background)]
    titled = (
        ("To consider", weigh_lines(findings, assessment.population, criteria)),
        ("How firm this is", [*firm_lines(findings, advice.seen, advice.rules), *remark_lines(assessment), *groups]),
        ("Other drafts", [*unjudged_lines(advice.not_judged), *background[:6]]),
        ("Rules that fired", rule_lines(rules, limits_of(criteria))),
        ("Sources", [cited(source) for source in sources_of(rules, catalog.sources)]),
    )
    parts = [
        bullets(draft_lines(list(drafts.values()))),
        "\n".join(_spaced(because_lines(findings, advice.seen, criteria))),
        table_of(_values(findings, advice)),
        *(f"**{title}**\n\n{bullets(lines)}" for title, lines in titled if lines),
        f"Content version {catalog.version}. {LIMITS}",
    ]
    return "\n\n".join(part for part in parts if part)


def _spaced(lines: Iterable[str]) -> list[str]:
    """Put an empty line between sentences, none between bullets."""
    spaced: list[str] = []
    for line in lines:
        if spaced and not (line.startswith("- ") and spaced[-1].startswith("- ")):
            spaced.append("")
        spaced.append(line)
    return spaced


def _values(findings: Iterable[OrderFinding], advice: OrderAdvice) -> list[Value]:
    """Return the values behind the findings; calcium and phosphate always, potassium where it is urgent."""
    reasons, seen = {reason for finding in findings for reason in finding.reasons}, advice.seen
    product = (seen.product.calcium, seen.product.phosphate) if seen.product and Reason.PRODUCT in reasons else ()
    shown = [
        *product,
        seen.calcium,
        seen.phosphate,
        seen.ionized,
        seen.potassium if seen.emergencies else None,
        seen.egfr if Reason.EGFR in reasons else None,
        seen.vitamin_d if Reason.VITAMIN_D in reasons else None,
    ]
    once = {value.measurement.reference + value.measurement.input: value for value in shown if value is not None}
    return list(once.values())
