"""docs/sources.md: every publication used, with the places where it is used.

Knows: which columns and tables name sources.
Must not know: files; hooks (the sources of the rules are handed in).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cds_service.interchange.manifest import limits_in
from cds_service.interchange.markdown import cell, literal, table
from cds_service.terminology.catalog import Source
from cds_service.terminology.content import Content
from cds_service.terminology.criteria import CRITERIA_FILE

RuleSources = Mapping[str, tuple[str, ...]]

_HEAD = """# Sources

For clinicians, terminologists and reviewers; reference, written by `cds-service knowledge` from the tables in
[../mappings](../mappings/README.md); do not edit. A link stands only where it was printed in
the material that was read.

"""


def sources_page(content: Content, rules: RuleSources) -> str:
    """Return the page; rules: the source ids of each rule."""
    used = uses(content, rules)
    by_kind: dict[str, list[Source]] = defaultdict(list)
    for source in content.sources.values():
        by_kind[source.kind].append(source)
    parts = [_HEAD]
    for kind, found in sorted(by_kind.items()):
        parts += [f"## {kind[:1].upper()}{kind[1:]}\n", *_rows(found, used)]
    return "\n".join(parts).rstrip() + "\n"


def _rows(found: Iterable[Source], used: Mapping[str, list[str]]) -> list[str]:
    return table(
        ("id", "title", "year", "link", "used in"),
        (
            (
                literal(source.id),
                cell(source.title),
                str(source.year or "not stated"),
                f"<{source.url}>" if source.url else "not stated",
                cell("; ".join(used.get(source.id, ["nothing at present"]))),
            )
            for source in sorted(found, key=lambda each: each.id)
        ),
    )


def uses(content: Content, rules: RuleSources) -> dict[str, list[str]]:
    """Return where each source is used: rules by id, limits by name, tables by the number of rows."""
    found: dict[str, list[str]] = defaultdict(list)
    told = {rule: sources for rule, sources in rules.items() if sources}
    for id_ in content.sources:
        named = [rule for rule, sources in told.items() if id_ in sources]
        if named:
            found[id_].append(f"rules {', '.join(named)}")
        limits = [limit.name for limit in limits_in(content) if limit.source.split(":")[0] == id_]
        if limits:
            found[id_].append(f"{CRITERIA_FILE} ({', '.join(limits)})")
    for file, rows in sorted(content.rows.items()):
        counts: dict[str, int] = defaultdict(int)
        for row in rows:
            for id_ in {
                each.split(":")[0] for each in row.cells.get("source", "").split("; ")
            } & content.sources.keys():
                counts[id_] += 1
        for id_, count in counts.items():
            found[id_].append(f"{file} ({count} rows)" if count > 1 else f"{file} (1 row)")
    return found
