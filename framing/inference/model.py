"""`framing.load`: label texts from Python."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, overload

from framing.codebook import Codebook
from framing.data.columns import ColumnMapping
from framing.data.problems import Place
from framing.data.rows import SentenceReader, complete_all
from framing.data.tables import Row, refuse_twice
from framing.errors import DataError
from framing.inference.bundle import load_bundle
from framing.inference.labeller import CHUNK, Labeller
from framing.inference.writers import decided, label_columns, label_type
from framing.records import Prediction, Sentence


class DataFrame(Protocol):
    """A data frame of pandas, polars or `datasets`; none of these is imported here."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""


Frame = TypeVar("Frame", bound=DataFrame)


class Model:
    """A bundle, ready to label. Several threads may use it at once.

    Args:
        labeller: The opened bundle.
    """

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller

    @property
    def codebook(self) -> Codebook:
        """The variables and labels of the predictions."""
        return self._labeller.bundle.codebook

    @property
    def marks_targets(self) -> bool:
        """Whether the place of a target in its sentence matters."""
        return self._labeller.bundle.settings.mark_target

    @overload
    def label(
        self, data: Iterable[str] | Iterable[Sentence], columns: None = None
    ) -> list[Prediction]: ...

    @overload
    def label(self, data: Frame, columns: Mapping[str, str] | None = None) -> Frame: ...

    def label(self, data: Any, columns: Mapping[str, str] | None = None) -> Any:
        """Label texts or the rows of a data frame.

        Args:
            data: Texts or sentences: a list or any other iterable, also a column of pandas,
                polars or `datasets`. Or a data frame of one of these, with a column ``text`` or
                ``sentence``. Texts are documents of their own; where a frame has ``doc_id``, the
                sentence before is found by itself.
            columns: For data frames: field -> column, such as ``{"text": "body"}``.

        Returns:
            A prediction for each text; or a copy of the frame with columns added: for each head
            the decided label (multi_label: a list of them) and ``p.<head>.<label>``, the
            probability of each label.

        Raises:
            DataError: A text is missing or no text, a column that would be added is there, or two
                have the same name.
        """
        if _is_frame(data):
            return _with_columns(data, self._frame_columns(data, columns), self.codebook)
        if columns is not None:
            raise DataError("label: `columns` is for data frames, found other data")
        return self._predictions(_sentences(data))

    def _predictions(self, sentences: Iterable[Sentence]) -> list[Prediction]:
        rest = iter(sentences)
        # The parts that a file with these sentences would have, so that digits agree.
        parts = iter(lambda: list(itertools.islice(rest, CHUNK)), [])
        return [prediction for part in parts for prediction in self._labeller.label(part)]

    def _frame_columns(self, frame: Any, columns: Mapping[str, str] | None) -> dict[str, list[Any]]:
        names = _column_names(frame)
        refuse_twice(names, "label: data frame")
        taken = [name for _, _, name in label_columns(self.codebook) if name in names]
        if taken:
            raise DataError(
                f"label: the data frame has a column {taken[0]!r} already; rename or drop it"
            )
        reader = SentenceReader(ColumnMapping.from_dict(columns or {}), "row")
        rows = (
            Row(values, Place("data frame", number), tabular=True)
            for number, values in enumerate(_records(frame), start=1)
        )
        predictions = self._predictions(complete_all([reader.draft(row) for row in rows]))
        return prediction_columns(predictions, self.codebook)


def load(path: Path | str, screen: float | None = None) -> Model:
    """Open a run or a bundle.

    Args:
        path: Its folder.
        screen: Dismiss sentences by a fast linear model first, and keep this share of those that
            the model would label; None labels all with the full model.

    Returns:
        What labels texts.

    Raises:
        ArtifactError: There is no bundle, it is incomplete or altered, or it has no screen.
        DataError: `screen` is no share that can be asked for.
    """
    return Model(Labeller(load_bundle(path), recall=screen))


def prediction_columns(predictions: Sequence[Prediction], book: Codebook) -> dict[str, list[Any]]:
    """Predictions as the columns of a table.

    Args:
        predictions: One a row.
        book: Gives the columns.

    Returns:
        Column name -> values.
    """
    columns: dict[str, list[Any]] = {}
    for head, label, name in label_columns(book):
        if label is None:
            columns[name] = [decided(head, p.labels) for p in predictions]
        else:
            index = head.labels.index(label)
            columns[name] = [p.probabilities[head.name][index] for p in predictions]
    return columns


