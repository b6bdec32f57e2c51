"""The generated pages of docs/: content and wording of the rules, put together.

Knows: the pages by name.
Must not know: where they are written.
"""

from collections.abc import Mapping

from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.advice import ADVICE
from cds_service.hooks.wording.facts import limits_of
from cds_service.hooks.wording.findings import TYPES
from cds_service.hooks.wording.rules import RULES, SEED
from cds_service.hooks.wording.sections import fill
from cds_service.hooks.wording.unprinted import UNPRINTED
from cds_service.interchange.dsi import dsi_json, dsi_page
from cds_service.interchange.knowledge_page import knowledge, snomed_knowledge
from cds_service.interchange.knowledge_results import RuleText
from cds_service.interchange.sources_page import sources_page
from cds_service.terminology.content import Content

OWN = "clinical-logic"


def pages(content: Content, criteria: Criteria) -> dict[str, str]:
    """Return the text of each page by its name in docs/."""
    texts = rule_texts(criteria)
    return {
        "knowledge.md": knowledge(content, texts),
        "knowledge.snomed.md": snomed_knowledge(content),
        "sources.md": sources_page(content, {rule: sources_of(rule) for rule in (text.id for text in texts)}),
        "dsi-attributes.json": dsi_json(content),
        "dsi-attributes.md": dsi_page(content),
    }


def rule_texts(criteria: Criteria) -> tuple[RuleText, ...]:
    """Return what each rule says, with the limits in force, in the order of the rules."""
    limits = limits_of(criteria)
    clauses = {rule: fill(words, limits, pathway="{type}") for rule, words in clauses_of_rules().items()}
    return tuple(
        RuleText(rule, clauses[rule], f"{ADVICE[rule].basis}" if rule in ADVICE else ", ".join(sources_of(rule)))
        for rule in sorted(clauses, key=_place)
    )


def clauses_of_rules() -> Mapping[str, str]:
    """Return the clause of each rule as the tables of wording have it; advice with its blanks left open."""
    printed = {rule: row.clause for rule, row in RULES.items() if row.clause}
    advice = {rule: _open(row.words) for rule, row in ADVICE.items()}
    return {**printed, **UNPRINTED, **TYPES, **advice}


def sources_of(rule: str) -> tuple[str, ...]:
    """Return the ids of the sources of a rule; what no publication says is our own choice."""
    if rule in RULES and RULES[rule].sources:
        return RULES[rule].sources
    return (SEED, OWN) if rule in TYPES else (OWN,)


def _open(words: str) -> str:
    """Advice is completed by what the record holds: show the blanks."""
    return words.replace("{", "[").replace("}", "]")


def _place(rule: str) -> tuple[int, str]:
    return int("".join(filter(str.isdigit, rule))), rule
