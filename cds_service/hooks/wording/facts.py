"""What a card picks out of an assessment: the calcium, the phosphate, gaps and names, ready to be put into sentences.

Knows: the assessment and the tables of wording.
Must not know: Markdown, FHIR, the clock (the assessment carries its time).
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from cds_service.calcinosis.assessment import Assessment, Freshness, Product, Value
from cds_service.calcinosis.facts import Gap, GapReason, Position
from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.findings import ANALYTES, PROPER_NAMES
from cds_service.hooks.wording.write import compared, day, inert, number, reported, rounded, span

CALCIUM = ("ca_total", "ca_corrected_albumin")
IONIZED = ("ca_ionized", "ca_ionized_ph74")
PAIR = "ca_p_product"
UNIT, UNIT_SI = "mg2/dL2", "mmol2/L2"
BOUNDS = {"exact": "", "atLeast": "at least ", "atMost": "at most "}


@lru_cache(maxsize=8)  # one set of limits a site
def limits_of(criteria: Criteria) -> Mapping[str, str]:
    """Return every limit and window of the content as a word for the tables of wording."""
    words = {}
    for field in fields(criteria):
        value = getattr(criteria, field.name)
        words[field.name] = span(value) if isinstance(value, timedelta) else number(value)
    return words


def product_limits(criteria: Criteria) -> tuple[Decimal, ...]:
    """Return the limits that a product must not look equal to when it is not."""
    return (
        criteria.product_critical_mg2_dl2,
        criteria.product_warning_mg2_dl2,
        criteria.product_child_mg2_dl2,
        criteria.product_adolescent_mg2_dl2,
    )


def product_words(product: Product, criteria: Criteria, *, both: bool) -> str:
    """Write the product with its bound and unit; both: in mmol2/L2 as well."""
    number = compared(product.value_mg2_dl2, product_limits(criteria))
    words = f"{BOUNDS[product.bound]}{number} {UNIT}"
    return f"{words} ({rounded(product.value_mmol2_l2, 2)} {UNIT_SI})" if both else words


def only_suspected(a: Assessment) -> bool:
    """Tell whether the card rests on a calcification that the record suspects and does not confirm (CL-10)."""
    return a.headline in ("CL-58", "CL-59") and bool(a.suspected_names) and not a.documented_names


def later_day(product: Product) -> str:
    """Return the date of the later member of the pair."""
    members = (product.calcium.measurement, product.phosphate.measurement)
    return day(max(members, key=lambda m: m.taken.at).taken)


def values_of(assessment: Assessment) -> tuple[Value, ...]:
    """Return all values that a card shows: those of the product first, then the others, none twice."""
    product = assessment.product
    used = () if product is None else (product.calcium, product.phosphate, product.albumin)
    first = [value for value in used if value is not None]
    known = {(value.measurement.input, value.measurement.reference) for value in first}
    others = [v for v in assessment.values if (v.measurement.input, v.measurement.reference) not in known]
    return (*first, *others)


def value_for(assessment: Assessment, inputs: Iterable[str]) -> Value | None:
    """Return the shown value of one of these inputs."""
    wanted, product = tuple(inputs), assessment.product
    used: tuple[Value | None, ...] = () if product is None else (product.calcium, product.phosphate, product.albumin)
    for value in (*used, *assessment.values):
        if value is not None and value.measurement.input in wanted:
            return value
    return None


def severe_calcium(assessment: Assessment, criteria: Criteria) -> Value | None:
    """Return the calcium of CL-55 and CL-56: total or corrected, else ionised where that is the severe one."""
    total = value_for(assessment, CALCIUM)
    ionized = value_for(assessment, IONIZED)
    if total is not None and (total.canonical or Decimal(0)) >= criteria.calcium_moderate_mg_dl:
        return total
    severe = criteria.ionized_calcium_severe_mmol_l
    return ionized if ionized is not None and (ionized.canonical or Decimal(0)) >= severe else total


def calcium_words(value: Value) -> str:
    """Write a calcium for a sentence: as reported, or the corrected number with its unit."""
    if value.measurement.input in IONIZED:
        return f"ionised calcium {reported(value.measurement)}"
    if value.kind == "corrected" and value.canonical is not None:
        return f"corrected calcium {rounded(value.canonical)} mg/dL"
    return f"{'adjusted ' if value.kind == 'adjusted' else ''}calcium {reported(value.measurement)}"


def analyte(name: str) -> str:
    """Return what an input is called."""
    return ANALYTES.get(name) or inert(name.replace("_", " "), 40)


def cause_name(name: str) -> str:
    """Return a name of our content as it stands inside a sentence, without its remark in brackets."""
    short = name.split(" (")[0]
    proper = short.startswith(PROPER_NAMES) or short[1:2].isupper()
    return short if proper else short[:1].lower() + short[1:]


def pair_gaps(assessment: Assessment) -> tuple[Gap, ...]:
    """Return the gaps of calcium and phosphate, the most telling reason of each first."""
    order = list((GapReason.PENDING, GapReason.REFUSED, GapReason.UNREADABLE, GapReason.STALE))
    found = [gap for gap in assessment.gaps if gap.analyte in (*CALCIUM, "phosphate")]
    return tuple(sorted(found, key=lambda g: order.index(g.reason) if g.reason in order else len(order)))


def low_words(assessment: Assessment) -> list[str]:
    """Say in words which of calcium, ionised calcium and phosphate are low or high."""
    names = {"corrected": "corrected calcium", "adjusted": "adjusted calcium"}
    told = []
    for inputs in (CALCIUM, IONIZED, ("phosphate",)):
        value = value_for(assessment, inputs)
        if value is None or value.position not in (Position.LOW, Position.HIGH):
            continue
        name = names.get(value.kind or "", analyte(value.measurement.input))
        shown = (
            f"{rounded(value.canonical)} mg/dL"
            if value.kind == "corrected" and value.canonical is not None
            else reported(value.measurement)
        )
        told.append(f"{name} is {value.position} ({shown})")
    return told


def is_in_words(gap: Gap) -> bool:
    """Tell whether the laboratory gave the result in words only, so that it may be known but cannot be multiplied."""
    return gap.reason is GapReason.MISSING and "in words only" in gap.detail


def needs_calcium(assessment: Assessment) -> bool:
    """Tell whether calcium and vitamin D are not to be called into question (CL-113)."""
    calcium = (value_for(assessment, CALCIUM), value_for(assessment, IONIZED))
    low = any(value is not None and value.position is Position.LOW for value in calcium)
    return low or "post-parathyroidectomy" in assessment.population


def is_stale(assessment: Assessment) -> bool:
    """Tell whether the only product is too old to speak for the present."""
    return assessment.product is not None and assessment.product.freshness is Freshness.STALE


def is_hypocalcaemic(assessment: Assessment) -> bool:
    """Tell whether calcium is low beside a high phosphate (CL-111)."""
    low = any(
        value is not None and value.position is Position.LOW
        for value in (value_for(assessment, CALCIUM), value_for(assessment, IONIZED))
    )
    phosphate = value_for(assessment, ("phosphate",))
    return low and phosphate is not None and phosphate.position is Position.HIGH
