"""What is kept beside the journal: feedback, and the memory of what was acknowledged; put together from the settings.

Knows: settings, storage, where a sandbox keeps its key.
Must not know: requests. Storage is imported only when there is a database.
"""

import logging
import os
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.hooks.again import Memory, Windows
from cds_service.settings import Settings
from cds_service.storage.records import FeedbackItem

if TYPE_CHECKING:
    from cds_service.storage.feedback import FeedbackStore

log = logging.getLogger(__name__)


def feedback_of(settings: Settings) -> "FeedbackStore | None":
    """Where feedback is kept, None when nothing is."""
    url = settings.database_url.get_secret_value()
    if not url:
        return None
    from cds_service.storage.feedback import FeedbackStore

    return FeedbackStore(url)


def reach_of(settings: Settings) -> Callable[[], bool] | None:
    """Whether the database can be written now, None when there is none."""
    url = settings.database_url.get_secret_value()
    if not url:
        return None
    from cds_service.storage.reach import Reach

    return Reach(url)


def counting(store: "FeedbackStore", count: Callable[[str, str], None]) -> Callable[[Sequence[FeedbackItem]], None]:
    """What keeps feedback, and counts by service and outcome what was kept."""

    def keep(items: Sequence[FeedbackItem]) -> None:
        store.keep(items)
        for item in items:
            count(item.service, item.outcome)

    return keep


def recollection_of(settings: Settings) -> Memory | None:
    """What remembers acknowledgements, None where cards are shown each time."""
    url = settings.database_url.get_secret_value()
    if not url or not settings.snoozes:
        return None
    key = settings.hash_key.get_secret_value() or own_key(settings, url)
    if not key:
        log.warning("cards are shown each time, for there is no CDS_HASH_KEY")
        return None
    from cds_service.storage.acknowledgements import Acknowledgements

    return Memory(key=key.encode(), windows=windows_of(settings), ask=Acknowledgements(url).of)


def windows_of(settings: Settings) -> Windows:
    """How long an acknowledgement counts."""
    return Windows(
        inpatient=timedelta(hours=settings.snooze_inpatient_h),
        outpatient=timedelta(hours=settings.snooze_outpatient_h),
        critical=timedelta(hours=settings.snooze_critical_h),
    )


def own_key(settings: Settings, url: str) -> str:
    """The key of this installation in sandbox mode with SQLite: made when first needed, kept beside the database."""
    from cds_service.storage.engine import sqlite_file

    file = sqlite_file(url) if settings.sandbox else None
    if file is None:
        return ""
    place = file.with_name(file.name + ".key")
    try:
        if not place.exists():
            _keep(place, secrets.token_hex(32))
        return place.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _keep(place: Path, key: str) -> None:
    """Write the key whole, for its owner only; where another process was faster its key stays."""
    new = place.with_name(f"{place.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, key.encode())
    finally:
        os.close(handle)
    try:
        os.link(new, place)
    except FileExistsError:
        pass
    finally:
        new.unlink()
