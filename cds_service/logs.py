"""Log lines as JSON, with a list of what may stand in them.

Knows: the allowed fields. Whatever else a record carries is left out: a slip elsewhere cannot put a patient in a log.
Must not know: where the lines go.
"""

import logging
import sys
from datetime import UTC, datetime

import msgspec

ROOT = "cds_service"
ALLOWED = (
    "service",
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
    "host",
    "port",
    "workers",
    "sandbox",
)


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, event and the allowed fields.

    Messages are constant texts, so they are the event. Records of other libraries may quote addresses with a patient in
    them; of those only the logger and the level are kept. Exception messages are never printed.
    """

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name == ROOT or record.name.startswith(ROOT + ".")
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": record.msg if ours and isinstance(record.msg, str) else record.name,
        }
        if ours:
            line.update((name, record.__dict__[name]) for name in ALLOWED if name in record.__dict__)
        return msgspec.json.encode(line).decode()


def configure(level: str) -> None:
    """Send all records to stderr; other libraries speak only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level)
