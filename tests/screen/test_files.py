"""Files as they really come: any order, packed, cut off, with lines that nobody can read."""

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cds_service.screen.found import MOST_CODES, OTHER_CODES, Found, Rows
from cds_service.screen.inputs import InputError, InputFile, find, pieces
from cds_service.screen.lines import Block, blocks
from cds_service.screen.scan import Scan
from cds_service.terminology.catalog import Catalog
from tests.builders import PATIENT, bundle, condition, encounter, patient
from tests.calls import calcium, phosphate
from tests.screen.runs import assessment_of, lines_of, screened, write

Json = dict[str, Any]


def of(number: int, *resources: Json) -> list[Json]:
    """These resources as those of another patient."""
    return [
        {**each, "id": f"{each['id']}-{number}"}
        | ({"subject": {"reference": f"Patient/q{number}"}} if "subject" in each else {"id": f"q{number}"})
        for each in resources
    ]


def people(count: int) -> list[Json]:
    found = []
    for number in range(count):
        found += of(number, patient(), calcium(10.5), phosphate(4 + number % 5), condition())
    return found


def by_patient(out: Path) -> dict[str, bytes]:
    return {json.loads(line)["patient"]: assessment_of(line) for line in lines_of(out)}


def test_order_and_packing_of_files_change_nothing(catalog: Catalog, tmp_path: Path) -> None:
    resources = people(7)
    write(tmp_path / "a" / "all.ndjson", resources)
    screened(catalog, [tmp_path / "a"], tmp_path / "out-a")
    mixed = sorted(resources, key=lambda each: sha256(each["id"].encode()).digest())
    for place in range(0, len(mixed), 4):
        path = write(tmp_path / "b" / f"{place:02d}.ndjson", mixed[place : place + 4])
        path.with_suffix(".ndjson.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    outcome = screened(catalog, [tmp_path / "b"], tmp_path / "out-b", processes=2)
    assert outcome.patients == 7
    assert by_patient(tmp_path / "out-a") == by_patient(tmp_path / "out-b")


@pytest.mark.parametrize("step", [1, 7, 50, 1_000])
def test_pieces_of_a_file_hold_every_line_once(tmp_path: Path, step: int) -> None:
    text = b"".join(b"%d %s\n" % (number, b"x" * (number % 13)) for number in range(60)) + b"last without an end"
    path = tmp_path / "x.ndjson"
    path.write_bytes(text)
    files, _ = find([path])
    found = [item for piece in pieces(files, step) for item in blocks(files[0], piece)]
    held = [item for item in found if isinstance(item, Block)]
    assert b"".join(item.data for item in held) == text
    assert all(text[item.offset :].startswith(item.data) for item in held)


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_without_end_is_passed_over_in_bounded_memory(tmp_path: Path, packed: bool) -> None:
    text = b"first\n" + b"x" * 30_000_000 + b"\nlast\n"
    path = tmp_path / "x.ndjson"
    path.write_bytes(gzip.compress(text, 1) if packed else text)
    files, _ = find([path])
    found = list(blocks(files[0], next(pieces(files, 1 << 30)), longest=1_000_000))
    assert [item.data for item in found if isinstance(item, Block)] == [b"first\n", b"last\n"]
    assert [(item.line, item.reason) for item in found if not isinstance(item, Block)] == [
        (2, "longer than 0.953674 MB, passed over")
    ]


def test_bad_lines_are_counted_with_file_and_line_and_stop_nothing(catalog: Catalog, tmp_path: Path) -> None:
    good = [json.dumps(each).encode() for each in people(2)]
    lines = [good[0], b'{"resourceType": "Observ', b"\xff\xfe", b"[1, 2]", b"", *good[1:], b'{"id": "x"}']
    path = write(tmp_path / "in" / "x.ndjson", lines)
    outcome = screened(catalog, [path], tmp_path / "out")
    assert (outcome.patients, outcome.bad) == (2, 4)
    told = (tmp_path / "out" / "problems.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1:] for line in told] == [
        ["2", "not readable as JSON"],
        ["3", "not UTF-8"],
        ["4", "no FHIR resource"],
        [str(len(lines)), "no FHIR resource"],
    ]
    assert (tmp_path / "out" / "manifest.json").exists()


def test_a_cut_off_gzip_gives_what_came_and_says_so(catalog: Catalog, tmp_path: Path) -> None:
    text = b"".join(
        json.dumps(each | {"note": [{"text": sha256(str(place).encode()).hexdigest()}]}).encode() + b"\n"
        for place, each in enumerate(people(400))
    )
    packed = gzip.compress(text)
    path = tmp_path / "x.ndjson.gz"
    path.write_bytes(packed[: len(packed) // 2])
    outcome = screened(catalog, [path], tmp_path / "out")
    assert outcome.bad == 1
    assert "damaged or ends early" in (tmp_path / "out" / "problems.csv").read_text()
    assert "could not be read" in (tmp_path / "out" / "report.html").read_text()


def test_patients_mixed_in_one_bundle_are_told_apart(catalog: Catalog, tmp_path: Path) -> None:
    resources = people(3)
    alone = write(tmp_path / "a.ndjson", resources)
    screened(catalog, [alone], tmp_path / "out-a")
    (tmp_path / "b.json").write_text(json.dumps(bundle(*resources), indent=2, default=str))
    write(tmp_path / "c.ndjson", [bundle(*resources)])
    for name in ("b.json", "c.ndjson"):
        screened(catalog, [tmp_path / name], tmp_path / f"out-{name}")
        assert by_patient(tmp_path / f"out-{name}") == by_patient(tmp_path / "out-a")


def test_addresses_inside_a_bundle_name_its_patients(catalog: Catalog, tmp_path: Path) -> None:
    entries = []
    for number in (1, 2):
        url = f"urn:uuid:0000-{number}"
        person, *others = of(number, patient(), calcium(10.5), phosphate(7.5 - number))
        entries.append({"fullUrl": url, "resource": person})
        entries += [{"resource": each | {"subject": {"reference": url}}} for each in others]
    write(tmp_path / "x.ndjson", [{"resourceType": "Bundle", "type": "transaction", "entry": entries}])
    screened(catalog, [tmp_path / "x.ndjson"], tmp_path / "out")
    found = {name: json.loads(each)["product"]["value"] for name, each in by_patient(tmp_path / "out").items()}
    assert found == {"q1": 68.25, "q2": 57.75}


def test_a_medication_is_found_in_another_file(catalog: Catalog, tmp_path: Path) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationReference": {"reference": "Medication/calcitriol"},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    code = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1894"}]}
    write(tmp_path / "in" / "MedicationRequest.ndjson", [order, patient(), calcium(10.5), phosphate(7.5)])
    write(tmp_path / "in" / "Medication.ndjson", [{"resourceType": "Medication", "id": "calcitriol", "code": code}])
    screened(catalog, [tmp_path / "in"], tmp_path / "out")
    (assessment,) = map(json.loads, by_patient(tmp_path / "out").values())
    assert [each["drug"] for each in assessment["exposures"]] == ["calcitriol"]


