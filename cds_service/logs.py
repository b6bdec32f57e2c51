"""Log lines as JSON, with a list of what may stand in them.

Knows: the allowed fields, and the trace of the call at hand. Whatever else a record carries is left out: a slip
elsewhere cannot put a patient in a log.
Must not know: where the lines go.
"""

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from cds_service.observe import traceparent

ROOT = "cds_service"
_STDERR = 2
ALLOWED = {
    "service",
    "tenant",
    "reason",
    "hook_instance_hash",
    "outcome",
    "status",
    "tier",
    "cards",
    "gaps",
    "read_ms",
    "decide_ms",
    "answer_ms",
    "content_version",
    "content_digest",
    "incident",
    "error",
    "trace",
    "failures",
    "lost",
    "lost_cards",
    "delivery",
    "host",
    "port",
    "workers",
    "sandbox",
}


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, event and the allowed fields.

    Messages are constant texts, so they are the event. Records of other libraries may quote addresses with a patient in
    them; of those only the logger and the level are kept. Exception messages are never printed.
    """

    def format(self, record: logging.LogRecord) -> str:
        return line_of(record).decode()


class Stderr(logging.Handler):
    """Writes each line with one call to the system, so that lines of several processes do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # nobody reads any more: no reason to fail a call
            os.write(_STDERR, line_of(record) + b"\n")


def line_of(record: logging.LogRecord) -> bytes:
    """The record as JSON."""
    carried = record.__dict__
    ours = record.name.startswith(ROOT)
    line: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "event": record.msg if ours and isinstance(record.msg, str) else record.name,
    }
    if ours:
        line.update((name, value) for name, value in carried.items() if name in ALLOWED)
        trace = traceparent.current.get()
        if trace is not None:
            line["trace_id"] = trace.trace_id
    return msgspec.json.encode(line)


def configure(level: str) -> None:
    """Send all records to stderr; other libraries speak only from WARNING on."""
    # What no line shows need not be found out. Source: Python, Logging HOWTO, "Optimization".
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    root = logging.getLogger()
    root.handlers[:] = [Stderr()]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level)
