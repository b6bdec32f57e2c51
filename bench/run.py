"""`make bench`: this service beside its floor, with and without a card. `--quick`: seconds, right answers only.

Writes bench/results/latest.json and latest.md. Exit status 1 when an answer was wrong, never for a missed goal.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.load import any_card, fire, quantile
from bench.measure import Plan, Series, compare, neighbour, quiet_batch, ratio
from bench.payloads import of_size, payload
from bench.report import markdown
from bench.servers import ROOT, Target, floor, service, started
from cds_service.terminology.load import load_catalog

FULL = Plan(rounds=5, seconds=1.5, warm_up=0.7, retries=2)
QUICK = Plan(rounds=1, seconds=0.3, warm_up=0.1, retries=0)
GROWTH = (10, 30, 100, 300, 1_000, 3_000, 10_000, 20_000)
IMPORT = """
import resource
import cds_service.app, cds_service.server, cds_service.storage.journal
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
PEERS = ROOT / ".venv-peers"
PEER_VERSION = "0.16.1"


def now() -> datetime:
    return datetime.now(UTC).astimezone()


def sizes(targets: Sequence[Target], names: Sequence[str], plan: Plan) -> dict[str, Any]:
    """Every size with and without a card, each row beside the floor's."""
    found: dict[str, Any] = {}
    for size in names:
        found[size] = {}
        for kind in ("card", "none"):
            rows = compare(targets, of_size(size, card=kind == "card", now=now()), plan)
            beside = {key: ratio(rows["service"], rows["floor"], key) for key in ("p50_ms", "per_second")}
            found[size][kind] = {**rows, "ratio": beside}
            print(f"  {size}, {kind}: p50 {beside['p50_ms']:.2f} x floor", file=sys.stderr)
    return found


def linearity(targets: Sequence[Target], counts: Sequence[int], plan: Plan) -> list[dict[str, float]]:
    """p50 at one connection as the chart grows, three Conditions each."""
    rows = []
    for count in counts:
        payloads = [payload(count, 3, card=True, variant=0, now=now())]
        p50 = {}
        for target in targets:
            series = Series()
            fire(target.port, target.path, payloads, target.check, connections=2, seconds=plan.warm_up / 2)
            for _ in range(plan.rounds):
                quiet_batch(series, target, payloads, plan, 1)
            p50[target.name] = 1e3 * quantile(series.took, 0.5)
        rows.append({"observations": count, "p50_ms": p50["service"], "floor_p50_ms": p50["floor"]})
    return rows


def start_up(folder: Path, times: int) -> dict[str, float]:
    """What a start costs: the import in a fresh process, and the way to the first answer."""
    printed = [
        subprocess.run([sys.executable, "-c", IMPORT], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(times)
    ]
    imports = [tuple(map(float, each.split())) for each in printed]
    request = of_size("medium", card=True, now=now())[:1]
    first_answer, first_request, later, idle = [], [], [], []
    for _ in range(times):
        began = time.perf_counter()
        with service(folder, "start") as target:
            batch = fire(target.port, target.path, request, target.check, connections=1, seconds=0, most=1)
            first_answer.append(time.perf_counter() - began)
            first_request += batch.took
            idle += target.resident_mb()
            more = fire(target.port, target.path, request, target.check, connections=1, seconds=0.5)
            later.append(quantile(more.took, 0.5))
            assert not batch.errors, batch.errors
            assert not more.errors, more.errors
    return {
        "import_cpu_s": statistics.median(each[0] for each in imports),
        "import_mb": statistics.median(each[1] for each in imports),
        "first_answer_s": statistics.median(first_answer),
        "first_request_ms": 1e3 * statistics.median(first_request),
        "later_p50_ms": 1e3 * statistics.median(later),
        "first_request_ratio": statistics.median(first_request) / statistics.median(later),
        "idle_worker_mb": max(idle),
    }


def peers(target: Target, folder: Path, plan: Plan) -> dict[str, Any] | None:
    """HealthChain beside the service, medium; None with a word on standard error when it cannot be installed."""
    python = PEERS / "bin" / "python"
    wanted = f"healthchain=={PEER_VERSION}"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", wanted], check=True)
    except subprocess.CalledProcessError as error:
        print(f"  skipped: {wanted} cannot be installed ({error})", file=sys.stderr)
        return None
    command = [str(python), "bench/healthchain_peer.py", "{port}"]
    path = "/cds/cds-services/product"
    with started("healthchain", command, path, any_card, ready="/cds/cds-discovery", log=folder / "peer.log") as peer:
        rows = compare([target, peer], of_size("medium", card=True, now=now()), plan)
    return {"medium": {**rows, "version": PEER_VERSION}}


def validating(base: Target, folder: Path, plan: Plan) -> dict[str, Any]:
    """The service with evidence validation on, as the sandbox has it, beside the floor; medium with a card."""
    with service(folder, "service", CDS_VALIDATE_EVIDENCE="true") as target:
        rows = compare((target, base), of_size("medium", card=True, now=now()), plan)
    return {**rows, "ratio": ratio(rows["service"], rows["floor"], "p50_ms")}


def wrong_answers(results: dict[str, Any]) -> list[str]:
    """Every error of the service in the results, one line each."""
    noted = results.get("validating")
    told = [f"validating: {noted['service']['errors']}"] if noted and noted["service"]["errors"] else []
    return told + [
        f"{size}, {kind}: {row['service']['errors']}"
        for size, kinds in results["sizes"].items()
        for kind, row in kinds.items()
        if row["service"]["errors"]
    ]


def measure(folder: Path, *, quick: bool, only_peers: bool) -> dict[str, Any]:
    """All figures of a run."""
    plan = QUICK if quick else FULL
    results: dict[str, Any] = {
        "at": f"{now():%Y-%m-%d %H:%M}",
        "machine": f"{os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}",
        "content": load_catalog().version,
        "sizes": {},
    }
    results["start"] = start_up(folder, 1 if quick else 3)
    with service(folder) as target, floor(folder) as base:
        both = (target, base)
        if only_peers:
            found = peers(target, folder, plan)
            results.update({"peers": found} if found else {})
        else:
            results["sizes"] = sizes(
                both, ("small", "medium") if quick else ("small", "medium", "large", "hostile"), plan
            )
            results["linearity"] = linearity(both, (10, 1_000) if quick else GROWTH, plan)
        if not only_peers:
            results["validating"] = validating(base, folder, plan)
        if not quick and not only_peers:
            heavy, light = (of_size(each, card=True, now=now()) for each in ("hostile", "small"))
            results["neighbour"] = neighbour(target, heavy, light, 6.0)
    rows = [row for kinds in results["sizes"].values() for kind in kinds.values() for row in (kind["service"],)]
    results["foreign"] = statistics.median([row["foreign"] for row in rows] or [0.0])
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds; right answers, no claims about time")
    parser.add_argument("--peers", action="store_true", help="only HealthChain beside the service")
    parser.add_argument("--keep", type=Path, default=ROOT / "bench" / "results", help="folder for the results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), quick=given.quick, only_peers=given.peers)
    wrong = wrong_answers(results)
    print("\n".join(wrong) if wrong else markdown(results))
    if not given.quick:
        given.keep.mkdir(parents=True, exist_ok=True)
        name = "peers" if given.peers else "latest"
        (given.keep / f"{name}.json").write_text(json.dumps(results, indent=1))
        (given.keep / f"{name}.md").write_text(markdown(results))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
