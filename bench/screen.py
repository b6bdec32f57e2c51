"""`make bench-screen`: the population screen beside its floor, on made-up exports of growing size.

The floor decodes the needed fields of the same files with msgspec in as many processes and does nothing with them. Both
run in turn. Ratios: of the elapsed times, of the CPU seconds (which other programs on the machine disturb less), and of
the CPU seconds without those of the start, which a run over one patient tells. Memory is the most that all processes
had together, pages that they share counted once.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bench.servers import ROOT
from cds_service.fhir import shapes
from cds_service.screen.inputs import InputFile, Piece, find, pieces
from cds_service.screen.lines import Block, blocks

FILE_ROWS = 500_000
_SINCE = datetime(2024, 1, 1, 8, tzinfo=UTC)
# code, unit, mean, spread, share of all mapped results
MAPPED = (
    ("17861-6", "mg/dL", 9.0, 0.8),
    ("2777-1", "mg/dL", 3.6, 1.1),
    ("1751-7", "g/dL", 3.6, 0.6),
    ("2160-0", "mg/dL", 1.2, 0.7),
    ("2823-3", "mmol/L", 4.2, 0.5),
    ("33914-3", "mL/min/{1.73_m2}", 70.0, 20.0),
    ("1963-8", "mmol/L", 25.0, 3.0),
    ("6768-6", "U/L", 90.0, 40.0),
)
# what else a hospital exports: counts, vital signs
OTHER = ("718-7", "4544-3", "6690-2", "777-3", "8867-4", "9279-1", "8310-5", "59408-5", "2951-2", "2075-0", "3094-0")
_LINE = (
    '{"resourceType":"Observation","id":"o%d","status":"final","category":[{"coding":[{"system":'
    '"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}]}],'
    '"code":{"coding":[{"system":"http://loinc.org","code":"%s","display":"A result of the laboratory"},{"system":'
    '"https://lab.example.org/codes","code":"L%s","display":"Result"}],"text":"Result"},"subject":{"reference":'
    '"Patient/p%d"},"encounter":{"reference":"Encounter/e%d"},"effectiveDateTime":"%s","valueQuantity":{"value":%.2f,'
    '"unit":"%s","system":"http://unitsofmeasure.org","code":"%s"}}\n'
)


def make(folder: Path, count: int, *, mapped: float, per_patient: int, days: int = 500, seed: int = 1) -> None:
    """An export of so many Observations, in the order of time as a warehouse has it, patients mixed."""
    chance = random.Random(seed)
    people = max(1, count // per_patient)
    with (folder / "Patient.ndjson").open("w") as file:
        for number in range(people):
            born = 1930 + number % 70
            file.write(f'{{"resourceType":"Patient","id":"p{number}","gender":"female","birthDate":"{born}-05-01"}}\n')
    with (folder / "Condition.ndjson").open("w") as file:
        for number in range(0, people, 4):
            file.write(
                f'{{"resourceType":"Condition","id":"c{number}","clinicalStatus":{{"coding":[{{"code":"active"}}]}},'
                '"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"N18.4"}]},'
                f'"subject":{{"reference":"Patient/p{number}"}},"recordedDate":"2024-01-05"}}\n'
            )
    with (folder / "Encounter.ndjson").open("w") as file:
        for number in range(people):
            file.write(
                f'{{"resourceType":"Encounter","id":"e{number}","status":"finished","class":{{"code":"IMP"}},'
                f'"subject":{{"reference":"Patient/p{number}"}},"period":{{"start":"{_SINCE.isoformat()}",'
                f'"end":"{(_SINCE + timedelta(days=60)).isoformat()}"}}}}\n'
            )
    step = timedelta(days=days) / max(count, 1)
    for start in range(0, count, FILE_ROWS):
        with (folder / f"Observation.{start // FILE_ROWS:03d}.ndjson").open("w") as file:
            for number in range(start, min(start + FILE_ROWS, count)):
                person = chance.randrange(people)
                at = (_SINCE + step * number).isoformat(timespec="seconds")
                if chance.random() < mapped:
                    code, unit, mean, spread = MAPPED[chance.randrange(len(MAPPED))]
                    value = max(0.3, chance.gauss(mean, spread))
                else:
                    code, unit, value = OTHER[chance.randrange(len(OTHER))], "1", chance.gauss(50, 10)
                file.write(_LINE % (number, code, code, person, person, at, value, unit, unit))


@dataclass(frozen=True, slots=True)
class Took:
    """Elapsed and CPU seconds of a run and of the processes that it started, and its memory in MB."""

    elapsed: float
    cpu: float
    memory: float = 0.0


def floor(folder: Path, processes: int) -> Took:
    """What the floor takes."""
    files, _ = find([folder])
    began, used = time.perf_counter(), _cpu_of_children()
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_decode, [(files[piece.file], piece) for piece in pieces(files)]))
    return Took(time.perf_counter() - began, _cpu_of_children() - used)


def _cpu_of_children() -> float:
    """Of all that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _decode(task: tuple[InputFile, Piece]) -> int:
    decoder = msgspec.json.Decoder(shapes.AnyResource)
    return sum(len(decoder.decode_lines(item.data)) for item in blocks(*task) if isinstance(item, Block))


