"""Serve with granian: check the port, build the app once, say where it listens, fork the workers.

Knows: granian, sockets, what a newcomer wants to read first.
Must not know: what the service answers.
"""

import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from cds_service import logs
from cds_service.app import can_prepare, create_app, freeze, warn_of_open_door
from cds_service.pages.samples import shipped_examples
from cds_service.settings import Settings

SERVICE = "metastatic-calcification-patient-view"
# a sample that gets a card, so that the first thing a newcomer sees is one
FIRST_SAMPLE = "product-just-above-70"
# calls under way need less; a store that stands still would hold the end for ever
LONGEST_END_S = 25


class PortTaken(Exception):
    """Another program listens there."""


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Raises: PortTaken; what create_app raises.
    """
    _check_port(settings.host, settings.port)
    logs.configure(settings.log_level)
    warn_of_open_door(settings)
    _prepare_database(settings)
    with ExitStack() as stack:
        if settings.counts:
            from cds_service.observe import shared

            stack.enter_context(shared.folder())
        _serve(settings, say)


def _serve(settings: Settings, say: Callable[[str], None]) -> None:
    load = _Loader(settings)
    load("")  # in this process, before the fork: the workers share its memory, and bad content ends the start here
    say(_greeting(settings))
    Server(
        "cds_service",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads + settings.waiting_calls,
        websockets=False,
        log_level=LogLevels.error,  # it warns of more threads than cores, which wait for slow senders here
        respawn_failed_workers=True,
        workers_kill_timeout=LONGEST_END_S,
    ).serve(target_loader=load)


class _Loader:
    """Gives each worker the app: the one made before the fork, or where processes are spawned one of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app: Flask | None = None

    def __call__(self, _target: str) -> Flask:
        if parent_process() is not None and sys.platform != "win32":
            # Ctrl-C reaches the whole group; the parent ends its workers, and one that is told twice may never end
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        if self.app is None:
            logs.configure(self.settings.log_level)
            self.app = create_app(self.settings)
            freeze()
        return self.app

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings, "app": None}


def _prepare_database(settings: Settings) -> None:
    """Make the tables of a new SQLite file, and in sandbox mode upgrade those of an old one; leave all else to people.

    It happens in a process of its own, so that this one and its workers do not carry Alembic. Where it fails, the check
    of the tables that follows says what to do.
    """
    url = settings.database_url.get_secret_value()
    if not url or not can_prepare(url, sandbox=settings.sandbox):
        return
    work = "import sys; from cds_service.storage.upgrade import upgrade; upgrade(sys.stdin.read())"
    subprocess.run([sys.executable, "-c", work], input=url, text=True, stderr=subprocess.DEVNULL, check=False)  # noqa: S603  fixed words


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _check_port(host: str, port: int) -> None:
    """Find out that the port is taken; the server itself would share it with another copy of itself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"Cannot listen on {host}:{port}: {error.strerror}.") from None


def _greeting(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    lines = ["", f"calcinosis-cds{' (sandbox: synthetic patients only)' if settings.sandbox else ''}"]
    if not settings.checks_callers:
        lines.append("  CALLERS ARE NOT CHECKED: whoever reaches this address is answered. docs/security.md, Clients")
    lines.append(f"  Discovery   {base}/cds-services")
    if settings.sandbox:
        lines.append(f"  Playground  {base}/playground")
    elif settings.shows_pages:
        lines.append(f"  Knowledge   {base}/knowledge")
    sample = _first_sample()
    if sample:
        lines += [
            "  Try         curl -s -H 'Content-Type: application/json' \\",
            f"                   --data-binary @{shlex.quote(str(sample))} \\",
            f"                   {base}/cds-services/{SERVICE}",
            f"  All samples {_python()} -m cds_service demo --url {base}",
            f"  No server   {_python()} -m cds_service assess {shlex.quote(str(sample))}",
        ]
    lines += ["  Stop        Ctrl-C", ""]
    return "\n".join(lines)


def _python() -> str:
    """The interpreter that runs this, as one would type it here: no other need know the package."""
    ours, here = Path(sys.executable), Path.cwd()
    return shlex.quote(str(ours.relative_to(here) if ours.is_relative_to(here) else ours))


def _first_sample() -> Path | None:
    folder = shipped_examples()
    samples = sorted(folder.glob("*/request.json")) if folder else []
    named = [sample for sample in samples if sample.parent.name == FIRST_SAMPLE]
    return next(iter(named + samples), None)
