"""Chart review: the form of the sample, and what a filled-in form says.

Knows: the columns of the form, the words of a verdict, the interval of a share.
Must not know: how the sample was drawn.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from cds_service.screen.written import csv_text

FORM_COLUMNS: Final = (
    "number",
    "patient",
    "encounter",
    "at",
    "tier",
    "rule",
    "product",
    "calcium",
    "phosphate",
    "setting",
    "summary",
    "verdict",
    "reviewer",
    "comment",
)
RIGHT, WRONG, UNCLEAR = "right", "wrong", "unclear"
VERDICTS: Final = (RIGHT, WRONG, UNCLEAR)
# the 97.5th percentile of the normal distribution: an interval of 95 %
_Z: Final = 1.959963984540054


class FormError(Exception):
    """The form cannot be used; one line per problem."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Share:
    """Right among judged, with the Wilson interval of 95 %; None when nothing was judged."""

    right: int
    judged: int
    unclear: int
    empty: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.right / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its interval."""
        return wilson(self.right, self.judged) if self.judged else None


def form_text(rows: Iterable[Mapping[str, str]]) -> str:
    """The form, one row a card; verdict, reviewer and comment are to be filled in."""
    numbered = ({**row, "number": str(number)} for number, row in enumerate(rows, 1))
    chosen = ({name: row.get(name, "") for name in FORM_COLUMNS} for row in numbered)
    return csv_text(chosen, FORM_COLUMNS, header=True)


def read_form(text: str) -> dict[str, Share]:
    """The share of right cards, for all and by tier.

    Raises: FormError.
    """
    # spreadsheets of many countries write semicolons
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    lacking = {"tier", "verdict"} - set(reader.fieldnames or ())
    if lacking:
        raise FormError((f"columns that lack: {', '.join(sorted(lacking))}",))
    counts: dict[str, Counter[str]] = {"all": Counter()}
    problems = []
    for row in reader:
        verdict = (row["verdict"] or "").strip().lower()
        if verdict not in ("", *VERDICTS):
            problems.append(f"line {reader.line_num}: verdict is none of {', '.join(VERDICTS)}")
            continue
        counts["all"][verdict] += 1
        counts.setdefault((row["tier"] or "").strip(), Counter())[verdict] += 1
    if not counts["all"] and not problems:
        problems.append("the form holds no card")
    if problems:
        raise FormError(tuple(problems))
    return {
        tier: Share(held[RIGHT], held[RIGHT] + held[WRONG], held[UNCLEAR], held[""]) for tier, held in counts.items()
    }


def wilson(right: int, judged: int) -> tuple[float, float]:
    """The Wilson score interval of 95 % of a share; it holds for small samples and for shares near 0 and 1."""
    share, square = right / judged, _Z * _Z
    middle = (share + square / (2 * judged)) / (1 + square / judged)
    half = _Z / (1 + square / judged) * sqrt(share * (1 - share) / judged + square / (4 * judged * judged))
    return max(0.0, middle - half), min(1.0, middle + half)


def review_text(shares: Mapping[str, Share]) -> str:
    """The result as a reader at a terminal sees it."""
    lines = ["Positive predictive value (right among cards judged right or wrong; 95 % Wilson interval)"]
    for tier in ("all", *(tier for tier in ("critical", "warning", "info") if tier in shares)):
        share = shares[tier]
        told = "no card judged yet"
        if share.value is not None and share.interval is not None:
            low, high = share.interval
            told = f"{share.value:.1%} ({low:.1%} to {high:.1%}), {share.right} of {share.judged}"
        lines.append(f"  {tier:9} {told}; unclear {share.unclear}, not filled in {share.empty}")
    return "\n".join(lines)
