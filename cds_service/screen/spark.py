"""The screen on Apache Spark: the same reading and judging, distributed by an engine that health-data teams operate.

Knows: DataFrames, mapInArrow; NDJSON and Parquet as input.
Must not know: how a patient is judged (work.py), how results are put together (outputs.py).

Needs the extra `spark` and Java 17 or newer. `cds-service screen --engine spark` starts it here; on a cluster:

    spark-submit --master ... spark_job.py --out DIR --at latest PATH...      (spark_job.py: docs/screen.md)

and on Databricks (a notebook, with the wheel installed as a library of the cluster):

    from cds_service.screen.spark import screened
    outcome = screened(spark, ["/Volumes/export"], Path("/dbfs/screen"), choices, catalog, say=print)

`out` must be a folder that the driver can write. Only DataFrame calls are used, so Spark Connect works too.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cds_service.screen.documents import is_one
from cds_service.screen.found import Found, Rows
from cds_service.screen.inputs import InputError, NoSpark
from cds_service.screen.lines import Block
from cds_service.screen.outputs import Outcome, finish
from cds_service.screen.pool import catalog_at
from cds_service.screen.run import WORK, known_of
from cds_service.screen.scan import Scan
from cds_service.screen.setup import Choices, Plan
from cds_service.screen.tally import Tally
from cds_service.screen.work import PARTS, Judging, Known, Stats
from cds_service.terminology.catalog import Catalog

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_ROWS: Final = "patient string, rank int, file string, block long, place long, data binary"
_RESULTS: Final = "name string, patient string, number long, data binary"
_ORDER: Final = ("patient", "rank", "file", "block", "place")
_SHARED: Final = -1
_FOUND: Final = -2


def local_session() -> "SparkSession":
    """A session of this machine.

    Raises: NoSpark.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise NoSpark("pyspark is missing: pip install 'calcinosis-cds[spark]'.") from None
    if find_spec("pyarrow") is None:
        raise NoSpark("pyarrow is missing: pip install 'calcinosis-cds[spark]'.")
    if shutil.which("java") is None:
        raise NoSpark("Java is missing: Spark needs Java 17 or newer.")
    try:
        session = (
            SparkSession.builder.master("local[*]")
            .appName("calcinosis-cds screen")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "8")
            .getOrCreate()
        )
        session.sparkContext.pythonExec = sys.executable  # the workers run in this environment
        return session
    except (PySparkException, OSError) as error:
        raise NoSpark(f"Spark does not start ({type(error).__name__}): it needs Java 17 or newer.") from None


def screened(
    spark: "SparkSession",
    paths: Sequence[str],
    out: Path,
    choices: Choices,
    catalog: Catalog,
    *,
    say: Callable[[str], None],
) -> Outcome:
    """Screen what lies at the paths (folders or files of NDJSON, or of Parquet) and write everything into `out`."""
    say("Spark reads and groups.")
    rows = _texts(spark, paths).mapInArrow(_reader(choices), _ROWS).persist()
    found = Found()
    for row in rows.where(f"rank = {_FOUND}").select("data").toLocalIterator():
        found.add(msgspec.msgpack.decode(bytes(row.data), type=Found), 0, -1)
    shared = {row.patient: bytes(row.data) for row in rows.where(f"rank = {_SHARED}").toLocalIterator()}
    known = known_of(found, choices)
    say("Spark judges.")
    grouped = rows.where("rank >= 0").repartition("patient").sortWithinPartitions(*_ORDER)
    results = grouped.mapInArrow(_judge(choices, known, shared), _RESULTS)
    stats = _collected(results, out / WORK / "parts", choices)
    rows.unpersist()
    plan = Plan(files=(), pieces=(), buckets=0, digest="spark " + " ".join(paths))
    outcome = finish(
        out, out / WORK, plan, choices, catalog, known=known, found=found, stats=stats, checksums={}, aside=()
    )
    shutil.rmtree(out / WORK)
    return outcome


def _texts(spark: "SparkSession", paths: Sequence[str]) -> "DataFrame":
    """One column `value` with resources as JSON, and three that tell its place, the same in every run.

    Parquet: a column of JSON texts (value, json or resource), or the columns of one type of resource (Pathling's
    encoding, or any other that keeps the names of FHIR elements); the type is then that of the file's name.
    """
    lines, documents, packed = [], [], []
    for path in paths:
        for each in _files(path):
            name = os.path.basename(each.rstrip("/"))
            if ".parquet" in name:
                packed.append(each)
            elif ".ndjson" in name or ".jsonl" in name:
                lines.append(each)
            elif name.endswith((".json", ".json.gz")):
                documents.append(each)
    tables = [spark.read.text(lines)] if lines else []
    tables += [spark.read.text(documents, wholetext=True)] if documents else []
    tables += [_unpacked(spark, each) for each in packed]
    if not tables:
        raise InputError("No file to read: expected NDJSON, JSON or Parquet.")
    whole = _placed(tables[0])
    for more in tables[1:]:
        whole = whole.unionByName(_placed(more))
    return whole


