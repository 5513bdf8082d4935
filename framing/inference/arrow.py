"""Batches of Arrow records in, batches with label columns out: for Spark's ``mapInArrow``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from framing.data.columns import ColumnMapping
from framing.data.problems import BadRow
from framing.data.rows import Completer, SentenceReader
from framing.data.tables import batch_rows
from framing.errors import DataError
from framing.inference.model import Model, load, prediction_columns
from framing.inference.sources import target_check
from framing.inference.writers import label_columns, label_type
from framing.records import Sentence

MapInArrow = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def map_in_arrow(path: Path | str, columns: Mapping[str, str] | None = None) -> MapInArrow:
    """A function for ``DataFrame.mapInArrow`` of Spark.

    Args:
        path: Folder of a run or a bundle, the same on every node. Each worker opens it once.
        columns: Field -> column, such as ``{"text": "body"}``.

    Returns:
        A function from batches to the same batches with the columns of `label_schema` added.
        These are null in rows whose text is missing, or that cannot be labelled otherwise.
    """
    folder, fields = str(path), dict(columns or {})

    # Spark looks at the signature of what it is given, so this is a plain function.
    def label_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _label_batches(folder, fields, batches)

    return label_batches


def label_schema(path: Path | str) -> pa.Schema:
    """The columns that `map_in_arrow` adds.

    Args:
        path: Folder of a run or a bundle.

    Returns:
        Their names and types.
    """
    book = _opened(str(path)).codebook
    return pa.schema([(name, label_type(head, label)) for head, label, name in label_columns(book)])


@functools.lru_cache(maxsize=2)
def _opened(path: str) -> Model:
    return load(path)


def _label_batches(
    path: str, columns: Mapping[str, str], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    model, schema = _opened(path), label_schema(path)
    check = target_check() if model.marks_targets else None
    reader, completer = SentenceReader(ColumnMapping.from_dict(columns), "row", check), Completer()
    number = 0
    for batch in batches:
        _refuse_taken(batch, schema)
        rows = batch_rows(batch, "batch", number)
        number += batch.num_rows
        drafts = (row if isinstance(row, BadRow) else reader.read(row) for row in rows)
        found = [completer.complete(draft) for draft in drafts]
        yield _with_labels(batch, found, model, schema)


def _refuse_taken(batch: pa.RecordBatch, schema: pa.Schema) -> None:
    taken = [name for name in schema.names if name in batch.schema.names]
    if taken:
        raise DataError(f"the data have a column {taken[0]!r} already; rename or drop it")


def _with_labels(
    batch: pa.RecordBatch, found: list[Sentence | BadRow], model: Model, schema: pa.Schema
) -> pa.RecordBatch:
    sentences = {k: item for k, item in enumerate(found) if isinstance(item, Sentence)}
    columns = prediction_columns(model.label(sentences.values()), model.codebook)
    arrays = list(batch.columns)
    for field in schema:
        values = dict(zip(sentences, columns[field.name], strict=True))
        arrays.append(pa.array([values.get(k) for k in range(len(found))], field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([*batch.schema, *schema]))
