"""The generated pages of docs/: content and wording of the rules, put together.

Knows: the pages by name.
Must not know: where they are written.
"""

from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.texts import rule_words, sources_of
from cds_service.interchange.dsi import dsi_json, dsi_page
from cds_service.interchange.knowledge_page import knowledge, snomed_knowledge
from cds_service.interchange.knowledge_results import RuleText
from cds_service.interchange.sources_page import sources_page
from cds_service.terminology.content import Content


def documents(content: Content, criteria: Criteria) -> dict[str, str]:
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
    return tuple(RuleText(each.id, each.clause, each.basis or ", ".join(each.sources)) for each in rule_words(criteria))
