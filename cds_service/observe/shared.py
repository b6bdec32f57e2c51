"""One folder in which all processes of a server keep their numbers, so that any of them can tell the sum.

Knows: the files of prometheus-client's multiprocess mode.
Must not know: which numbers are kept.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry, multiprocess, values
from prometheus_client.exposition import generate_latest
from prometheus_client.mmap_dict import MmapedDict

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Room for about 7000 series of each kind, taken at once: a file that grows on a full disk would end the process.
_ROOM = 1 << 20
_ENDED = "ended"


@contextmanager
def folder() -> Iterator[Path]:
    """Keep numbers in a new folder while the block lasts; processes forked in it share them."""
    before, kind = os.environ.get(VARIABLE), values.ValueClass
    with TemporaryDirectory(prefix="cds-metrics-") as made:
        os.environ[VARIABLE] = made
        values.ValueClass = values.MultiProcessValue(_process_with_room(Path(made)))  # type: ignore[no-untyped-call]
        try:
            yield Path(made)
        finally:
            values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]
            values.ValueClass = kind
            if before is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = before


def _process_with_room(place: Path) -> Callable[[], int]:
    """Tell the process id; at the first time in each process take the room for its files, or raise OSError."""
    ready: set[int] = set()

    def process() -> int:
        pid = os.getpid()
        if pid not in ready:
            for kind in ("counter", "histogram", "gauge_max"):
                _take_room(place / f"{kind}_{pid}.db")
            ready.add(pid)
        return pid

    return process


def _take_room(path: Path) -> None:
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, _ROOM)


def shared_folder() -> Path | None:
    """The folder that this process shares with others, if any; foreign servers name it in the environment."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def text_of_all(place: Path) -> bytes:
    """The numbers of all processes together, also of those that have ended."""
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _gather_ended(place)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=str(place))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _gather_ended(place: Path) -> None:
    """Add what ended processes counted to one file and remove theirs, so that the folder does not grow."""
    for kind in ("counter", "histogram"):
        ended = [path for path in place.glob(f"{kind}_[0-9]*.db") if not _lives(path)]
        if not ended:
            continue
        _take_room(place / f"{kind}_{_ENDED}.db")
        total = MmapedDict(str(place / f"{kind}_{_ENDED}.db"))  # type: ignore[no-untyped-call]
        for path in ended:
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
                total.write_value(key, total.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
            path.unlink()
        total.close()  # type: ignore[no-untyped-call]
    for path in place.glob("gauge_*.db"):
        if not _lives(path):
            path.unlink()


def _lives(path: Path) -> bool:
    try:
        os.kill(int(path.stem.rpartition("_")[2]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
