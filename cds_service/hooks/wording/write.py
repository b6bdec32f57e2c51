"""Numbers, dates and text from the chart, written so that a card shows them as text and nothing else.

Knows: how a number, a span of time and a foreign string are written.
Must not know: what they mean.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from cds_service.calcinosis.facts import Measurement, Taken

MOST_DECIMALS = 4
_WITHOUT_EXPONENT_BELOW = Decimal("1e12")
_STEPS = tuple(Decimal(1).scaleb(-decimals) for decimals in range(7))  # 1, 0.1, 0.01 ... 0.000001
COMPARATORS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}

_COMPARED = re.compile(r"(>=|<=|>|<)\s*(?=\d)")
_PLAIN = re.compile(r"[A-Za-z0-9]+(?:[ /\-][A-Za-z0-9]+)*")  # nothing in it needs a second look
_FOREIGN = re.compile(r"[^\w \-.,;:/%+=()\[\]{}^'°·]+")
_LINKS = re.compile(r"(?i)(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.)|(?<=\])(?=\()|//+")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_CLOCK = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?")


def inert(text: str, limit: int = 60) -> str:
    """Return a foreign string as plain words: no markup, link, table or line break can come of it.

    Characters that Markdown or HTML could read become "?", comparators become words, long text is cut.
    """
    if len(text) <= limit and _PLAIN.fullmatch(text):
        return text
    words = _COMPARED.sub(lambda found: f"{COMPARATORS[found[1]]} ", " ".join(text.split()))
    words = _LINKS.sub(" ", _FOREIGN.sub("?", words)).strip()
    return words if len(words) <= limit else words[: limit - 3].rstrip() + "..."


def number(value: Decimal) -> str:
    """Write a number as it came, without exponent, with at most four decimals."""
    if not value.is_finite() or abs(value) >= _WITHOUT_EXPONENT_BELOW:
        return f"{value:.3e}"
    text = f"{value:f}"
    if len(text.partition(".")[2]) > MOST_DECIMALS:
        return _trimmed(value.quantize(_STEPS[MOST_DECIMALS], ROUND_HALF_UP))
    return text


def rounded(value: Decimal, decimals: int = 1) -> str:
    """Write a number with a fixed count of decimals, at most six, halves away from zero."""
    return f"{value.quantize(_STEPS[decimals], ROUND_HALF_UP):f}"


def compared(value: Decimal, limits: Iterable[Decimal]) -> str:
    """Write a number with one decimal, or with more where it would else look equal to a limit that it is not."""
    decimals, known = 1, tuple(limits)
    while decimals < 6 and any(value != limit and Decimal(rounded(value, decimals)) == limit for limit in known):
        decimals += 1
    return rounded(value, decimals)


def short(value: Decimal) -> str:
    """Write a converted number with one or two decimals."""
    two = rounded(value, 2)
    return two[:-1] if two.endswith("0") else two


def reported(measurement: Measurement) -> str:
    """Write a value and its unit as the laboratory gave them, comparators as words."""
    if measurement.reported is None:
        return "in words only"
    words = [COMPARATORS.get(measurement.comparator or "", ""), number(measurement.reported)]
    words.append(inert(measurement.unit, 24).replace("{1.73_m2}", "1.73 m2") if measurement.unit else "(no unit)")
    return " ".join(word for word in words if word)


def day(taken: Taken) -> str:
    """Write the date of a collection as received, without the time."""
    found = _DATE.match(taken.text)
    return found[0] if found else taken.at.date().isoformat()


def moment(taken: Taken) -> str:
    """Write date and time of a collection as received, without seconds."""
    found = _CLOCK.fullmatch(taken.text)
    if found is None:
        return day(taken)
    zone = "UTC" if found[3] == "Z" else found[3] or ""
    return f"{found[1]} {found[2]} {zone}".rstrip() + (" (reporting time)" if taken.uncertain else "")


def age(taken: Taken, now: datetime) -> str:
    """Write how old a collection is at hook time."""
    return span(max(now - taken.at, timedelta(0)))


def span(length: timedelta) -> str:
    """Write a length of time in minutes, hours or, from two days on, days."""
    if length >= timedelta(days=2):
        return f"{length.days} days"
    hours = Decimal(int(length.total_seconds())) / 3600
    if hours < 1:
        return f"{int(length.total_seconds()) // 60} min"
    near = hours.quantize(Decimal(1), ROUND_HALF_UP)
    return f"{near:f} h" if abs(hours - near) < Decimal("0.05") else f"{rounded(hours)} h"


def hours(count: Decimal) -> str:
    """Write a count of hours, in full up to three days (the widest pair)."""
    near = count.quantize(Decimal(1), ROUND_HALF_UP)
    if count < 1:
        return f"{int(count * 60)} min"
    return f"{near:f} h" if abs(count - near) < Decimal("0.05") else f"{rounded(count)} h"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words with commas and a last conjunction."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def sentence(words: str) -> str:
    """Make the first letter large, but not in a name such as eGFR; the rest stays."""
    return words if words[1:2].isupper() else words[:1].upper() + words[1:]


def _trimmed(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
