"""Keeps a few bytes for a short time under a random key, for all processes of one service on one machine.

Knows: a folder of its own (in memory where the machine has /dev/shm), ages, limits.
Must not know: what it keeps. Nothing of a patient is kept outside sandbox mode, and never a token.
"""

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

MOST: Final = 200
LARGEST: Final = 4 * 1024 * 1024
_KEY: Final = re.compile(r"[0-9a-f-]{36}")
_NAME: Final = "calcinosis-cds-"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it


class Shelf:
    """Bytes by key. Made before the workers are forked, so that all share the folder; whoever made it takes it away."""

    def __init__(self, new_key: Callable[[], str], clock: Callable[[], datetime], life: timedelta) -> None:
        self._new_key = new_key
        self._clock = clock
        self._life = life
        memory = _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else None
        _sweep(memory or Path(tempfile.gettempdir()))
        # readable by this user alone
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=memory))
        weakref.finalize(self, _remove, self._folder, os.getpid())

    def put(self, content: bytes) -> str | None:
        """Keep and return the key; None for what is too large or cannot be kept."""
        if len(content) > LARGEST:
            return None
        key = self._new_key()
        path, now = self._folder / key, self._clock().timestamp()
        try:
            self._make_room()
            unfinished = path.with_suffix(".new")
            unfinished.write_bytes(content)
            os.utime(unfinished, (now, now))
            unfinished.replace(path)
        except OSError:
            return None
        return key

    def get(self, key: str) -> bytes | None:
        """Return what is kept under the key; None when its time is up, or for what never was a key."""
        path = self._folder / key
        try:
            if not _KEY.fullmatch(key) or self._is_old(path):
                return None
            return path.read_bytes()
        except OSError:
            return None

    def take(self, key: str) -> bytes | None:
        """Return what is kept under the key and forget it: of two who ask at once, one gets it."""
        content = self.get(key)
        try:
            (self._folder / key).unlink()
        except (OSError, ValueError):
            return None
        return content

    def _is_old(self, path: Path) -> bool:
        return self._clock().timestamp() - path.stat().st_mtime > self._life.total_seconds()

    def _make_room(self) -> None:
        """Take away what is old, and the oldest where there is too much."""
        kept = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for at, path in enumerate(kept):
            if self._is_old(path) or len(kept) - at >= MOST:
                path.unlink(missing_ok=True)


def _sweep(place: Path) -> None:
    """Take away the folders of processes that were killed before they could do so themselves."""
    for folder in place.glob(f"{_NAME}*-*"):
        owner = folder.name.removeprefix(_NAME).partition("-")[0]
        try:
            if owner.isdigit() and folder.stat().st_uid == os.getuid():
                os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def _remove(folder: Path, owner: int) -> None:
    """Take the folder away at the end of the process that made it, not of a worker that was forked from it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
