"""The generated pages: current, whole, and no more than what the content says."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.calcinosis import patterns
from cds_service.calcinosis.names import CauseId
from cds_service.cli import main
from cds_service.commands.documents import documents, rule_texts
from cds_service.fhir import shapes
from cds_service.hooks.wording.advice import ADVICE
from cds_service.hooks.wording.rules import RULES, SEED
from cds_service.hooks.wording.texts import OWN, clauses_of_rules, sources_of
from cds_service.hooks.wording.unprinted import UNPRINTED
from cds_service.interchange.dsi import MISSING, NOT_APPLICABLE
from cds_service.interchange.manifest import limits_in, manifest_of
from cds_service.interchange.markdown import cell, literal, table
from cds_service.interchange.recognition import EXPOSURES, PATTERNS
from cds_service.interchange.sources_page import uses
from cds_service.terminology import codes, layout
from cds_service.terminology.content import Content
from cds_service.terminology.load import load_catalog, read_shipped

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"\bCL-\d{2,}[a-z]?\b")


@pytest.fixture(scope="module")
def content() -> Content:
    return read_shipped()


@pytest.fixture(scope="module")
def made(content: Content) -> dict[str, str]:
    return documents(content, load_catalog().knowledge.criteria)


def rows(page: str, title: str) -> list[list[str]]:
    """The cells of the table under a heading, header and rule left out."""
    part = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[each.strip() for each in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# ---- current ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["knowledge.md", "knowledge.snomed.md", "sources.md", "dsi-attributes.json", "dsi-attributes.md"]
)
def test_the_page_in_docs_is_current(made: dict[str, str], name: str) -> None:
    assert name in made
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == made[name], "write it again: python -m cds_service knowledge --write docs"


def test_the_command_prints_the_page_or_writes_all(runner: CliRunner, tmp_path: Path, made: dict[str, str]) -> None:
    assert runner.invoke(main, ["knowledge"]).output == made["knowledge.md"]
    told = runner.invoke(main, ["knowledge", "--write", str(tmp_path / "docs")])
    assert told.exit_code == 0, told.output
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "docs").iterdir()}
    assert written == made


# ---- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["calcinosis", "fhir", "hooks", "terminology"])
def test_no_rule_that_the_code_names_lacks_a_clause(part: str) -> None:
    named = {
        rule
        for path in (ROOT / "cds_service" / part).rglob("*.py")
        for rule in RULE.findall(path.read_text(encoding="utf-8"))
    }
    lacking = named - {rule for rule, clause in clauses_of_rules().items() if clause.strip()}
    assert lacking - {"CL-999"} == set()


def test_every_rule_of_the_limits_has_a_clause(content: Content) -> None:
    named = {rule for limit in limits_in(content) for rule in limit.rules if rule.startswith("CL-")}
    assert named - clauses_of_rules().keys() == set()


def test_the_rules_are_shown_with_limits_in_force_and_with_sources(made: dict[str, str], content: Content) -> None:
    shown = {row[0]: row[1:] for row in rows(made["knowledge.md"], "Rules")}
    assert shown.keys() == clauses_of_rules().keys()
    assert shown["CL-50"][0].startswith("product above 70 mg2/dL2")
    for rule, (_, sources) in shown.items():
        assert sources, rule
        if rule not in ADVICE:
            assert set(sources.split(", ")) <= content.sources.keys(), rule
    assert list(shown) == sorted(shown, key=lambda rule: (int(re.sub(r"\D", "", rule)), rule))


def test_a_clause_is_told_in_one_table_only() -> None:
    assert [rule for rule in UNPRINTED if rule in RULES and RULES[rule].clause] == []
    assert UNPRINTED.keys().isdisjoint(ADVICE)


def test_no_blank_of_a_clause_is_left_open() -> None:
    texts = rule_texts(load_catalog().knowledge.criteria)
    assert [text.id for text in texts if re.search(r"\{(?!type\})", text.clause)] == []


def test_a_rule_without_a_publication_is_our_own_choice() -> None:
    assert sources_of("CL-50")[0] == SEED
    assert sources_of("CL-15") == (OWN,)


# ---- everything that a reviewer signs --------------------------------------------------------------------------------


def test_every_limit_is_shown_with_unit_meaning_rules_and_source(made: dict[str, str], content: Content) -> None:
    shown = {row[0]: row for row in rows(made["knowledge.md"], "Limits and windows")}
    document = tomllib.loads(content.texts["criteria.toml"])
    assert shown.keys() == {f"`{name}`" for name in document}
    for name, entry in document.items():
        row = shown[f"`{name}`"]
        assert row[1:4] == [entry["value"], cell(entry["unit"]), cell(entry["meaning"])]
        assert row[4:6] == [", ".join(entry["rules"]), cell(entry["source"])]
        assert (row[6] != "no") == ("local" in entry)


def test_every_input_is_shown_with_its_codes_in_the_usual_order(made: dict[str, str], content: Content) -> None:
    shown = {row[0]: row for row in rows(made["knowledge.md"], "Inputs")}
    assert shown.keys() == {f"`{row['input']}`" for row in content.of(layout.INPUTS)}
    calcium = shown["`ca_total`"]
    assert calcium[2:4] == ["`mg/dL`", "3 to 25"]
    assert calcium[5].startswith("accept: 17861-6 ")
    for row in content.of(layout.OBSERVATIONS):
        assert row["code"] in shown[f"`{row['input']}`"][5]


def test_every_unit_spelling_is_shown_with_factor_and_verdict(made: dict[str, str], content: Content) -> None:
    shown = [row[:5] for row in rows(made["knowledge.md"], "Units")]
    for row in content.of(layout.UNITS):
        ucum, unit = (literal(row[column]) if row[column] else "" for column in ("ucum", "unit"))
        said = [literal(row["input"]), cell(row["verdict"]), ucum, row["factor"]]
        (spellings,) = [each[4] for each in shown if each[:4] == said]
        assert (unit or "(no unit)") in spellings, dict(row.cells)


def test_every_cause_is_shown_with_how_it_is_recognised(made: dict[str, str], content: Content) -> None:
    shown = {row[0]: row for row in rows(made["knowledge.md"], "Causes")}
    assert list(shown) == [f"`{row['id']}`" for row in content.of(layout.CAUSES)]
    for row in content.of(layout.CAUSES):
        line = shown[f"`{row['id']}`"]
        assert line[1:5] == [cell(row[name]) for name in ("name", "type", "section", "mechanism")]
        assert line[6], row["id"]
        assert (row["no_code_reason"] != "") == ("no code: " in line[6])
    assert "pattern" in shown["`milk-alkali-syndrome`"][6]
    assert "exposure" in shown["`milk-alkali-syndrome`"][6]
    assert shown["`milia-like-calcinosis`"][6].endswith("cannot be found by itself")


def test_every_code_is_on_one_of_the_pages(made: dict[str, str], content: Content) -> None:
    plain, snomed = (set(re.split(r"[\s|]+", made[name])) for name in ("knowledge.md", "knowledge.snomed.md"))
    for table_ in (*layout.CODE_TABLES, layout.EXPANDED):
        page = snomed if "snomed" in table_.file else plain
        for row in content.of(table_):
            if "code" in row.cells:
                assert cell(row["code"]) in page, (table_.file, row["code"])


def test_snomed_ct_stands_on_the_page_that_can_be_left_out(made: dict[str, str], content: Content) -> None:
    words = set(re.split(r"[\s|]+", made["knowledge.md"]))
    snomed = {row["code"] for table_ in layout.CODE_TABLES if "snomed" in table_.file for row in content.of(table_)}
    # a remark of another table may name a concept
    remarks = " ".join(text for file, text in content.texts.items() if "snomed" not in file)
    assert {code for code in snomed & words if code not in remarks} == set()


def test_content_without_snomed_ct_can_be_printed(tmp_path: Path) -> None:
    for path in (ROOT / "mappings").iterdir():
        if ".snomed." not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    less = documents(read_shipped(tmp_path), load_catalog().knowledge.criteria)
    assert rows(less["knowledge.snomed.md"], "Diagnoses") == []


def test_the_page_is_signed_for_one_version_and_digest(made: dict[str, str], content: Content) -> None:
    head, _, signatures = made["knowledge.md"].partition("\n## Signatures\n")
    for part in (head, signatures):
        assert content.digest() in part
        assert manifest_of(content).version in part
    assert "| reviewers | none yet |" in head


def test_a_new_reviewer_is_named(content: Content) -> None:
    signed = read_shipped()
    signed.texts["manifest.toml"] = signed.texts["manifest.toml"].replace("reviewers = []", 'reviewers = ["A. B., MD"]')
    made = documents(signed, load_catalog().knowledge.criteria)
    assert "| reviewers | A. B., MD |" in made["knowledge.md"]
    assert json.loads(made["dsi-attributes.json"])["reviewers"] == ["A. B., MD"]
    assert "reviewers: A. B., MD." in made["dsi-attributes.md"]


# ---- how causes are recognised, against the core ---------------------------------------------------------------------


def test_the_patterns_that_the_page_promises_are_those_of_the_core() -> None:
    tree = ast.parse(Path(patterns.__file__).read_text(encoding="utf-8"))
    # CauseId names in what `found` is called with, and in what its variables are made of
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "found"]
    made += [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and _name(node) in ("stage", "cause")]
    named = {each.attr for node in made for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    assert {CauseId[name] for name in named & set(CauseId.__members__)} == PATTERNS


def _name(node: ast.Assign) -> str:
    return getattr(node.targets[0], "id", "")


def test_every_pattern_and_exposure_of_the_scenarios_is_on_the_page() -> None:
    told = {"pattern": PATTERNS, "exposure": EXPOSURES}
    for path in (ROOT / "tests" / "scenarios").glob("*.toml"):
        for cause, basis in re.findall(r'"([a-z0-9-]+) \((pattern|exposure)\)"', path.read_text(encoding="utf-8")):
            assert cause in told[basis], (path.name, cause, basis)


# ---- sources, source attributes --------------------------------------------------------------------------------------


def test_every_source_is_shown_with_where_it_is_used(made: dict[str, str], content: Content) -> None:
    lines = {line.split("|")[1].strip().strip("`"): line for line in made["sources.md"].splitlines() if "| `" in line}
    assert lines.keys() == content.sources.keys()
    for id_, source in content.sources.items():
        assert cell(source.title) in lines[id_]
        assert (source.url or "not stated") in lines[id_]
    used = uses(content, {"CL-01": (), "CL-50": ("nunley-2020",)})
    assert used["nunley-2020"][:2] == ["rules CL-50", "criteria.toml (product_critical_mg2_dl2)"]
    assert "rxnorm-2015" in used
    assert (
        f"`medications.rxnorm.csv ({len(content.of(layout.MEDICATIONS[codes.RXNORM]))} rows)`"[1:-1]
        in used["rxnorm-2015"]
    )


def test_the_evidence_based_attributes_are_thirteen_and_say_what_is_missing(
    made: dict[str, str], content: Content
) -> None:
    told = json.loads(made["dsi-attributes.json"])
    manifest = manifest_of(content)
    assert [each["number"] for each in told["evidenceBased"]] == list(range(1, 14))
    values = {each["attribute"]: each["value"] for each in told["evidenceBased"]}
    assert values["Funding source of the technical implementation"] == MISSING
    assert values["Developer"]["contact"] == MISSING
    assert values["Release and revision dates"]["content"] == {"version": manifest.version, "date": manifest.date}
    assert (told["contentVersion"], told["contentDigest"]) == (manifest.version, content.digest())
    cited = {each["id"]: each for each in values["Bibliographic citation"]}
    assert {"nunley-2020", "kdigo-2017", "block-1998"} <= cited.keys() <= content.sources.keys()
    for id_, each in cited.items():
        assert each["year"] == (content.sources[id_].year or MISSING)


def test_the_predictive_attributes_are_thirty_one_and_do_not_apply(made: dict[str, str]) -> None:
    told = json.loads(made["dsi-attributes.json"])["predictive"]
    assert len(told) == 31
    assert {each["value"] for each in told} == {NOT_APPLICABLE}


def test_nothing_of_the_patient_is_read_but_birth_date_and_sex() -> None:
    # what attributes 5 to 13 say: no race, ethnicity, language, orientation, identity, social or status data
    assert set(shapes.Patient.__struct_fields__) - set(shapes.Resource.__struct_fields__) == {"birthDate", "gender"}


def test_the_attributes_page_says_the_same(made: dict[str, str]) -> None:
    shown = rows(made["dsi-attributes.md"], "Evidence-based attributes")
    told = json.loads(made["dsi-attributes.json"])["evidenceBased"]
    assert [row[:2] for row in shown] == [[str(each["number"]), cell(each["attribute"])] for each in told]
    assert shown[2][2] == MISSING
    assert len(rows(made["dsi-attributes.md"], "Predictive attributes")) == 31


# ---- Markdown --------------------------------------------------------------------------------------------------------


def test_no_cell_can_break_its_table() -> None:
    assert cell("a|b\n[x](y) <b> `c` 10*9 a_b") == "a\\|b \\[x\\](y) \\<b\\> \\`c\\` 10\\*9 a\\_b"
    assert literal("10*9/L|x") == "`10*9/L\\|x`"
    assert literal("a`b") == "a\\`b"
    assert table(("a", "b"), [("1", "")]) == ["| a | b |", "| --- | --- |", "| 1 | |", ""]
