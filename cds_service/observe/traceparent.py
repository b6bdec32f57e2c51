"""The trace that the caller says its call belongs to.

Knows: the header traceparent. Source: W3C Trace Context, "traceparent Header".
Must not know: who keeps traces.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """The caller's trace. trace_id and parent_id are hexadecimal digits, nothing else."""

    trace_id: str
    parent_id: str
    sampled: bool


current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def read(header: str | None) -> Trace | None:
    """The trace that the header names; None when there is none or it does not have the form."""
    found = _FORM.fullmatch(header or "")
    if found is None or (found[1] == "00" and found[5]):
        return None
    return Trace(found[2], found[3], sampled=bool(int(found[4], 16) & 1))
