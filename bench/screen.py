"""`make bench-screen`: the population screen beside its floor, on made-up exports of growing size.

The floor decodes the needed fields of the same files with msgspec in as many processes and does nothing with them. Both
run in turn; the ratio is that of their rates. Memory is that of the largest process times their number, and the sum
that was seen while the run went on.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
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


def make(folder: Path, count: int, *, mapped: float, per_patient: int, seed: int = 1) -> None:
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
    step = timedelta(days=500) / max(count, 1)
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


def floor(folder: Path, processes: int) -> float:
    """Seconds that the floor takes."""
    files, _ = find([folder])
    began = time.perf_counter()
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_decode, [(files[piece.file], piece) for piece in pieces(files)]))
    return time.perf_counter() - began


def _decode(task: tuple[InputFile, Piece]) -> int:
    decoder = msgspec.json.Decoder(shapes.AnyResource)
    return sum(len(decoder.decode_lines(item.data)) for item in blocks(*task) if isinstance(item, Block))


def screen(folder: Path, processes: int, at: str = "latest") -> tuple[float, float]:
    """Seconds that the whole command takes, and the most memory that its processes had together (MB)."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        command = [sys.executable, "-m", "cds_service", "screen", str(folder), "--out", out, "--at", at]
        began = time.perf_counter()
        run = subprocess.Popen(
            [*command, "--processes", str(processes)], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        most = 0.0
        while run.poll() is None:
            most = max(most, _together(run.pid))
            time.sleep(0.2)
        assert run.returncode == 0, run.returncode
        return time.perf_counter() - began, most


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
    count: int, *, mapped: float, per_patient: int, processes: int, rounds: int, base: Path
) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name) / "in"
        folder.mkdir()
        make(folder, count, mapped=mapped, per_patient=per_patient)
        floors, screens = [], []
        for _ in range(rounds):
            floors.append(floor(folder, processes))
            screens.append(screen(folder, processes))
        took = min(each[0] for each in screens)
        return {
            "observations": count,
            "mapped": mapped,
            "floor_s": round(min(floors), 2),
            "screen_s": round(took, 2),
            "per_second": round(count / took),
            "ratio": round(min(floors) / took, 3),
            "memory_mb": round(max(each[1] for each in screens), 1),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--counts", default="10000,100000,1000000")
    parser.add_argument("--mapped", default="0.25", help="share of Observations that the rules can see")
    parser.add_argument("--per-patient", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="where the made-up exports lie meanwhile")
    given = parser.parse_args()
    print("observations  mapped  floor s  screen s  per second  x floor  memory MB")
    for mapped in map(float, given.mapped.split(",")):
        for count in map(int, given.counts.split(",")):
            row = measure(
                count,
                mapped=mapped,
                per_patient=given.per_patient,
                processes=given.processes,
                rounds=given.rounds,
                base=given.folder or Path(tempfile.gettempdir()),
            )
            print(
                f"{count:12,}  {mapped:6.2f}  {row['floor_s']:7.2f}  {row['screen_s']:8.2f}  {row['per_second']:10,}"
                f"  {row['ratio']:7.3f}  {row['memory_mb']:9.1f}",
                flush=True,
            )
            print(json.dumps(row), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
