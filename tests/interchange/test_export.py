"""The content as FHIR R4 resources: they load, they are whole, and they say the same as the tables."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.conceptmap import ConceptMap
from fhir.resources.R4B.valueset import ValueSet

from cds_service.cli import main
from cds_service.interchange.fhir_export import files_of
from cds_service.interchange.manifest import Manifest, manifest_of
from cds_service.interchange.resources import COMMENT, Publication
from cds_service.terminology import codes, layout
from cds_service.terminology.content import Content
from cds_service.terminology.load import read_shipped

Json = dict[str, Any]
KINDS = {"ValueSet": ValueSet, "ConceptMap": ConceptMap, "CodeSystem": CodeSystem}


@pytest.fixture(scope="module")
def content() -> Content:
    return read_shipped()


@pytest.fixture(scope="module")
def files(content: Content) -> dict[str, str]:
    return files_of(content, Publication(manifest_of(content)))


@pytest.fixture(scope="module")
def exported(files: dict[str, str]) -> dict[str, Json]:
    return {name.removesuffix(".json"): json.loads(text) for name, text in files.items()}


def include(value_set: Json, system: str) -> dict[str, Json]:
    """The concepts of one code system by code."""
    found = [each for each in value_set["compose"]["include"] if each["system"] == system]
    assert len(found) == 1
    return {concept["code"]: concept for concept in found[0]["concept"]}


def targets(concept_map: Json, code: str) -> dict[str, Json]:
    (group,) = concept_map["group"]
    (element,) = [each for each in group["element"] if each["code"] == code]
    return {target["code"]: target for target in element["target"]}


# ---- every resource --------------------------------------------------------------------------------------------------


def test_every_file_loads_as_the_resource_that_its_name_says(files: dict[str, str]) -> None:
    assert len(files) > 150
    for name, text in files.items():
        kind, _, rest = name.partition("-")
        assert f"{KINDS[kind].model_validate_json(text).id}.json" == rest


def test_every_resource_says_what_it_is_and_that_nobody_has_signed(exported: dict[str, Json], content: Content) -> None:
    manifest = manifest_of(content)
    assert manifest.reviewers == ()
    for name, each in exported.items():
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", each["id"]), name
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,254}", each["name"]), name
        assert (each["version"], each["date"], each["status"]) == (manifest.version, manifest.date, "draft"), name
        assert each["experimental"] is True
        assert each["url"].endswith(f"/{each['resourceType']}/{each['id']}")
        assert "jurisdiction" not in each
        assert each["publisher"]
        assert each["description"].endswith(manifest.remark)


def test_a_signed_content_is_active(content: Content) -> None:
    signed = Manifest("2027.1.0", "2027-01-02", ("A. Reviewer",), "", {})
    made = json.loads(
        files_of(content, Publication(signed, "https://hospital.example/fhir/"))["CodeSystem-finding.json"]
    )
    assert (made["status"], made["experimental"], made["date"]) == ("active", False, "2027-01-02")
    assert made["url"] == "https://hospital.example/fhir/CodeSystem/finding"


def test_whoever_owns_a_code_system_is_named_wherever_its_codes_stand(exported: dict[str, Json]) -> None:
    names = {
        codes.LOINC: "Regenstrief",
        codes.SNOMED: "SNOMED International",
        codes.RXNORM: "National Library of Medicine",
        codes.ATC: "WHO Collaborating Centre",
        codes.ICD10CM: "United States",
        codes.ICD9CM: "United States",
        codes.ICD10PCS: "United States",
        codes.ICD10WHO: "World Health Organization",
    }
    seen = set()
    for name, each in exported.items():
        used = {part["system"] for part in each.get("compose", {}).get("include", [])}
        used |= {group["source"] for group in each.get("group", [])}
        for system in used & names.keys():
            assert names[system] in each["copyright"], name
            seen.add(system)
    assert seen == names.keys()
    assert "UCUM" in exported["ValueSet-input-ca-total"]["copyright"]


def test_the_same_content_gives_the_same_bytes(content: Content, files: dict[str, str]) -> None:
    assert files_of(content, Publication(manifest_of(read_shipped()))) == files


# ---- value sets ------------------------------------------------------------------------------------------------------


def test_a_value_set_holds_each_code_once_and_sorted(exported: dict[str, Json]) -> None:
    for name, each in exported.items():
        for part in each.get("compose", {}).get("include", []):
            held = [concept["code"] for concept in part.get("concept", [])]
            assert held == sorted(set(held)), name


def test_an_input_holds_its_codes_without_those_of_context(exported: dict[str, Json], content: Content) -> None:
    for row in content.of(layout.INPUTS):
        accepted = {
            each["code"]
            for each in content.of(layout.OBSERVATIONS)
            if each["input"] == row["input"] and each["status"] != "context"
        }
        name = f"ValueSet-input-{row['input'].replace('_', '-')}"
        assert (set(include(exported[name], codes.LOINC)) if name in exported else set()) == accepted


def test_a_code_that_counts_only_with_a_unit_says_so(exported: dict[str, Json], content: Content) -> None:
    row = next(row for row in content.of(layout.OBSERVATIONS) if row["status"] == "accept_if_unit")
    concept = include(exported[f"ValueSet-input-{row['input'].replace('_', '-')}"], codes.LOINC)[row["code"]]
    assert concept["extension"][0]["url"] == COMMENT
    assert "only with a known unit" in concept["extension"][0]["valueString"]


def test_a_cause_holds_the_codes_that_state_it_of_all_systems(exported: dict[str, Json], content: Content) -> None:
    stated: Counter[tuple[str, str]] = Counter()
    for system, table in layout.FINDINGS.items():
        for row in content.of(table):
            if row["specificity"] in ("exact", "narrower"):
                stated[row["concept"], system] += 1
    for (concept, system), count in stated.items():
        assert len(include(exported[f"ValueSet-finding-{concept}"], system)) == count
    without = {name for name in exported if name.startswith("ValueSet-finding-") and not name.endswith("-ids")}
    assert without == {f"ValueSet-finding-{concept}" for concept, _ in stated}


def test_an_icd_code_that_includes_longer_ones_says_so(exported: dict[str, Json]) -> None:
    concept = include(exported["ValueSet-finding-ckd-stage-3"], codes.ICD10WHO)["N18.3"]
    assert concept == {"code": "N18.3", "display": concept["display"]} or "longer codes" in str(concept["extension"])
    burn = include(exported["ValueSet-finding-burn"], codes.ICD10CM)
    assert any(
        "longer codes that begin with this one count too" in str(each.get("extension")) for each in burn.values()
    )


def test_a_group_of_medicines_leaves_creams_out(exported: dict[str, Json], content: Content) -> None:
    topical = {row["code"]: row for row in content.of(layout.MEDICATIONS[codes.RXNORM]) if row["route"] == "other"}
    groups = {row["drug"]: row["group"] for row in content.of(layout.DRUGS)}
    assert topical
    for code, row in topical.items():
        name = f"ValueSet-medicine-{groups[row['drug']].replace('_', '-')}"
        assert code not in include(exported[name], codes.RXNORM)
        told = targets(exported["ConceptMap-medicine-from-rxnorm"], code)[row["drug"]]
        assert "no systemic effect" in told["comment"]


def test_look_alikes_of_procedures_are_nowhere(exported: dict[str, Json], content: Content) -> None:
    for system, table in layout.PROCEDURES.items():
        excluded = {row["code"] for row in content.of(table) if row["use"] == "exclude"}
        label = codes.SYSTEM_NAMES[system].lower().replace(" ", "-")
        (group,) = exported[f"ConceptMap-procedure-from-{label}"]["group"]
        assert not excluded & {element["code"] for element in group["element"]}


# ---- concept maps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specificity", "equivalence"),
    [
        ("exact", "equivalent"),
        # R4 reads from the target to the source: of a narrower code the target is wider
        ("narrower", "wider"),
        ("broader", "narrower"),
        ("residual", "inexact"),
        ("related", "relatedto"),
    ],
)
def test_specificity_reads_as_equivalence(
    exported: dict[str, Json], content: Content, specificity: str, equivalence: str
) -> None:
    rows = [row for row in content.of(layout.FINDINGS[codes.ICD10CM]) if row["specificity"] == specificity]
    assert rows
    for row in rows:
        target = targets(exported["ConceptMap-finding-from-icd-10-cm"], row["code"])[row["concept"]]
        assert target["equivalence"] == equivalence


def test_every_inexact_target_says_in_what_way(exported: dict[str, Json]) -> None:
    # R4, invariant cmd-1: narrower and inexact need a comment
    maps = [each for each in exported.values() if each["resourceType"] == "ConceptMap"]
    found = [t for m in maps for g in m["group"] for element in g["element"] for t in element["target"]]
    assert len(found) > 3000
    assert [t for t in found if t["equivalence"] not in ("equivalent", "wider") and not t.get("comment")] == []


def test_every_target_is_an_id_of_a_code_system_that_is_exported(exported: dict[str, Json]) -> None:
    known = {
        each["url"]: {concept["code"] for concept in each["concept"]}
        for each in exported.values()
        if each["resourceType"] == "CodeSystem"
    }
    value_sets = {each["url"] for each in exported.values() if each["resourceType"] == "ValueSet"}
    for name, each in exported.items():
        assert each.get("targetCanonical") in {None, *value_sets}, name
        assert each.get("valueSet") in {None, *value_sets}, name
        for group in each.get("group", []):
            pointed = {target["code"] for element in group["element"] for target in element["target"]}
            assert pointed <= known[group["target"]], name


def test_a_look_alike_is_disjoint_from_what_it_resembles(exported: dict[str, Json], content: Content) -> None:
    row = content.of(layout.REJECTED_OBSERVATIONS)[0]
    target = targets(exported["ConceptMap-look-alikes-from-loinc"], row["code"])[row["looks_like"]]
    assert (target["equivalence"], target["comment"]) == (
        "disjoint",
        f"must not be read as the target: {row['reason']}",
    )


def test_an_ingredient_is_the_medicine_and_a_product_is_one_of_it(exported: dict[str, Json]) -> None:
    rxnorm = exported["ConceptMap-medicine-from-rxnorm"]
    assert targets(rxnorm, "1897")["calcium-carbonate"]["equivalence"] == "equivalent"
    assert targets(rxnorm, "1000000")["hydrochlorothiazide"]["equivalence"] == "wider"


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_writes_the_files_and_leaves_others_alone(
    runner: CliRunner, tmp_path: Path, files: dict[str, str]
) -> None:
    (tmp_path / "ValueSet-old.json").write_text("{}")
    told = runner.invoke(main, ["export-mappings", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert f"{len(files)} resources of content" in told.output
    assert "left alone: ValueSet-old.json" in told.output
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")} == {
        **files,
        "ValueSet-old.json": "{}",
    }


def test_the_command_stops_where_it_cannot_write(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = runner.invoke(main, ["export-mappings", str(tmp_path / "file" / "below")])
    assert told.exit_code == 2
    assert "cannot be written" in told.output
