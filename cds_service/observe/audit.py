"""The audit log: one FHIR AuditEvent a call, a line of a file. The one place that keeps who was asked about.

Knows: AuditEvent (FHIR R4, after the patterns of IHE BALP), appending to a file that several processes share.
Must not know: HTTP; why a decision fell as it did.

The file is closed to other users. Whoever rotates it renames it: the next event opens a new one, without a signal.
"""

import fcntl
import os
import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from cds_service.storage.records import AuditRecord, DecisionRecord

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem/"
_INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"
_BALP: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/"
# AuditEvent.outcome: success, minor failure (the caller's), serious failure (ours)
_WELL, _REFUSED, _FAILED = "0", "4", "8"


PATIENCE_S: Final = 1.0
MOST_WAIT: Final = 10_000


@dataclass(slots=True, repr=False)
class _Event:
    """A line that waits to be written. It has no repr, because it identifies persons."""

    line: bytes
    done: threading.Event = field(default_factory=threading.Event)
    failure: OSError | None = None


class UnusableAuditFile(Exception):
    """The file cannot be written."""


class AuditFile:
    """Appends events as lines of JSON (NDJSON). A thread of its own writes; a call waits for it a bounded time only.

    Raises: UnusableAuditFile when the file cannot be opened at the start.
    """

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        self._path, self._file, self._lock = path, -1, threading.Lock()
        self._patience_s, self._late = patience_s, False
        self._waiting: queue.Queue[_Event] = queue.Queue(MOST_WAIT)
        self._writer: threading.Thread | None = None
        try:
            self._open()
        except OSError as error:
            raise UnusableAuditFile(f"{path} cannot be written: {error.strerror}") from None

    def record(self, note: AuditRecord) -> None:
        """Append one event, whole or not at all; return when it stands in the file.

        Raises: OSError, for instance when the disk is full; TimeoutError when it is so slow that the event is written
        later, if the process lives so long; queue.Full when too many wait already.
        """
        event = _Event(event_of(note) + b"\n")
        self._start()
        late = self._late  # then nobody waits until it has caught up
        self._waiting.put_nowait(event)
        if late or not event.done.wait(self._patience_s):
            with self._lock:
                self._late = not event.done.is_set()
            raise TimeoutError
        if event.failure is not None:
            raise event.failure

    def _start(self) -> None:
        """Start the writer with the first event, so that it lives in the process that serves and not in its parent."""
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="audit", daemon=True)
                self._writer.start()

    def _write(self) -> None:
        while True:
            event = self._waiting.get()
            try:
                self._append(event.line)
            except OSError as error:
                event.failure = error
            with self._lock:
                event.done.set()
                self._late = self._late and not self._waiting.empty()

    def _append(self, line: bytes) -> None:
        self._follow()
        fcntl.flock(self._file, fcntl.LOCK_EX)  # other processes append too
        try:
            _append(self._file, line)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _follow(self) -> None:
        """Open the file anew when it was renamed or removed."""
        try:
            there, held = os.stat(self._path), os.fstat(self._file)
            if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino):
                return
        except FileNotFoundError:
            pass
        os.close(self._file)
        self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _append(file: int, line: bytes) -> None:
    """Write the line; half a line on a full disk is taken back."""
    before = os.fstat(file).st_size
    if os.write(file, line) != len(line):
        os.ftruncate(file, before)
        raise OSError(28, "no room for a whole event")


def event_of(note: AuditRecord) -> bytes:
    """The event as JSON. Source: FHIR R4, AuditEvent; IHE ITI, Basic Audit Log Patterns."""
    entry = note.entry
    agents = [_agent("110153", "Source Role ID", entry.tenant or "unknown client", requestor=note.user is None)]
    agents.append(_agent("110152", "Destination Role ID", entry.service, requestor=False))
    if note.user:
        kind = _coded(_TERMS + "v3-ParticipationType", "IRCP", "information recipient")
        agents.append({"type": {"coding": [kind]}, "who": {"reference": note.user}, "requestor": True})
    return msgspec.json.encode(
        {
            "resourceType": "AuditEvent",
            "type": _coded(_TERMS + "audit-event-type", "rest", "Restful Operation"),
            "subtype": [_coded(_INTERACTION, "operation", "operation")],
            "action": "E",
            "recorded": entry.at.isoformat(),
            "outcome": _outcome(entry.outcome),
            "outcomeDesc": entry.outcome,
            "agent": agents,
            "source": {
                "observer": {"display": "calcinosis-cds"},
                "type": [_coded(_TERMS + "security-source-type", "4", "Application Server")],
            },
            "entity": _entities(note),
        }
    )


def _outcome(outcome: str) -> str:
    if outcome == "decided":
        return _WELL
    return _FAILED if outcome.startswith("5") else _REFUSED


def _entities(note: AuditRecord) -> list[dict[str, object]]:
    entry = note.entry
    entities: list[dict[str, object]] = [
        {
            "type": _coded(_TERMS + "audit-entity-type", "2", "System Object"),
            "role": _coded(_TERMS + "object-role", "24", "Query"),
            "name": entry.service,
            "detail": _details(entry),
        }
    ]
    if note.patient:
        entities.append(
            {
                "what": {"reference": note.patient},
                "type": _coded(_TERMS + "audit-entity-type", "1", "Person"),
                "role": _coded(_TERMS + "object-role", "1", "Patient"),
            }
        )
    if entry.hook_instance_hash:
        entities.append(
            {
                "what": {"identifier": {"value": entry.hook_instance_hash}},
                "type": _coded(_BALP + "BasicAuditEntityType", "XrequestId", "X-Request-Id"),
            }
        )
    return entities


def _details(entry: DecisionRecord) -> list[dict[str, str]]:
    told = {
        "hook": entry.hook,
        "tier": entry.tier,
        "rules": " ".join(entry.rules),
        "cards": str(entry.cards),
        "content": f"{entry.content_version} {entry.content_digest}",
    }
    return [{"type": name, "valueString": value} for name, value in told.items() if value]


def _agent(code: str, display: str, name: str, *, requestor: bool) -> dict[str, object]:
    return {
        "type": {"coding": [_coded(_DICOM, code, display)]},
        "who": {"display": name},
        "requestor": requestor,
    }


def _coded(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}
