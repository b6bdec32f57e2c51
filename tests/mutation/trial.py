"""A pytest plugin that runs the tests once for every mutant: those that reach the changed function, until one fails.

One process for all, for the rules are pure and keep nothing between calls: a mutant lends its code to the function that
it changes. Content is read anew for each mutant where it is the reading that is changed (TEARDOWN=content).
"""

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation import trampoline

WANTED, FOUND, REACHED = Path("mutants.json"), Path("verdicts.json"), Path("reached.json")
PROCESSOR_SECONDS = 20
CONTENT = {"catalog", "shipped"}  # the fixtures that read content, once for all tests
# By its name in mutmut, a function of the rules with its original and its mutants.
FUNCTIONS: dict[str, tuple[Any, dict[str, Any]]] = {}
LATE: list[str] = []


def _swappable(mutants: dict[str, Any], is_classmethod: bool = False) -> Callable[[Any], Any]:
    """Stand in for mutmut's decorator, which asks at every call which mutant is meant."""

    def keep(function: Any) -> Any:
        FUNCTIONS[f"{function.__module__}.{function.__qualname__}"] = (function, mutants)
        return function

    return keep


trampoline.wrap_in_trampoline = _swappable


def _lend(function: Any, source: Any) -> None:
    source = getattr(source, "__func__", source)
    function.__code__, function.__defaults__ = source.__code__, source.__defaults__
    function.__kwdefaults__ = source.__kwdefaults__


def _alarm(*_: object) -> None:
    LATE.append("late")
    raise TimeoutError


def _fails(item: Any) -> bool:
    """Run one test; fixtures of its module and of the session stay for the next one."""
    item.session._setupstate.teardown_exact(item)
    neighbour = next((each for each in item.session.items if each.parent is item.parent and each is not item), None)
    return any(report.failed for report in runtestprotocol(item, nextitem=neighbour, log=False))


def _reach(items: list[Any], known: dict[CodeType, str]) -> dict[str, list[str]]:
    """Run all tests on the rules as they are, and return by function those that reach it, the quick ones first."""
    reached: dict[str, list[tuple[float, int]]] = defaultdict(list)
    seen: set[str] = set()
    by_fixture: dict[str, set[str]] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in known:
            seen.add(known[frame.f_code])

    for number, item in enumerate(items):
        seen.clear()
        start = time.process_time()
        sys.setprofile(note)
        failed = _fails(item)
        sys.setprofile(None)
        assert not failed, f"{item.nodeid} fails on unchanged rules"
        # Content is read for the first test that asks for it; the others depend on that reading as much.
        for name in CONTENT & set(item.fixturenames):
            seen |= by_fixture.setdefault(name, set(seen))
        for function in seen:
            reached[function].append((time.process_time() - start, number))
    return {function: [items[number].nodeid for _, number in sorted(found)] for function, found in reached.items()}


def _kept_reach(items: list[Any], known: dict[CodeType, str], state: str, *, anew: bool) -> dict[str, list[Any]]:
    """Return what reaches what, looked at anew where rules or tests are not those of last time."""
    kept = json.loads(REACHED.read_text()) if REACHED.exists() else {}
    if kept.get("state") != state:
        kept = {"state": state, "reached": _reach(items, known)}
        items[0].session._setupstate.teardown_exact(None)
        unchanged = _verdict(items, anew=anew)
        assert unchanged == ("survived", None), f"unchanged rules, run again: {unchanged}"
        REACHED.write_text(json.dumps(kept))
    by_id = {item.nodeid: item for item in items}
    return {function: [by_id[each] for each in nodeids] for function, nodeids in kept["reached"].items()}


def _verdict(items: list[Any], *, anew: bool) -> tuple[str, Any]:
    if not items:
        return "no test", None
    LATE.clear()
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS * (10 if anew else 1))
    killer = next((item for item in items if _fails(item)), None)
    signal.setitimer(signal.ITIMER_PROF, 0)
    if anew:
        items[0].session._setupstate.teardown_exact(None)
    return "survived" if killer is None else "timeout" if LATE else "killed", killer


def _is_open(known: list[str] | None, digest: str, again: bool) -> bool:
    """Tell whether a mutant is to be tried: new, its function changed, or it survived and shall be tried again."""
    return known is None or known[2] != digest or (again and known[0] != "killed")


def _mangled(name: str) -> tuple[str, dict[str, Any], Any]:
    function, mutants = FUNCTIONS[name]
    own = next(iter(mutants)) if "_mutmut_orig" not in mutants else mutants["_mutmut_orig"].__name__
    return f"{function.__module__}.{own.removesuffix('__mutmut_orig')}", mutants, function


def pytest_runtestloop(session: pytest.Session) -> bool:
    wanted: dict[str, str] = json.loads(WANTED.read_text())
    found: dict[str, list[str]] = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    functions = {name: (mutants, function) for name, mutants, function in map(_mangled, FUNCTIONS)}
    for mutants, function in functions.values():
        _lend(function, mutants["_mutmut_orig"])
    signal.signal(signal.SIGPROF, _alarm)
    anew = os.environ["TEARDOWN"] == "content"
    known = {function.__code__: name for name, (_, function) in functions.items()}
    reach = _kept_reach(session.items, known, os.environ["STATE"], anew=anew)
    todo = [name for name in wanted if _is_open(found.get(name), wanted[name], bool(os.environ.get("AGAIN")))]
    print(f"{len(session.items)} tests, {len(wanted)} mutants, {len(todo)} to try", flush=True)
    for number, name in enumerate(todo):
        key, short = name.partition("__mutmut_")[0], name.rpartition(".")[2]
        mutants, function = functions[key]
        _lend(function, mutants[short])
        verdict, killer = _verdict(reach.get(key, []), anew=anew)
        _lend(function, mutants["_mutmut_orig"])
        found[name] = [verdict, "" if killer is None else killer.nodeid, wanted[name]]
        if killer is not None:  # what killed one mutant of a function is likely to kill the next
            reach[key].remove(killer)
            reach[key].insert(0, killer)
        is_late = time.process_time() > float(os.environ.get("SECONDS", "inf"))
        if number % 50 == 49 or number + 1 == len(todo) or is_late:
            FOUND.write_text(json.dumps(found))
            print(f"{number + 1} tried, {time.process_time():.0f} s", flush=True)
        if is_late:
            break
    return True
