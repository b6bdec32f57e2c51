"""Source attributes of a decision support intervention, 45 CFR 170.315(b)(11) (HTI-1): what a site files about us.

Knows: the attributes of an evidence-based intervention, and those of a predictive one, which do not apply.
Must not know: files. What nobody has told us is missing, and is shown as missing.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from cds_service import __version__
from cds_service.interchange.manifest import PUBLISHER, manifest_of
from cds_service.interchange.markdown import cell, table
from cds_service.terminology.content import Content

MISSING: Final = "missing"
NOT_APPLICABLE: Final = "not applicable: no training data"
PUBLICATIONS: Final = frozenset({"article", "case report", "guideline", "study", "textbook"})
_REGULATION: Final = "45 CFR 170.315(b)(11)(iv)"

# Groups of the predictive attributes; names in our words.
_PREDICTIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "Details and output": ("developer", "funding source", "value produced", "type of output"),
    "Purpose": ("intended use", "intended patient population", "intended users", "role in decisions"),
    "Cautioned out-of-scope use": ("tasks, situations and populations to avoid", "known risks and limits"),
    "Development details and input features": (
        "inclusion and exclusion criteria of training data",
        "use of the attributes 5 to 13 as input",
        "demographic representativeness of training data",
        "relevance of training data to the place of use",
    ),
    "Fairness in development": ("approach to fairness", "ways to manage or reduce bias"),
    "External validation": ("data and setting", "party that tested", "demographic representativeness", "process"),
    "Quantitative measures": (
        "validity in data of the same source",
        "fairness in data of the same source",
        "validity in external data",
        "fairness in external data",
        "evaluations of outcomes",
    ),
    "Ongoing maintenance": (
        "monitoring of validity",
        "validity in local data",
        "monitoring of fairness",
        "fairness in local data",
    ),
    "Update and continued validation": ("schedule of updates", "schedule of correction"),
}


def dsi_attributes(content: Content) -> dict[str, Any]:
    """Return the document: evidence-based attributes filled from the content, predictive ones as not applicable."""
    manifest = manifest_of(content)
    return {
        "intervention": "calcinosis-cds: metastatic calcification risk",
        "type": "evidence-based decision support intervention",
        "regulation": _REGULATION,
        "contentVersion": manifest.version,
        "contentDigest": content.digest(),
        "reviewers": list(manifest.reviewers) or MISSING,
        "evidenceBased": [
            {"number": number, "attribute": name, "value": value}
            for number, (name, value) in enumerate(_evidence_based(content).items(), 1)
        ],
        "predictive": [
            {"group": group, "attribute": name, "value": NOT_APPLICABLE}
            for group, names in _PREDICTIVE.items()
            for name in names
        ],
    }


def _evidence_based(content: Content) -> dict[str, Any]:
    manifest, unused = manifest_of(content), "none: not read"
    published = sorted(
        (source for source in content.sources.values() if source.kind in PUBLICATIONS), key=lambda each: each.id
    )
    return {
        "Bibliographic citation": [
            {"id": each.id, "title": each.title, "year": each.year or MISSING, "url": each.url or MISSING}
            for each in published
        ],
        "Developer": {"name": PUBLISHER, "contact": MISSING},
        "Funding source of the technical implementation": MISSING,
        "Release and revision dates": {
            "software": {"version": __version__, "date": MISSING},
            "content": {"version": manifest.version, "date": manifest.date},
            "reference sources": "the years of the citations",
            "last clinical review": MISSING if not manifest.reviewers else manifest.date,
        },
        "Use of race": unused,
        "Use of ethnicity": unused,
        "Use of language": unused,
        "Use of sexual orientation": unused,
        "Use of gender identity": unused,
        "Use of sex": "listed as a risk factor of calciphylaxis (CL-80); it never changes a level",
        "Use of date of birth": "age decides limits, reference ranges and paediatric rules (CL-150 to CL-156)",
        "Use of social determinants of health": unused,
        "Use of health status assessments": unused,
    }


def dsi_json(content: Content) -> str:
    """Return docs/dsi-attributes.json."""
    return json.dumps(dsi_attributes(content), indent=2, ensure_ascii=False) + "\n"


def dsi_page(content: Content) -> str:
    """Return docs/dsi-attributes.md, the same for readers."""
    told = dsi_attributes(content)
    reviewers = told["reviewers"]
    parts = [
        "# Source attributes (HTI-1)\n",
        "For safety officers and certified health IT developers; reference, written by `cds-service knowledge` with\n"
        "`docs/dsi-attributes.json`; do not edit. The service is rule-based: an evidence-based decision support\n"
        f"intervention in the sense of {_REGULATION}. What nobody has stated is shown as missing. Not legal advice;\n"
        "names of attributes are in our words.\n",
        f"Content {told['contentVersion']}, digest `{told['contentDigest']}`; reviewers: "
        f"{reviewers if isinstance(reviewers, str) else ', '.join(reviewers)}.\n",
        "## Evidence-based attributes\n",
        *table(
            ("#", "attribute", "value"),
            ((str(each["number"]), cell(each["attribute"]), _words(each["value"])) for each in told["evidenceBased"]),
        ),
        "## Predictive attributes\n",
        *table(
            ("group", "attribute", "value"),
            ((cell(each["group"]), cell(each["attribute"]), each["value"]) for each in told["predictive"]),
        ),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "<br>".join(cell(f"{each['title']} (year {each['year']}; link {each['url']})") for each in value)
    if isinstance(value, dict):
        return "<br>".join(f"{cell(name)}: {_words(part)}" for name, part in value.items())
    return cell(str(value))