def _sentences(data: Any) -> Iterator[Sentence]:
    if _package(type(data)) == "datasets" and isinstance(data, Mapping):
        raise DataError(
            f"label: expected one data set, found a {type(data).__name__} with the splits "
            f"{', '.join(map(str, data))}; pass one split, such as data[{next(iter(data), '')!r}]"
        )
    # Other data frames give the names of their columns where texts are looked for.
    frame = hasattr(data, "columns")
    if frame or isinstance(data, (str, bytes, Mapping)) or not isinstance(data, Iterable):
        raise DataError(
            "label: expected a list of texts or a data frame of pandas, polars or datasets, found "
            f"{type(data).__name__}; for the text of an article use "
            "framing.data.page.article_sentences"
        )
    for number, item in enumerate(data):
        if isinstance(item, Sentence):
            yield item
        elif isinstance(item, str) and item.strip():
            yield Sentence(str(number), item, str(number))
        else:
            raise DataError(f"label: text {number}: expected a text, found {_found(item)}")


def _found(item: object) -> str:
    """What stands in the place of a text, and for rows how to pass their texts."""
    if not isinstance(item, Mapping):
        return repr(item)
    column = next((name for name in TEXT_COLUMNS if name in item), "text")
    return (
        f"a row with the columns {', '.join(map(str, item))}; pass the texts alone "
        f"(model.label(row[{column!r}] for row in data)) or a data frame"
    )


#: What the column of the text is called where none is named.
TEXT_COLUMNS = ("text", "sentence")
#: Package -> its class of data frames. They are told by name, so that none need be imported.
_FRAMES = {"pandas": "DataFrame", "polars": "DataFrame", "datasets": "Dataset"}


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _frame_package(data: object) -> str:
    """The package whose data frame this is, or a kind of it; "" where it is none."""
    kinds = ((kind, _package(kind)) for kind in type(data).__mro__)
    return next((name for kind, name in kinds if kind.__name__ == _FRAMES.get(name)), "")


def _is_frame(data: object) -> bool:
    return bool(_frame_package(data))


def _column_names(frame: Any) -> list[str]:
    names = frame.column_names if _frame_package(frame) == "datasets" else frame.columns
    return [str(name) for name in names]


def _records(frame: Any) -> Iterator[dict[str, Any]]:
    package = _frame_package(frame)
    if package == "pandas":
        names, missing = _column_names(frame), sys.modules["pandas"].NA
        for values in frame.itertuples(index=False, name=None):
            cells = (None if value is missing else _plain(value) for value in values)
            yield dict(zip(names, cells, strict=True))
    else:
        # A data set of another format gives tables or frames in the place of rows.
        rows = frame.iter_rows(named=True) if package == "polars" else frame.with_format(None)
        for record in rows:
            yield {name: _plain(value) for name, value in record.items()}


def _plain(cell: Any) -> Any:
    """A cell as JSON files have it: arrays as lists."""
    return cell.tolist() if getattr(cell, "ndim", 0) else cell


def _with_columns(frame: Any, columns: Mapping[str, list[Any]], book: Codebook) -> Any:
    """The frame with columns whose types say nothing of their values, not even where all lack."""
    package = sys.modules[_frame_package(frame)]
    if package.__name__ == "pandas":
        return package.concat([frame, _in_pandas(frame, columns, book)], axis=1)
    import pyarrow as pa

    types = [(name, label_type(head, label)) for head, label, name in label_columns(book)]
    if package.__name__ == "polars":
        arrays = {name: pa.array(columns[name], kind) for name, kind in types}
        return frame.with_columns([package.from_arrow(a).alias(n) for n, a in arrays.items()])
    features = package.Features.from_arrow_schema(pa.schema(types))
    if not len(frame):
        # Joined to others, columns of a data set without rows are lost.
        whole = package.Features({**frame.features, **features})
        return package.Dataset.from_dict({name: [] for name in whole}, features=whole)
    added = package.Dataset.from_dict(columns, features=features)
    return package.concatenate_datasets([frame, added], axis=1)


def _in_pandas(frame: Any, columns: Mapping[str, list[Any]], book: Codebook) -> Any:
    pandas = sys.modules["pandas"]
    # Text has the type that this version of pandas gives it: object, or str from pandas 3 on.
    text = pandas.Series(["text"]).dtype
    added = {}
    for head, label, name in label_columns(book):
        decision = object if head.kind == "multi_label" else text
        kind = decision if label is None else float
        added[name] = pandas.Series(columns[name], index=frame.index, dtype=kind)
    return pandas.DataFrame(added, index=frame.index)