def test_a_resource_that_does_not_fit_costs_itself_alone(catalog: Catalog, tmp_path: Path) -> None:
    odd = calcium(11, id="odd") | {"effectiveDateTime": {"wrong": True}}
    write(tmp_path / "x.ndjson", [patient(), calcium(10.5), odd, phosphate(7.5), encounter()])
    screened(catalog, [tmp_path / "x.ndjson"], tmp_path / "out")
    (assessment,) = map(json.loads, by_patient(tmp_path / "out").values())
    assert assessment["product"]["value"] == 78.75
    assert any("Observation/odd" in note for note in assessment["notes"])


def test_unmapped_results_are_left_out_and_counted(catalog: Catalog, tmp_path: Path) -> None:
    other = calcium(1, id="other") | {"code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}}
    write(tmp_path / "x.ndjson", [patient(), calcium(10.5), phosphate(7.5), *[other] * 20])
    screened(catalog, [tmp_path / "x.ndjson"], tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "718-7" in page


def test_codes_without_end_are_counted_in_bounded_memory() -> None:
    total = Found()
    for part in range(5):
        found = Found(unmapped={b"often": 50, **{b"%d-%d" % (part, number): 1 for number in range(MOST_CODES)}})
        total.add(found, 0, 0)
    assert len(total.unmapped) <= 2 * MOST_CODES
    assert total.unmapped[b"often"] == 250
    assert sum(total.unmapped.values()) == 5 * (MOST_CODES + 50)


def test_panels_and_odd_codes_are_kept_and_counted(catalog: Catalog, tmp_path: Path) -> None:
    unmapped = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    panel = calcium(1, id="panel") | {"code": unmapped, "component": [{"code": calcium(1)["code"]}]}
    odd = calcium(1, id="long") | {"code": {"coding": [{"code": "x" * 3_000}]}}
    write(tmp_path / "x.ndjson", [patient(), calcium(10.5), panel, odd, calcium(2, id="other") | {"code": unmapped}])
    held: list[Rows] = []
    scan = Scan(catalog, lambda rows, offset: held.append(rows), lambda name, data: None)
    files, _ = find([tmp_path / "x.ndjson"])
    found = scan.piece(files[0], next(pieces(files)))
    ((_, of_patient), (_, results)) = sorted((rank, lines) for (_, rank), lines in held[0].items())
    assert (len(of_patient), [json.loads(line)["id"] for line in results]) == (1, [calcium(1)["id"], "panel"])
    assert sorted(count for count in found.unmapped.values() if count) == [1, 1]
    assert found.unmapped[OTHER_CODES] == 1


def test_a_folder_with_nothing_to_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.txt").write_text("x")
    with pytest.raises(InputError, match="No file to read"):
        find([tmp_path])
    with pytest.raises(InputError, match="is not there"):
        find([tmp_path / "nothing"])


def test_the_size_of_packed_text_is_only_estimated() -> None:
    assert InputFile("x.gz", 10, 0, True).text_bytes > InputFile("x", 10, 0, False).text_bytes
