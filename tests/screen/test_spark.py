"""The screen on Spark's local mode gives what the run on one machine gives; run by `make spark-check`."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cds_service.screen.inputs import NoSpark
from cds_service.screen.setup import Choices
from cds_service.terminology.catalog import Catalog
from tests.builders import bundle
from tests.conftest import NOW
from tests.screen.runs import WINDOWS, lines_of, screened, write
from tests.screen.test_files import people
from tests.screen.test_same_answer import MIMIC

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]  # the warnings of pyspark are not ours


@pytest.fixture(scope="module")
def spark():  # type: ignore[no-untyped-def]
    pytest.importorskip("pyspark", reason="pyspark is missing: pip install 'calcinosis-cds[spark]'")
    java = shutil.which("java")
    if java is None:
        pytest.skip("Java is missing: Spark needs Java 17 or newer")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    from cds_service.screen.spark import local_session

    try:
        session = local_session()
    except NoSpark as problem:
        pytest.skip(f"{problem} Here: {told.splitlines()[0] if told else 'unknown'}")
    yield session
    session.stop()


def on_spark(spark: object, catalog: Catalog, paths: list[Path], out: Path, **choices: object) -> None:
    from cds_service.screen import spark as on

    given = Choices(**{"at": "latest", "now": NOW, "windows": WINDOWS, **choices})  # type: ignore[arg-type]
    on.screened(spark, [str(path) for path in paths], out, given, catalog, say=print)  # type: ignore[arg-type]


def same(one: Path, other: Path) -> None:
    assert len(lines_of(one)) > 0
    assert sorted(lines_of(one)) == sorted(lines_of(other))
    cards = [sorted((out / "cards.csv").read_bytes().splitlines()) for out in (one, other)]
    assert cards[0] == cards[1]
    counts = [json.loads((out / "manifest.json").read_bytes())["counts"] for out in (one, other)]
    assert counts[0] == counts[1]
    pages = [(out / "report.html").read_text().split("<h2>How it was counted")[0] for out in (one, other)]
    assert pages[0] == pages[1]


def test_a_folder_of_lines_and_documents_is_judged_alike(spark: object, catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder / "a.ndjson", [*people(20), b"{"])
    (folder / "b.json").write_text(json.dumps(bundle(*people(40)[80:]), indent=1, default=str))
    screened(catalog, [folder], tmp_path / "local", sample=5)
    on_spark(spark, catalog, [folder], tmp_path / "spark", sample=5)
    same(tmp_path / "local", tmp_path / "spark")
    assert (tmp_path / "local" / "review.csv").read_bytes() == (tmp_path / "spark" / "review.csv").read_bytes()


@pytest.mark.skipif(not MIMIC.is_dir(), reason="the open data sets are not here")
def test_every_demo_patient_is_judged_alike(spark: object, catalog: Catalog, tmp_path: Path) -> None:
    screened(catalog, [MIMIC], tmp_path / "local", at="each-encounter")
    on_spark(spark, catalog, [MIMIC], tmp_path / "spark", at="each-encounter")
    same(tmp_path / "local", tmp_path / "spark")


def test_parquet_of_texts_and_of_columns_is_read(spark: object, catalog: Catalog, tmp_path: Path) -> None:
    resources = people(12)
    write(tmp_path / "in" / "x.ndjson", resources)
    screened(catalog, [tmp_path / "in"], tmp_path / "local")
    spark.read.text(str(tmp_path / "in")).write.parquet(str(tmp_path / "texts.parquet"))  # type: ignore[attr-defined]
    on_spark(spark, catalog, [tmp_path / "texts.parquet"], tmp_path / "texts")
    assert sorted(lines_of(tmp_path / "texts")) == sorted(lines_of(tmp_path / "local"))
    os.mkdir(tmp_path / "columns")
    for kind in ("Patient", "Observation", "Condition"):
        lines = write(tmp_path / "kinds" / f"{kind}.ndjson", [r for r in resources if r["resourceType"] == kind])
        table = spark.read.json(str(lines)).drop("resourceType")  # type: ignore[attr-defined]
        table.write.parquet(str(tmp_path / "columns" / f"{kind}.parquet"))
    on_spark(spark, catalog, [tmp_path / "columns"], tmp_path / "out")
    found = {(x["patient"], x["assessment"]["tier"]) for x in map(json.loads, lines_of(tmp_path / "out"))}
    assert found == {(x["patient"], x["assessment"]["tier"]) for x in map(json.loads, lines_of(tmp_path / "local"))}
    assert len({tier for _, tier in found}) > 1
