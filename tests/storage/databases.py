"""Databases for the tests: SQLite files with tables, and a PostgreSQL server of one's own.

The server is Debian's or any other found on this machine, run as an unprivileged user on a socket in a new folder.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from cds_service.storage.upgrade import upgrade

_PLACES = "usr/lib/postgresql/*/bin"
NEEDED = "needs a PostgreSQL server, for instance Debian's package postgresql"


def sqlite_at(path: Path) -> str:
    """The URL of an SQLite file with all tables."""
    url = f"sqlite:///{path}"
    upgrade(url)
    return url


def binaries() -> Path | None:
    """Where initdb and postgres are, the newest first."""
    found = [Path(name).resolve().parent for name in [shutil.which("initdb")] if name]
    found += sorted(Path("/").glob(_PLACES), reverse=True)
    return next((place for place in found if (place / "initdb").exists() and (place / "postgres").exists()), None)


@contextmanager
def postgresql() -> Iterator["Server"]:
    """A server that lives as long as the block."""
    place = binaries()
    if place is None:
        assert not os.environ.get("CI"), f"{NEEDED}; CI must not do without"
        pytest.skip(NEEDED)
    with tempfile.TemporaryDirectory(prefix="cds-pg-") as name:
        server = Server(place, Path(name))
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Server:
    """A PostgreSQL server in a folder."""

    def __init__(self, place: Path, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._databases = 0
        # the server refuses to run as root
        root = os.geteuid() == 0
        self._user: dict[str, object] = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if root else {}
        if root:
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)

    def make(self) -> None:
        """Make the files of the server."""
        options = ["-D", f"{self._folder}/data", "-U", "cds", "-A", "trust", "-E", "UTF8", "--no-locale"]
        self._run("initdb", *options)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self._folder} -c listen_addresses='' -c max_connections=100 -c timezone=Asia/Kathmandu"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-l", f"{self._folder}/log", "-w", "-o", options, "start")

    def stop(self) -> None:
        """End it at once, connections and all."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", "immediate", "-w", "stop", check=False)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While the block lasts it takes connections and questions, and answers none."""
        parent = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        family = [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]
        _tell(family, signal.SIGSTOP)
        try:
            yield
        finally:
            _tell(family, signal.SIGCONT)

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"cds{self._databases}"
        address = "postgresql+psycopg://cds@/{}?host=" + str(self._folder)
        engine = sa.create_engine(address.format("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return address.format(name)

    def _run(self, program: str, *options: str, check: bool = True) -> None:
        subprocess.run(  # noqa: S603  our own words
            [str(self._place / program), *options],
            check=check,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            timeout=60,
            **self._user,  # type: ignore[call-overload]
        )


def _tell(family: list[int], number: int) -> None:
    for each in family:
        with suppress(ProcessLookupError):
            os.kill(each, number)
