"""Processes for the work of a run: one catalog each, a shared count of what was read, an end when the run ends.

Knows: concurrent.futures, one process or several.
Must not know: what the work is.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any, Final, TypeVar

from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import load_catalog

T = TypeVar("T")
_LOOK_S: Final = 0.25


@dataclass(slots=True)
class Shared:
    """What the processes of a run share: the next task, and the bytes that were read."""

    next: Any
    read: Any

    def take(self) -> int:
        """The number of the next task, each once."""
        with self.next.get_lock():
            self.next.value += 1
            return int(self.next.value) - 1

    def add(self, size: int) -> None:
        """Count bytes."""
        with self.read.get_lock():
            self.read.value += size


@dataclass(slots=True)
class Process:
    """What the work finds in its process."""

    catalog: Catalog
    shared: Shared


_here: list[Process] = []


def here() -> Process:
    """What this process was given."""
    return _here[-1]


def _begin(local: str, catalog: Catalog | None, shared: Shared, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run itself is interrupted, and ends its processes
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    _here.append(Process(catalog or catalog_at(local), shared))


def _leave_with(parent: int) -> None:
    """End this process when the run was killed and can no longer end it."""
    while os.getppid() == parent:
        sleep(1)
    os._exit(1)


def catalog_at(local: str) -> Catalog:
    """The shipped content with the site's own codes."""
    return load_catalog(local=Path(local) if local else None)


class Pool:
    """Runs tasks in processes, or in this one when it is alone. Use it with `with`."""

    def __init__(self, processes: int, catalog: Catalog, local: str) -> None:
        # fork where there is fork: the catalog is then there already
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("fork" if "fork" in methods else None)
        self.shared = Shared(context.Value("q", 0), context.Value("q", 0))
        self._alone = processes == 1
        self._catalog = catalog
        self._executor = None
        if not self._alone:
            given = catalog if context.get_start_method() == "fork" else None
            self._executor = ProcessPoolExecutor(
                processes, context, initializer=_begin, initargs=(local, given, self.shared, os.getpid())
            )

    def __enter__(self) -> "Pool":
        _here.append(Process(self._catalog, self.shared))
        return self

    def __exit__(self, *problem: object) -> None:
        _here.pop()
        if self._executor is not None:
            self._executor.shutdown(wait=problem[0] is None, cancel_futures=True)

    def run(
        self, work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], look: Callable[[], None] = lambda: None
    ) -> Iterator[T]:
        """Yield the results as they come. look: is called now and then while waiting."""
        if self._executor is None:
            for task in tasks:
                yield work(*task)
                look()
            return
        waiting: set[Future[T]] = {self._executor.submit(work, *task) for task in tasks}
        while waiting:
            done, waiting = wait(waiting, _LOOK_S, FIRST_COMPLETED)
            look()
            for future in done:
                yield future.result()
