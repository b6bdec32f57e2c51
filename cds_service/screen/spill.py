"""Rows by patient on disk, in SQLite, so that no input is too large for the memory.

Knows: one database for each reading process, a table for each bucket of patients, pieces that were finished.
Must not know: FHIR. SQLite sorts and pages; why it and not another engine: docs/decisions/0032-screen-spill.md.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from cds_service.screen.found import Found, Rows

# SQLite attaches at most ten databases; one is in use already
MOST_SPILLS: Final = 8
_CACHE: Final = "PRAGMA cache_size = -16000"
_FILE_STEP: Final = 1 << 44


def bucket_of(patient: str, buckets: int) -> int:
    """The bucket of a patient, the same in every run."""
    return zlib.crc32(patient.encode()) % buckets


class Spill:
    """Takes the rows of one reading process."""

    def __init__(self, path: Path, buckets: int) -> None:
        self._buckets = buckets
        self._db = db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA page_size = 16384")
        db.execute("PRAGMA journal_mode = TRUNCATE")
        # a killed process loses nothing; after a power failure the run is begun anew
        db.execute("PRAGMA synchronous = OFF")
        db.execute(_CACHE)
        db.execute("BEGIN")
        for bucket in range(buckets):
            db.execute(f"CREATE TABLE IF NOT EXISTS rows_{bucket} (patient TEXT, rank INT, place INT, data BLOB)")
        db.execute("CREATE TABLE IF NOT EXISTS shared (name TEXT, data BLOB)")
        db.execute("CREATE TABLE IF NOT EXISTS pieces (piece INT PRIMARY KEY, found BLOB)")
        db.execute("COMMIT")
        self._file = 0
        self._sql = [f"INSERT INTO rows_{bucket} VALUES (?, ?, ?, ?)" for bucket in range(buckets)]  # noqa: S608

    def begin(self, file: int) -> None:
        """Begin a piece; what it holds counts only when it is ended."""
        self._file = file
        self._db.execute("BEGIN")

    def put(self, rows: Rows, offset: int) -> None:
        """Take rows that begin at this offset of the file."""
        place = self._file * _FILE_STEP + offset
        by_bucket: dict[int, list[tuple[str, int, int, bytes]]] = {}
        for (patient, rank), lines in rows.items():
            row = (patient, int(rank), place, b"\n".join(lines))
            by_bucket.setdefault(bucket_of(patient, self._buckets), []).append(row)
        for bucket, held in by_bucket.items():
            self._db.executemany(self._sql[bucket], held)

    def put_shared(self, name: str, data: bytes) -> None:
        """Take a resource that belongs to no patient."""
        self._db.execute("INSERT INTO shared VALUES (?, ?)", (name, data))

    def end(self, piece: int, found: Found) -> None:
        """End a piece."""
        self._db.execute("INSERT INTO pieces VALUES (?, ?)", (piece, msgspec.msgpack.encode(found)))
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close; an unfinished piece is forgotten."""
        self._db.close()


_FOUND: Final = msgspec.msgpack.Decoder(Found)


def finished(paths: Iterable[Path]) -> dict[int, Found]:
    """The pieces that were read to their end."""
    done: dict[int, Found] = {}
    for path in paths:
        with closing(sqlite3.connect(path)) as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pieces'").fetchone():
                done.update((piece, _FOUND.decode(found)) for piece, found in db.execute("SELECT * FROM pieces"))
    return done


def index_shared(path: Path) -> None:
    """Make shared resources quick to find."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE INDEX IF NOT EXISTS shared_name ON shared (name)")
        db.commit()


class Buckets:
    """Reads the rows of all processes back, patient by patient."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.execute(_CACHE)
        # large sorts go to disk
        self._db.execute("PRAGMA temp_store = FILE")
        self._names: list[str] = []
        for number, path in enumerate(paths):
            self._names.append(f"spill{number}")
            self._db.execute(f"ATTACH DATABASE ? AS spill{number}", (str(path),))
            self._db.execute(f"PRAGMA spill{number}.cache_size = -4000")

    def patients(self, bucket: int) -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
        """Yield each patient of the bucket with rank and lines of the rows, in the order of files and places."""
        union = " UNION ALL ".join(f"SELECT * FROM {name}.rows_{bucket}" for name in self._names)  # noqa: S608
        rows = self._db.execute(f"SELECT patient, rank, data FROM ({union}) ORDER BY patient, rank, place")  # noqa: S608
        for patient, held in groupby(rows, key=lambda row: row[0]):
            yield patient, [(rank, data) for _, rank, data in held]

    def shared(self, name: str) -> bytes | None:
        """A resource that belongs to no patient."""
        for spill in self._names:
            found = self._db.execute(f"SELECT data FROM {spill}.shared WHERE name = ?", (name,)).fetchone()  # noqa: S608
            if found:
                return bytes(found[0])
        return None

    def close(self) -> None:
        """Close."""
        self._db.close()