def _files(path: str) -> list[str]:
    """The files of a local folder; other addresses (s3, abfss, dbfs) as they are."""
    if os.path.isdir(path) and ".parquet" not in path:
        return [os.path.join(path, name) for name in sorted(os.listdir(path)) if not name.startswith((".", "_"))]
    return [path]


def _placed(table: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f

    return table.select(
        "value",
        f.col("_metadata.file_path").alias("file"),
        f.col("_metadata.file_block_start").alias("block"),
        f.monotonically_increasing_id().alias("place"),
    )


def _unpacked(spark: "SparkSession", path: str) -> "DataFrame":
    """Parquet as texts."""
    from pyspark.sql import functions as f

    table = spark.read.parquet(path)
    column = next((name for name in ("value", "json", "resource") if name in table.columns), None)
    if column is not None:
        return table.withColumn("value", f.col(column).cast("string"))
    kind = os.path.basename(path.rstrip("/")).split(".")[0]
    kept = [f.col(name) for name in table.columns if not name.startswith("_") and name != "id_versioned"]
    return table.withColumn("value", f.to_json(f.struct(f.lit(kind).alias("resourceType"), *kept)))


@cache
def _catalog(local: str) -> Catalog:
    """The content, once in each Python process of Spark."""
    return catalog_at(local)


def _reader(choices: Choices) -> Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    """From texts to rows by patient, by the code that reads files on one machine."""

    def read(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        held: list[tuple[str, int, str, int, int, bytes]] = []
        where: tuple[str, int, int] = ("", 0, 0)

        def put(rows: Rows, offset: int) -> None:
            held.extend((patient, int(rank), *where, b"\n".join(lines)) for (patient, rank), lines in rows.items())

        def put_shared(name: str, data: bytes) -> None:
            held.append((name, _SHARED, "", 0, 0, data))

        scan = Scan(_catalog(choices.local_mappings), put, put_shared)
        for batch in batches:
            for (file, block), rows in groupby(batch.to_pylist(), key=lambda row: (row["file"], row["block"])):
                run = list(rows)
                where = (file, block, run[0]["place"])
                found = scan.read([Block(0, 1, b"".join(_line(row["value"]) for row in run))])
                name = os.path.basename(file)
                found.problems = [replace(each, line=0, reason=f"{each.reason} ({name})") for each in found.problems]
                held.append(("", _FOUND, "", 0, 0, msgspec.msgpack.encode(found)))
            yield _batch(held, _ROWS)
            held.clear()

    return read


def _line(text: str | None) -> bytes:
    """A text of Spark as a line; a document over many lines as one."""
    data = (text or "").encode()
    if b"\n" in data and is_one(data):
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return data + b"\n"


def _judge(
    choices: Choices, known: Known, shared: dict[str, bytes]
) -> Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    """From rows in the order of patients to what is written of them, and the stats of the partition at its end."""

    def judge(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        judging = Judging(_catalog(choices.local_mappings), choices, known)
        rows = ((row["patient"], row["rank"], row["data"]) for batch in batches for row in batch.to_pylist())
        written: list[tuple[str, str, int, bytes]] = []
        for patient, held in groupby(rows, key=lambda row: row[0]):

            def write(name: str, data: str | bytes, patient: str = patient) -> None:
                written.append((name, patient, len(written), data.encode() if isinstance(data, str) else data))

            judging.patient(patient, [(rank, data) for _, rank, data in held], shared.get, write)
            yield _batch(written, _RESULTS)
            written.clear()
        yield _batch([("stats", "", 0, msgspec.msgpack.encode(judging.stats))], _RESULTS)

    return judge


def _batch(rows: Sequence[tuple[Any, ...]], schema: str) -> "pa.RecordBatch":
    import pyarrow as pa

    types = {"string": pa.string(), "int": pa.int32(), "long": pa.int64(), "binary": pa.binary()}
    fields = [each.strip().split() for each in schema.split(",")]
    arrays = [pa.array([row[place] for row in rows], types[kind]) for place, (_, kind) in enumerate(fields)]
    return pa.RecordBatch.from_arrays(arrays, [name for name, _ in fields])


def _collected(results: "DataFrame", parts: Path, choices: Choices) -> Stats:
    """Write what was judged into one part, in the order of patients; the stats of all partitions."""
    parts.mkdir(parents=True, exist_ok=True)
    stats = Stats(Tally())
    kept = results.persist()
    for row in kept.where("name = 'stats'").toLocalIterator():
        stats.merge(msgspec.msgpack.decode(bytes(row.data), type=Stats), choices.sample)
    for name in PARTS:
        with (parts / f"00000.{name}").open("wb") as file:
            for row in kept.where(f"name = '{name}'").orderBy("patient", "number").toLocalIterator():
                file.write(bytes(row.data))
    kept.unpersist()
    return stats
