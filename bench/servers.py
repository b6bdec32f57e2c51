"""Start the servers that are compared, and read from /proc what they use. Linux only."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Check, any_card, right_answer
from cds_service.server import SERVICE, free_port

ROOT = Path(__file__).parents[1]
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A running server and where to post."""

    name: str
    port: int
    path: str
    check: Check
    process: "subprocess.Popen[bytes]"

    def family(self) -> list[int]:
        """The started process and all below it."""
        found, children = [self.process.pid], _children()
        for each in found:
            found += children.get(each, [])
        return found

    def cpu_seconds(self) -> float:
        return sum(_cpu(each) for each in self.family())

    def peak_mb(self) -> list[float]:
        """Highest resident size of each worker since reset_peak, largest first."""
        workers = self.family()[1:] or self.family()
        return sorted((_memory(each, "VmHWM") for each in workers), reverse=True)

    def resident_mb(self) -> list[float]:
        workers = self.family()[1:] or self.family()
        return sorted((_memory(each, "VmRSS") for each in workers), reverse=True)

    def reset_peak(self) -> None:
        for each in self.family():
            Path(f"/proc/{each}/clear_refs").write_text("5")


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended meanwhile
        children.setdefault(parent, []).append(int(path.parent.name))
    return children


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def _memory(pid: int, key: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)


def machine_busy() -> float:
    """CPU seconds that anyone spent on this machine."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields[each] for each in (0, 1, 2, 5, 6, 7)) / TICK


@contextmanager
def started(
    name: str, command: Sequence[str], path: str, check: Check, *, ready: str, log: Path, **environment: str
) -> Iterator[Target]:
    """The server while the block lasts; {port} in the command becomes a free port.

    ready: address that answers 200 or 405 once it serves.
    """
    port = free_port()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CDS_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [each.format(port=port) for each in command], cwd=ROOT, env={**clean, **environment}, stdout=out, stderr=out
        )
        try:
            _wait(f"http://127.0.0.1:{port}{ready}", process, log)
            yield Target(name, port, path, check, process)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - a loopback address
                return
        except urllib.error.HTTPError as error:
            if error.code == 405:
                return
            raise
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"{url} does not answer:\n{log.read_text()}")


@contextmanager
def service(folder: Path, name: str = "service", **environment: str) -> Iterator[Target]:
    """This service as in production: no sandbox, two workers, journal in SQLite, one log line a call.

    Only the limit of the body is raised, so that the hostile requests are decided and not refused.
    """
    with started(
        name,
        [sys.executable, "-m", "cds_service", "serve", "--port", "{port}"],
        f"/cds-services/{SERVICE}",
        right_answer,
        ready="/readyz",
        log=folder / f"{name}.log",
        CDS_DATABASE_URL=f"sqlite:///{folder}/{name}.sqlite3",
        CDS_MAX_BODY_BYTES=str(64 << 20),
        **environment,
    ) as target:
        yield target


@contextmanager
def floor(folder: Path) -> Iterator[Target]:
    """The least that a Flask service pays (floor_app.py)."""
    with started(
        "floor",
        [sys.executable, "-m", "bench.floor_app", "{port}"],
        "/cds-services/floor",
        any_card,
        ready="/cds-services/floor",
        log=folder / "floor.log",
    ) as target:
        yield target
