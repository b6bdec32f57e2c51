"""Unit factors: exact decimals or fractions of decimals, never floats.

Knows: how a factor is written in units.csv and which verdicts need one.
Must not know: which units exist; that is content.
"""

import re
from decimal import Decimal
from typing import Final

CONVERTS: Final = frozenset({"accept", "accept_as_text"})
VERDICTS: Final = ("accept", "accept_as_text", "accept_if_code_indexed", "reject", "reject_conversion")

_NUMBER = r"\d+(?:\.\d+)?"
_FACTOR = re.compile(rf"({_NUMBER})(?:/({_NUMBER}))?", re.ASCII)


def parse_factor(text: str) -> Decimal | None:
    """Read "4.0078" or "1/4.0078"; None when it is no positive factor. A fraction is divided at 28 digits."""
    form = _FACTOR.fullmatch(text)
    if form is None:
        return None
    over, under = Decimal(form[1]), Decimal(form[2] or 1)
    return over / under if over > 0 and under > 0 else None
