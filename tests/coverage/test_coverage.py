"""The site report: what is counted as understood, what is proposed, and what never stands in it."""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.terminology.load import ContentError, load_catalog
from tests import builders as b

Json = dict[str, Any]
HOUSE = "http://hospital.example/lab"
SECRET = "Ada-Lovelace-77"  # noqa: S105 - stands for whatever could point at a person


def result(display: str, value: str, code: str, system: str = HOUSE, **more: Any) -> Json:
    return b.observation(
        "x",
        value,
        code=b.concept(b.coding(system, code, display)),
        id=SECRET,
        subject={"reference": f"Patient/{SECRET}"},
        note=[{"text": SECRET}],
        **more,
    )


def site() -> list[Json]:
    """What a hospital with codes of its own sends."""
    condition = {"subject": {"reference": f"Patient/{SECRET}"}, "id": SECRET}
    return [
        *(result("", "9.4 mg/dL", "17861-6", b.LOINC) for _ in range(9)),
        result("", "9.4 furlong", "17861-6", b.LOINC),
        result("", "94.7 mg/dL", "17861-6", b.LOINC),
        *(result("Calcium, serum", "9.1 mg/dL", "CA01") for _ in range(6)),
        *(result("Calcium ionised", "1.2 mmol/L", "CA02") for _ in range(6)),
        *(result("Calcium 24 h urine", "210 mg/dL", "CA03") for _ in range(6)),
        *(result("Alkaline phosphatase", "80 U/L", "ALP1") for _ in range(6)),
        result("Phosphat " + SECRET, "3.1 mg/dL", SECRET),
        *(b.condition(b.coding("http://hospital.example/icd10", "N186"), **condition) for _ in range(7)),
        b.condition(**condition),
        b.condition(**condition, code={"text": SECRET}),
        *(b.medication_request(b.coding("http://hospital.example/rx", "77", "Calcitriol 0.25 ug")) for _ in range(5)),
        b.medication_request(),
        {"resourceType": "Observation", "id": SECRET, "status": {"nonsense": SECRET}, "code": {"text": SECRET}},
    ]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    text = "\n".join(bytes(b.raw(each)).decode() for each in site())
    (folder / "all.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def run(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["coverage", "--at", "2026-10-12T10:30:00+02:00", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_shares_tell_what_is_used_refused_and_not_mapped(export: Path) -> None:
    told = run("--ndjson", str(export))
    # 9 used, 2 refused and 12 not mapped make 23; 9 / 23 = 39.1 %
    assert re.search(r"calcium +39\.1 %.*used 9, refused 2, not mapped 12, other fluid or test, rightly left 6", told)
    assert re.search(r"phosphate +0\.0 % +not mapped 1, other fluid or test, rightly left 6\n", told)
    # one of nine conditions has a code of a known system
    assert re.search(r"conditions +11\.1 % +unknown system 7, of interest 1, no code 1", told)
    assert re.search(r"medications +16\.7 % +unknown system 5, of interest 1", told)
    assert "unit not known for this analyte" in told
    assert "unit or value not plausible" in told


def test_what_could_point_at_a_person_stands_in_no_report(export: Path, tmp_path: Path) -> None:
    told = run("--ndjson", str(export), "--out", str(tmp_path / "out"))
    written = [path.read_text("utf-8") for path in sorted((tmp_path / "out").iterdir())]
    assert len(written) == 5
    for text in [told, *written]:
        assert SECRET not in text
        assert not re.search(r"\b(?:9\.4|94\.7|9\.1|210|3\.1)\b", text)


def test_candidates_are_proposed_in_the_format_of_the_local_folder_and_not_usable_as_they_are(
    export: Path, tmp_path: Path
) -> None:
    run("--ndjson", str(export), "--out", str(tmp_path / "out"))
    made = {path.name: path.read_text("utf-8") for path in (tmp_path / "out").glob("*.proposed.csv")}
    assert made["observations.proposed.csv"].splitlines()[1:3] == [
        f'{HOUSE},CA01,"Calcium, serum",ca_total,mg/dL,proposed,"PROPOSED, not confirmed: name sounds like calcium; '
        '100 % of its results have a unit of it; seen 6 times"',
        f'{HOUSE},CA02,Calcium ionised,ca_ionized,mmol/L,proposed,"PROPOSED, not confirmed: name sounds like calcium; '
        '100 % of its results have a unit of it; seen 6 times"',
    ]
    assert "N186,,esrd-dialysis,self," in made["conditions.proposed.csv"]
    assert "77,Calcitriol 0.25 ug,calcitriol,proposed," in made["medications.proposed.csv"]
    local = tmp_path / "local"
    local.mkdir()
    for name, text in made.items():
        (local / name.replace("proposed", "local")).write_text(text, "utf-8")
    with pytest.raises(ContentError) as caught:
        load_catalog(local=local)
    assert any("proposed" in problem for problem in caught.value.problems)


def test_a_confirmed_row_of_the_proposals_is_understood(export: Path, tmp_path: Path) -> None:
    run("--ndjson", str(export), "--out", str(tmp_path / "out"))
    local = tmp_path / "local"
    local.mkdir()
    text = (tmp_path / "out" / "observations.proposed.csv").read_text("utf-8")
    (local / "observations.local.csv").write_text(text.replace(",proposed,", ",accept,"), "utf-8")
    done = CliRunner(env={"CDS_LOCAL_MAPPINGS_DIR": str(local)}).invoke(
        main, ["coverage", "--ndjson", str(export), "--at", "2026-10-12T10:30:00+02:00"]
    )
    assert re.search(r"calcium +91\.3 %.*used 21, refused 2", done.output), done.output


def test_the_page_asks_for_nothing_from_elsewhere(export: Path, tmp_path: Path) -> None:
    run("--ndjson", str(export), "--out", str(tmp_path / "out"))
    page = (tmp_path / "out" / "coverage.html").read_text("utf-8")
    assert not re.search(r"<(?:script|link|img|iframe)|@import|url\(|src=|href=", page)
    assert "default-src 'none'" in page


def test_a_cell_that_looks_like_a_formula_is_defused(tmp_path: Path) -> None:
    odd = [result("Calcium", "9 mg/dL", "=cmd()") for _ in range(5)]
    (tmp_path / "x.ndjson").write_bytes(b"\n".join(bytes(b.raw(each)) for each in odd))
    run(str(tmp_path / "x.ndjson"), "--out", str(tmp_path / "out"))
    assert ",'=cmd()," in (tmp_path / "out" / "coverage.csv").read_text("utf-8")


@pytest.mark.parametrize("form", ["bundle", "hook request", "list"])
def test_bundles_lists_and_hook_requests_are_read_too(tmp_path: Path, form: str) -> None:
    resources = [json.loads(bytes(b.raw(each))) for each in site()]
    whole: object = b.bundle(*resources)
    if form == "hook request":
        whole = {"hook": "patient-view", "prefetch": {"all": whole, "none": None}}
    elif form == "list":
        whole = resources
    (tmp_path / "x.json").write_text(json.dumps(whole), "utf-8")
    assert re.search(r"calcium +39\.1 %", run(str(tmp_path / "x.json")))


def test_damaged_files_are_named_and_cost_only_themselves(export: Path) -> None:
    sound = (export / "all.ndjson.gz").read_bytes()
    (export / "cut.ndjson.gz").write_bytes(sound[: len(sound) // 2])
    (export / "odd.ndjson").write_text("no json\n\n[[[[\n{}\n", "utf-8")
    told = run("--ndjson", str(export))
    assert "not complete: cut.ndjson.gz: the gzip file is damaged or ends early" in told
    assert "Resources that cannot be read" in told


# ---- from a server


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            kind = self.path.removeprefix("/fhir/").partition("?")[0]
            found = [each for each in site() if each["resourceType"] == kind]
            body = bytes(b.raw(b.bundle(*found)))
            self.send_response(403 if kind == "Condition" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/fhir", asked
        http.shutdown()
        thread.join()


def test_a_server_is_asked_with_the_token_and_what_it_refuses_is_named(
    server: tuple[str, list[tuple[str, str | None]]], tmp_path: Path
) -> None:
    address, asked = server
    (tmp_path / "token").write_text("made-up\n", "utf-8")
    told = run("--fhir", address, "--token-file", str(tmp_path / "token"))
    assert re.search(r"calcium +39\.1 %", told)
    assert "not complete: Condition: the FHIR server answered with status 403" in told
    assert {token for _, token in asked} == {"Bearer made-up"}
    assert "/fhir/Observation?_count=200" in {path for path, _ in asked}


def test_a_server_may_be_asked_patient_by_patient(
    server: tuple[str, list[tuple[str, str | None]]], tmp_path: Path
) -> None:
    address, asked = server
    (tmp_path / "patients").write_text("p1\np2\n", "utf-8")
    told = run("--fhir", address, "--patients", str(tmp_path / "patients"))
    assert {path for path, _ in asked} >= {f"/fhir/Observation?patient={each}&_count=200" for each in ("p1", "p2")}
    assert "p1" not in told


@pytest.mark.parametrize("arguments", [[], ["--ndjson", ".", "--fhir", "http://x"], ["--fhir", "file:///etc"]])
def test_arguments_that_cannot_be_used_end_with_2(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["coverage", *arguments])
    assert (done.exit_code, len(done.output.splitlines())) == (2, 1)


def by_reference(name: str, number: int) -> b.Json:
    return b.medication_request(
        id=f"r{number}", medicationCodeableConcept=..., medicationReference={"reference": f"Medication/{name}"}
    )


def test_medicines_by_reference_are_judged_when_their_medication_comes_and_else_told(tmp_path: Path) -> None:
    held = {"resourceType": "Medication", "id": "held", "code": b.concept(b.coding(b.RXNORM, "1894"))}
    lost = [by_reference("gone", 1), by_reference("gone", 2), by_reference("lost", 3)]
    bundle = b.bundle(by_reference("held", 0), *lost, held)
    (tmp_path / "all.json").write_bytes(bytes(b.raw(bundle)))
    told = run(str(tmp_path / "all.json"))
    assert re.search(r"medications .* of interest 1", told)
    assert "3 orders or statements name their medicine only by reference to 2 Medications" in told