def screen(folder: Path, processes: int, at: str = "latest") -> Took:
    """What the whole command takes."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        command = [sys.executable, "-m", "cds_service", "screen", str(folder), "--out", out, "--at", at]
        began, used = time.perf_counter(), _cpu_of_children()
        run = subprocess.Popen(
            [*command, "--processes", str(processes)], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        most = 0.0
        while run.poll() is None:
            most = max(most, _together(run.pid))
            time.sleep(0.2)
        assert run.returncode == 0, run.returncode
        return Took(time.perf_counter() - began, _cpu_of_children() - used, most)


def _together(pid: int) -> float:
    """Memory of a process and its children, shared pages once each (proportional set size), MB."""
    return sum(_pss(each) for each in (pid, *_children(pid))) / 1024


def _children(pid: int) -> Iterator[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return
    yield from map(int, text.split())


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def measure(
    count: int, *, mapped: float, per_patient: int, processes: int, rounds: int, base: Path, start: float
) -> dict[str, float]:
    """One row. start: CPU seconds of the start."""
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name) / "in"
        folder.mkdir()
        make(folder, count, mapped=mapped, per_patient=per_patient)
        floors, screens = [], []
        for _ in range(rounds):
            floors.append(floor(folder, processes))
            screens.append(screen(folder, processes))
        elapsed, cpu = (min(getattr(each, name) for each in screens) for name in ("elapsed", "cpu"))
        floor_elapsed, floor_cpu = (min(getattr(each, name) for each in floors) for name in ("elapsed", "cpu"))
        return {
            "observations": count,
            "mapped": mapped,
            "per_patient": per_patient,
            "floor_s": round(floor_elapsed, 2),
            "screen_s": round(elapsed, 2),
            "floor_cpu_s": round(floor_cpu, 2),
            "screen_cpu_s": round(cpu, 2),
            "us_each": round(1e6 * cpu / count, 1),
            "ratio": round(floor_elapsed / elapsed, 3),
            "ratio_cpu": round(floor_cpu / cpu, 3),
            "ratio_without_start": round(floor_cpu / max(cpu - start, 0.01), 3),
            "memory_mb": round(max(each.memory for each in screens)),
        }


def of_one_patient(processes: int, base: Path) -> Took:
    """What the start takes: a run over one patient."""
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name) / "in"
        folder.mkdir()
        make(folder, 10, mapped=1, per_patient=10)
        runs = [screen(folder, processes) for _ in range(3)]
        return min(runs, key=lambda each: each.cpu)


def each_day(processes: int, base: Path) -> str:
    """100 patients with 240 mapped results each, in hospital for all of 60 days."""
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name) / "in"
        folder.mkdir()
        make(folder, 24_000, mapped=1, per_patient=240, days=60)
        took = screen(folder, processes, "each-day 09:00")
    return f"each-day 09:00, 100 patients, 24,000 Observations: {took.elapsed:.1f} s, {took.cpu:.1f} CPU s"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--counts", default="10000,100000,1000000")
    parser.add_argument("--mapped", default="0.25", help="share of Observations that the rules can see")
    parser.add_argument("--per-patient", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="where the made-up exports lie meanwhile")
    given = parser.parse_args()
    base = given.folder or Path(tempfile.gettempdir())
    start = of_one_patient(given.processes, base)
    print(f"start: {start.elapsed:.1f} s, {start.cpu:.1f} CPU s; {each_day(given.processes, base)}", flush=True)
    for mapped in map(float, given.mapped.split(",")):
        for count in map(int, given.counts.split(",")):
            row = measure(
                count,
                mapped=mapped,
                per_patient=given.per_patient,
                processes=given.processes,
                rounds=given.rounds,
                base=base,
                start=start.cpu,
            )
            print("  ".join(f"{name} {value:,}" for name, value in row.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
