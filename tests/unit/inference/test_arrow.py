from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from framing.codebook import Codebook
from framing.errors import DataError
from framing.inference.arrow import label_schema, map_in_arrow
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle

TEXTS = ["Inflation is terrible.", None, "Unemployment.", "Nobody came."]


def _batches(size: int) -> list[pa.RecordBatch]:
    table = pa.table({"n": [1, 2, 3, 4], "body": pa.array(TEXTS, pa.string())})
    return table.to_batches(max_chunksize=size)


def test_batches_keep_their_rows_and_get_labels(tiny_bundle: Path) -> None:
    label = map_in_arrow(tiny_bundle, {"text": "body"})
    found = pa.Table.from_batches(list(label(iter(_batches(3)))))
    assert found.schema.names[:4] == ["n", "body", "topics", "p.topics.prices"]
    assert found.schema.names[2:] == label_schema(tiny_bundle).names
    assert found["topics"].to_pylist() == [["prices"], None, ["jobs"], []]
    assert found["view.prices"].to_pylist() == ["bad", None, None, None]
    assert found["p.topics.jobs"].to_pylist()[1] is None
    assert found["p.topics.jobs"].to_pylist()[2] == pytest.approx(0.982, abs=1e-3)
    assert list(label(iter([]))) == []


def test_the_sentence_before_may_stand_in_the_batch_before(tmp_path: Path, book: Codebook) -> None:
    folder = write_tiny_bundle(tmp_path / "b", book, SMALL_WORDS, context=("previous",))
    table = pa.table({"doc_id": ["d", "d", "e"], "text": ["Inflation rose.", "So what.", "It."]})
    batches = map_in_arrow(folder)(table.to_batches(max_chunksize=1))
    assert [batch["topics"].to_pylist() for batch in batches] == [[["prices"]], [["prices"]], [[]]]


def test_a_wrong_place_of_the_target_gives_nulls(tmp_path: Path, book: Codebook) -> None:
    folder = write_tiny_bundle(tmp_path / "b", book, SMALL_WORDS, mark_target=True)
    places = {"target_start": [0, 3], "target_end": [9, 99]}
    batch = pa.record_batch({"text": ["Inflation."] * 2, **places})
    (found,) = map_in_arrow(folder)([batch])
    assert found["topics"].to_pylist() == [["prices"], None]


def test_cells_that_python_cannot_hold_give_nulls(tiny_bundle: Path) -> None:
    days = pa.array([2**31 - 1, 1], pa.int32()).cast(pa.date32())
    batch = pa.record_batch({"text": ["Inflation."] * 2, "day": days})
    (found,) = map_in_arrow(tiny_bundle)([batch])
    assert found["topics"].to_pylist() == [None, ["prices"]]
    assert found["day"].equals(days)


def test_the_function_can_be_sent_to_workers(tiny_bundle: Path) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    sent = pickle.loads(cloudpickle.dumps(map_in_arrow(tiny_bundle, {"text": "body"})))
    assert next(sent(_batches(1)))["topics"].to_pylist() == [["prices"]]


def test_a_column_that_is_there_already(tiny_bundle: Path) -> None:
    batch = pa.record_batch({"text": ["x"], "topics": ["mine"]})
    with pytest.raises(DataError, match="have a column 'topics' already; rename or drop it"):
        list(map_in_arrow(tiny_bundle)([batch]))


#: As the documentation has it, in two partitions.
_IN_SPARK = """
import json, sys
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType
from framing.inference.arrow import label_schema, map_in_arrow

folder = sys.argv[1]
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False).getOrCreate()
rows = [(1, "Inflation is terrible."), (2, None), (3, "Unemployment."), (4, "Nobody came.")]
df = spark.createDataFrame(rows, "n int, body string").repartition(2)
added = from_arrow_schema(label_schema(folder))
schema = StructType(df.schema.fields + added.fields)
labelled = df.mapInArrow(map_in_arrow(folder, {"text": "body"}), schema)
print(json.dumps([[r["n"], r["topics"], r["view.prices"]] for r in labelled.collect()]))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="needs pyspark and Java")
def test_spark_runs_the_function(tiny_bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IN_SPARK, str(tiny_bundle)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout.splitlines()[-1])) == [
        [1, ["prices"], "bad"],
        [2, None, None],
        [3, ["jobs"], None],
        [4, [], None],
    ]
