"""Bring the tables of a database to the version of this service.

Knows: Alembic, and the lock that keeps two upgrades apart.
Must not know: what the tables are for. Import it only to upgrade: Alembic costs more than half a second.
"""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from cds_service.storage.engine import engine_of, sqlite_file
from cds_service.storage.version import is_old, version_of

WAIT_SECONDS = 60
# any number that no other program of the same database takes
_LOCK = 0x63_61_6C_63


@dataclass(frozen=True, slots=True)
class Upgraded:
    """From which version to which; the same when there was nothing to do."""

    before: str | None
    after: str | None


def upgrade(url: str) -> Upgraded:
    """Upgrade in one transaction: all of it or nothing. A second upgrade at the same time waits, then finds it done.

    Raises: UnusableDatabase; SQLAlchemyError or OSError when the database cannot be had, or the other takes too long.
    """
    file = sqlite_file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    engine = engine_of(url, durable=True, pooled=False, wait=WAIT_SECONDS)
    with engine.begin() as connection:  # on SQLite this is the lock already
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = version_of(connection)
        if is_old(before):
            command.upgrade(_config(connection), "head")
        return Upgraded(before, version_of(connection))


def _config(connection: sa.Connection) -> Config:
    config = Config()
    place = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(place).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
