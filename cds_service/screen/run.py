"""A whole run on one machine: read, judge, put together; begun anew or resumed.

Knows: the order of the work, the folder in which it goes on, which faults end it and what is said then.
Must not know: one patient; how the report looks.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final, Protocol

import msgspec

from cds_service.screen.found import RANKS, Found
from cds_service.screen.inputs import Piece, find
from cds_service.screen.outputs import Outcome, finish
from cds_service.screen.pool import Pool, here
from cds_service.screen.record import KEYS
from cds_service.screen.setup import AUTO, SHIFTED, Choices, Plan, plan_of
from cds_service.screen.spill import MOST_SPILLS, finished, index_shared
from cds_service.screen.tally import Tally
from cds_service.screen.work import Known, Stats, done_bucket, judge_bucket, read_pieces
from cds_service.terminology.catalog import Catalog

WORK: Final = ".screen-work"


class RunFailed(Exception):
    """The run stopped before its end; the text says why and how it can go on."""


class Progress(Protocol):
    """Shows how far the run is; commands/screen.py draws bars."""

    def step(self, name: str, length: int) -> None:
        """Begin a step of so many units."""

    def at(self, done: int) -> None:
        """Tell how many are done."""

    def end(self) -> None:
        """End the step."""


def run(
    paths: Sequence[Path],
    out: Path,
    choices: Choices,
    catalog: Catalog,
    *,
    processes: int,
    progress: Progress,
    say: Callable[[str], None],
) -> Outcome:
    """Screen the files and write everything into `out`.

    Raises: InputError when the input cannot be used, RunFailed when the work stopped.
    """
    files, aside = find([path for path in paths])
    files = [file for file in files if not Path(file.path).is_relative_to(out.resolve())]
    with _faults_told(out):
        plan = plan_of(files, choices, catalog.digest)
        choices, resumed = _begin(out, plan, choices)
        if resumed:
            say("Going on with the run that was interrupted.")
        with Pool(processes, catalog, choices.local_mappings) as pool:
            found = _read(out / WORK, plan, choices, pool, processes, progress)
            known = known_of(found, choices)
            stats = _judge(out / WORK, plan, choices, known, pool, progress)
            checksums = _checksums(plan, pool, progress)
        outcome = finish(
            out, out / WORK, plan, choices, catalog, known=known, found=found, stats=stats, checksums=checksums,
            aside=aside,
        )  # fmt: skip
        shutil.rmtree(out / WORK)
    return outcome


@contextmanager
def _faults_told(out: Path) -> Iterator[None]:
    """Turn what the machine refuses into a clear end. The work so far is kept."""
    again = f"What was done is kept in {out / WORK}; the same command goes on from there."
    try:
        yield
    except sqlite3.Error as error:
        full = "full" in str(error)
        told = "The disk is full." if full else f"The working files cannot be used ({error})."
        raise RunFailed(f"{told} {again}") from None
    except OSError as error:
        raise RunFailed(f"{error.strerror or error}: {error.filename or out}. {again}") from None
    except BrokenProcessPool:
        raise RunFailed(f"A process was killed, perhaps for want of memory. {again}") from None


class _Begun(msgspec.Struct):
    """What is remembered of a run for the case that it is interrupted."""

    digest: str
    now: datetime


def _begin(out: Path, plan: Plan, choices: Choices) -> tuple[Choices, bool]:
    """Begin, or go on with the same run under its first clock; a run of other input or choices is begun anew."""
    work = out / WORK
    path = work / "run.json"
    if path.exists():
        try:
            begun = msgspec.json.decode(path.read_bytes(), type=_Begun)
        except msgspec.DecodeError:
            begun = _Begun("", choices.now)
        if begun.digest == plan.digest:
            return replace(choices, now=begun.now.astimezone(choices.now.tzinfo)), True
    if work.exists():
        shutil.rmtree(work)
    (work / "parts").mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(_Begun(plan.digest, choices.now)))
    return choices, False


# ---- reading


def _spills(work: Path) -> list[Path]:
    return sorted(work.glob("spill-*.sqlite"))


def _read(work: Path, plan: Plan, choices: Choices, pool: Pool, processes: int, progress: Progress) -> Found:
    """Read all pieces that were not read yet; what was found in all."""
    done = finished(_spills(work))
    left = [piece for piece in plan.pieces if piece.number not in done]
    before = sum(piece.end - piece.start for piece in plan.pieces if piece.number in done)
    progress.step("reading", plan.bytes)
    slots = min(processes, MOST_SPILLS, len(left))
    tasks = [(work / f"spill-{slot}.sqlite", plan, choices, left) for slot in range(slots)]
    for _ in pool.run(_read_left, tasks, lambda: progress.at(before + pool.shared.read.value)):
        pass
    progress.end()
    for path in _spills(work):
        index_shared(path)
    return _summed(plan, finished(_spills(work)))


def _read_left(path: Path, plan: Plan, choices: Choices, left: Sequence[Piece]) -> None:
    shared = here().shared

    def following() -> Piece | None:
        number = shared.take()
        return left[number] if number < len(left) else None

    read_pieces(path, plan, choices, here().catalog, following, shared.add)


def _summed(plan: Plan, found: dict[int, Found]) -> Found:
    """All pieces together."""
    total = Found()
    lines: dict[int, int] = {}
    for piece in plan.pieces:
        part = found[piece.number]
        total.add(part, lines.get(piece.file, 0), piece.file)
        lines[piece.file] = lines.get(piece.file, 0) + part.lines
    return total


def known_of(found: Found, choices: Choices) -> Known:
    """What only the whole input tells."""
    types = {*found.types, *choices.exported} & RANKS.keys()
    keys = {KEYS[RANKS[kind]] for kind in types}
    year = str(choices.now.year).encode()
    later = sum(count for each, count in found.years.items() if each.isdigit() and each > year)
    shifted = choices.dates == SHIFTED or (choices.dates == AUTO and 2 * later > sum(found.years.values()))
    return Known(exported=tuple(key for key in dict.fromkeys(KEYS.values()) if key in keys), shifted=shifted)


# ---- judging


def _judge(work: Path, plan: Plan, choices: Choices, known: Known, pool: Pool, progress: Progress) -> Stats:
    """Judge all buckets that were not judged yet; the stats of all."""
    total = Stats(Tally())
    left = []
    for bucket in range(plan.buckets):
        stats = done_bucket(work / "parts", bucket)
        if stats is None:
            left.append((bucket, _spills(work), work / "parts", choices, known))
        else:
            total.merge(stats, choices.sample)
    progress.step("judging", plan.buckets)
    done = plan.buckets - len(left)
    for stats in pool.run(_judge_bucket, left):
        total.merge(stats, choices.sample)
        done += 1
        progress.at(done)
    progress.end()
    return total


def _judge_bucket(bucket: int, spills: Sequence[Path], folder: Path, choices: Choices, known: Known) -> Stats:
    return judge_bucket(bucket, spills, folder, choices, here().catalog, known)


# ---- checksums


def _checksums(plan: Plan, pool: Pool, progress: Progress) -> dict[str, str]:
    """SHA-256 of each input file."""
    progress.step("checksums", len(plan.files))
    found = {}
    for path, digest in pool.run(_checksum, [(file.path,) for file in plan.files]):
        found[path] = digest
        progress.at(len(found))
    progress.end()
    return found


def _checksum(path: str) -> tuple[str, str]:
    with open(path, "rb") as file:
        return path, file_digest(file, "sha256").hexdigest()


def processes_here() -> int:
    """As many processes as this machine has CPUs for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
