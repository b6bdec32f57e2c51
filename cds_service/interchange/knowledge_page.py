"""docs/knowledge.md and docs/knowledge.snomed.md: everything that a reviewer signs, made of the content.

Knows: the order of the pages and what stands around the tables.
Must not know: files; hooks (the texts of the rules are handed in).
"""

from collections.abc import Iterable, Sequence

from cds_service.interchange import knowledge_causes as record
from cds_service.interchange import knowledge_results as results
from cds_service.interchange.knowledge_results import RuleText
from cds_service.interchange.manifest import Manifest, manifest_of
from cds_service.interchange.markdown import cell, table
from cds_service.terminology import codes, layout
from cds_service.terminology.content import Content
from cds_service.terminology.table import Layout

_FOR = "For clinicians and terminologists; reference, written by `cds-service knowledge`; do not edit."
_LEGEND = """The words of the columns are told in [../mappings/README.md](../mappings/README.md), the sources in
[sources.md](sources.md), intended use and limits in [clinical.md](clinical.md)."""


def knowledge(content: Content, rule_texts: Sequence[RuleText]) -> str:
    """Return the page that a reviewer signs."""
    manifest = manifest_of(content)
    parts = [
        "# The reviewed knowledge\n",
        f"{_FOR}\nSNOMED CT codes and names need a licence: they stand in [knowledge.snomed.md](knowledge.snomed.md).",
        _LEGEND,
        *_identity(content, manifest),
        *_part("Limits and windows", results.limits(content)),
        *_part("Rules", results.rules(rule_texts), _ABOUT_RULES),
        *_part("Inputs", results.inputs(content), _ABOUT_INPUTS),
        *_part("Units", results.units(content), _ABOUT_UNITS),
        *_part("Result codes", results.observation_codes(content)),
        *_part("Panels asked for", record.rows_of(content, layout.PANELS, *_PANEL), _ABOUT_PANELS),
        *_part("Result codes that are refused", results.look_alikes(content)),
        *_part("Specimens", results.specimens(content, _without_snomed(layout.SPECIMENS.items()))),
        *_part("Causes", record.causes(content), _ABOUT_CAUSES),
        *_part("Concepts", record.concepts(content), "What the rules need of the problem list beside causes."),
        *_codes(content),
        *_part("Medicines", record.medicines(content), "RxNorm codes of products are listed by number."),
        *_part("Procedures", record.rows_of(content, layout.PROCEDURES[codes.ICD10PCS], *_PROCEDURE), "ICD-10-PCS."),
        *_part("Encounter classes and places", record.rows_of(content, layout.ENCOUNTERS, *_PLACE)),
        *_signatures(content, manifest),
    ]
    return "\n".join(parts).rstrip() + "\n"


def snomed_knowledge(content: Content) -> str:
    """Return the part that needs a SNOMED CT licence."""
    snomed = codes.SNOMED
    parts = [
        "# The reviewed knowledge: SNOMED CT\n",
        f"{_FOR}\nThe rest stands in [knowledge.md](knowledge.md), its copyright notices in "
        "[../mappings/README.md](../mappings/README.md). A site without a licence deletes this page.",
        *_identity(content, manifest_of(content)),
        *_part("Diagnoses", record.finding_codes(content, layout.FINDINGS[snomed])),
        *_part("Diagnoses below them", record.finding_codes(content, layout.EXPANDED), _expanded(content)),
        *_part("Diagnoses that are refused", record.rejected_codes(content, layout.REJECTED_FINDINGS[snomed])),
        *_part("Medicines", record.rows_of(content, layout.MEDICATIONS[snomed], *_MEDICINE)),
        *_part("Procedures", record.rows_of(content, layout.PROCEDURES[snomed], *_PROCEDURE)),
        *_part("Specimens", results.specimens(content, (layout.SPECIMENS[snomed],))),
        *_part("Routes", record.rows_of(content, layout.ROUTES, "code", "display", "route", "source")),
    ]
    return "\n".join(parts).rstrip() + "\n"


_PROCEDURE = ("code", "display", "kind", "use", "source", "note")
_MEDICINE = ("code", "display", "drug", "source", "note")
_PANEL = ("code", "display", "input", "source", "note")
_PLACE = ("code", "display", "kind", "setting", "source")
_ABOUT_RULES = """A rule whose only source is clinical-logic is our own choice. Rules on results are applied while FHIR
is read, the others by the clinical core. Advice is said as "consider", never as an order; words
in brackets are filled in from the record."""
_ABOUT_INPUTS = """Plausible values are in the unit of the input, limits included. A default range counts only where the
laboratory gives none. "accept if unit" codes need a known unit; "context" codes are never read as the input."""
_ABOUT_UNITS = """A spelling is compared letter by letter. "accept as text" is a spelling that is not UCUM. Units
without a factor are refused, or keep their number for its own range only."""
_ABOUT_PANELS = "Asked for together with an input, whose result may be a component of them."
_ABOUT_CAUSES = """Numbers are codes that state the cause alone; "not alone" are broader, residual or related ones: they
never raise a finding by themselves. "pattern": values that fit. "exposure": told as possible only. An outcome is never
a cause."""


def _identity(content: Content, manifest: Manifest) -> list[str]:
    releases = (f"{name}: {release}" for name, release in manifest.releases.items())
    return [
        "",
        *table(
            ("what", "value"),
            (
                ("content version", manifest.version),
                ("date", manifest.date),
                ("digest", content.digest()),
                ("reviewers", cell(", ".join(manifest.reviewers)) or "none yet"),
                ("remark", cell(manifest.remark)),
                ("code systems", cell("; ".join(releases))),
            ),
        ),
    ]


def _part(title: str, lines: list[str], about: str = "") -> list[str]:
    return [f"## {title}", "", *([about, ""] if about else []), *lines]


def _codes(content: Content) -> list[str]:
    """Return the diagnosis codes outside SNOMED CT, and those that are refused."""
    lines = []
    for system, table_ in _without_snomed_by_system(layout.FINDINGS.items()):
        lines += _part(f"{codes.SYSTEM_NAMES[system]} codes", record.finding_codes(content, table_))
    refused = layout.REJECTED_FINDINGS[codes.ICD10CM]
    return [*lines, *_part("Diagnosis codes that are refused", record.rejected_codes(content, refused))]


def _without_snomed(tables: Iterable[tuple[str, Layout]]) -> list[Layout]:
    return [table_ for _, table_ in _without_snomed_by_system(tables)]


def _without_snomed_by_system(tables: Iterable[tuple[str, Layout]]) -> list[tuple[str, Layout]]:
    return [(system, table_) for system, table_ in tables if system != codes.SNOMED]


def _expanded(content: Content) -> str:
    editions = sorted({row["source"] for row in content.of(layout.EXPANDED)})
    return f"As expanded from {editions[0]}." if editions else "None: no terminology server was asked yet."


def _signatures(content: Content, manifest: Manifest) -> list[str]:
    """Return the block that makes a reader responsible. Names go into manifest.toml as well."""
    roles = ("clinician (limits, rules, causes, ranges)", "terminologist (codes, units)")
    return [
        "## Signatures",
        "",
        f"I have read this page for content {manifest.version} with digest `{content.digest()}`. Changes I ask for "
        "are listed with my signature. Review again within a year, and when a guideline or code system changes.",
        "",
        *table(("role", "name", "date", "signature"), ((role, "", "", "") for role in roles)),
    ]
