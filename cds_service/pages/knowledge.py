"""/knowledge: everything the rules know, as loaded; plain pages that work without script.

Knows: the addresses of the pages. /knowledge/rules/<id> is for ever: cards link to it.
Must not know: patients.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from flask import Blueprint, Response, request

from cds_service.hooks.wording.rules import CAPS, TOPICS
from cds_service.hooks.wording.texts import RuleWords, rule_words
from cds_service.interchange.dsi import dsi_attributes
from cds_service.interchange.manifest import Manifest, limits_in, manifest_of
from cds_service.pages.render import Renderer
from cds_service.pages.tables import Table, in_force, tables_of
from cds_service.terminology import layout
from cds_service.terminology.catalog import Catalog, Source
from cds_service.terminology.content import Content

FIRST: Final = ("rules", "limits", "inputs", "causes")
MOST_FOUND: Final = 50
_HERE: Final = "/knowledge"


@dataclass(frozen=True)
class Knowledge:
    """The content behind the pages, made into tables once. base: canonical address of exported resources."""

    catalog: Catalog
    content: Content

    @cached_property
    def manifest(self) -> Manifest:
        """Version, date, reviewers."""
        return manifest_of(self.content)

    @cached_property
    def rules(self) -> dict[str, RuleWords]:
        """The rules by id."""
        return {each.id: each for each in rule_words(self.catalog.knowledge.criteria)}

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The tables by id."""
        return tables_of(self.content, tuple(self.rules.values()))

    @cached_property
    def files(self) -> dict[str, str]:
        """The FHIR export by file name; fhir.resources checks every one, which takes a moment."""
        from cds_service.interchange.fhir_export import files_of
        from cds_service.interchange.resources import CANONICAL_BASE, Publication

        return files_of(self.content, Publication(self.manifest, CANONICAL_BASE))


def blueprint(render: Renderer, knowledge_of: Callable[[], Knowledge]) -> Blueprint:
    """The routes of the knowledge pages."""
    routes = Blueprint("knowledge", __name__)

    def shown(template: str, **more: Any) -> Response:
        known = knowledge_of()
        return render.page(
            template, here=_HERE, manifest=known.manifest, digest=known.content.digest(), tables=known.tables, **more
        )

    def absent(words: str) -> Response:
        return render.message("Not here", words, "The knowledge pages list everything that there is.", status=404)

    @routes.get("/knowledge")
    def overview() -> Response:
        words = request.args.get("q", "").lower().split()
        known = knowledge_of()
        if words:
            found = [table.found(words) for table in known.tables.values()]
            hits = [table for table in found if table.rows]
            return shown("knowledge_search.html", words=request.args["q"], hits=hits, most=MOST_FOUND)
        return shown("knowledge.html", first=[known.tables[name] for name in FIRST], q="")

    @routes.get("/knowledge/rules/<rule_id>")
    def rule(rule_id: str) -> Response:
        known = knowledge_of()
        found = known.rules.get(rule_id)
        return absent("There is no rule of this id.") if found is None else shown("rule.html", **_rule(known, found))

    @routes.get("/knowledge/hti-1")
    def attributes() -> Response:
        return shown("attributes.html", told=dsi_attributes(knowledge_of().content))

    @routes.get("/knowledge/hti-1.json")
    def attributes_as_json() -> Response:
        return _json(json.dumps(dsi_attributes(knowledge_of().content), ensure_ascii=False, indent=2))

    @routes.get("/knowledge/export")
    def export() -> Response:
        return shown("export.html", files=_sizes(knowledge_of().files.items()))

    @routes.get("/knowledge/fhir/<name>")
    def resource(name: str) -> Response:
        text = knowledge_of().files.get(name)
        return absent("There is no resource of this name.") if text is None else _json(text)

    @routes.get("/knowledge/<table_id>")
    def table(table_id: str) -> Response:
        found = knowledge_of().tables.get(table_id)
        return absent("There is no table of this name.") if found is None else shown("table.html", table=found)

    return routes


def _rule(known: Knowledge, rule: RuleWords) -> dict[str, object]:
    """What the page of a rule shows."""
    limits = [
        (each, in_force(each, known.content), _source(known, each.source))
        for each in limits_in(known.content)
        if rule.id in each.rules
    ]
    causes = [row for row in known.content.of(layout.CAUSES) if rule.id in row["rule"].replace(" ", "").split(";")]
    return {
        "rule": rule,
        "topic": TOPICS.get(rule.id, ""),
        "cap": CAPS.get(rule.id, ""),
        "limits": limits,
        "causes": causes,
        "sources": [known.content.sources[each] for each in rule.sources if each in known.content.sources],
    }


def _source(known: Knowledge, text: str) -> tuple[str, Source | None]:
    return text, known.content.sources.get(text.split(":")[0])


def _sizes(files: Iterable[tuple[str, str]]) -> list[tuple[str, str, int]]:
    return [(name, json.loads(text)["title"], len(text.encode()) // 1024 + 1) for name, text in files]


def _json(text: str) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(text, mimetype="application/json", headers=headers)
