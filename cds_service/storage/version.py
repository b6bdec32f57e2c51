"""Which version the tables of a database have, without changing them.

Knows: where Alembic keeps the version.
Must not know: Alembic, which costs more to import than the rest of the storage.
"""

from pathlib import Path

import sqlalchemy as sa

from cds_service.storage.engine import engine_of, sqlite_file
from cds_service.storage.schema import VERSION

COMMAND = "cds-service db upgrade"


def version_at(url: str) -> str | None:
    """The version of the tables, None where there are none or they are of the time before versions.

    Raises: UnusableDatabase; SQLAlchemyError when the database cannot be asked.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None  # connecting would make the file
    engine = engine_of(url, reads=True, pooled=False)
    with engine.connect() as connection:
        return version_of(connection)


def version_of(connection: sa.Connection) -> str | None:
    """The version of the tables behind the connection."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def is_empty(file: Path) -> bool:
    """Tell whether an SQLite file is not there, or is as empty as when it was made."""
    return not file.exists() or file.stat().st_size == 0


def is_old(version: str | None) -> bool:
    """Tell whether tables of this version lack something; later ones do not, for migrations only add."""
    return version is None or version < VERSION


def outdated(url: str) -> str | None:
    """What is wrong with the tables and the command that helps; None when nothing is.

    Raises: UnusableDatabase; SQLAlchemyError when the database cannot be asked.
    """
    version = version_at(url)
    if not is_old(version):
        return None
    found = (
        "holds no tables of this service, or those of its first days" if version is None else f"has version {version}"
    )
    return f"the database {found}; this service needs {VERSION}. Bring it up to date with: {COMMAND}"
