"""A teacher's probabilities as part of what a model shall learn.

A label says that a sentence is an instance; the probability of a larger model also says how nearly
it is none, and of which label it reminds. In the same number of steps a small model learns more
from both than from the label alone (Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a
Neural Network").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.artifacts import RUN, atomic_path, printable, read_json, sha256_file
from framing.codebook import Codebook, Head
from framing.data.tables import Row, iter_rows
from framing.decisions import Decisions, calibrated_probabilities
from framing.encoding import tokenize
from framing.errors import ConfigError, DataError, counted
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from framing.inference.writers import label_columns
from framing.model.dataset import Targets
from framing.records import Sentence

#: How far the probabilities of a single_label head may be from one in all: what digits leave.
_ROUNDING = 0.01


@dataclass(frozen=True)
class Lesson:
    """What a teacher says of n sentences.

    Attributes:
        probabilities: Shape (n, logits); 0 where it says nothing.
        known: Shape (n, heads); whether it says anything of a head.
    """

    probabilities: FloatArray
    known: BoolArray


def asks_model(source: Path) -> bool:
    """Whether a teacher is a run or bundle, which must be asked, and no file of its answers."""
    return source.is_dir()


def teacher_hash(source: Path) -> str:
    """What tells a teacher from another: the hash of a bundle or of a file.

    Raises:
        ArtifactError: A folder is no bundle, or an altered one.
    """
    return load_bundle(source).hash if asks_model(source) else sha256_file(source)


def teacher_splits(source: Path) -> str | None:
    """Hash of the splits that a run was trained with; None of what tells nothing of them."""
    record = source / RUN.record
    if not record.is_file():
        return None
    splits: str = read_json(record)["data"]["splits"]
    return splits


def check_teacher(
    source: Path, sentences: Sequence[Sentence], unlabelled: Sequence[Sentence], book: Codebook
) -> None:
    """Find what would fail later.

    Args:
        source: A run, a bundle, or a file with probabilities.
        sentences: Coded training sentences.
        unlabelled: Training sentences that nobody coded.
        book: Their codebook.

    Raises:
        ArtifactError: The folder is no bundle.
        ConfigError: There is no such teacher, or its codebook is another one.
        DataError: The file cannot be read, knows none of the sentences, or not all of those that
            nobody coded.
    """
    if not source.exists():
        raise ConfigError(
            "training.teacher: expected a run, a bundle or a file with probabilities, found "
            f"nothing at {printable(source)}"
        )
    if asks_model(source):
        _check_codebook(load_bundle(source).codebook, book, source)
        return
    found = read_probabilities(source, [s.id for s in (*sentences, *unlabelled)], book)
    missing = [
        s.id
        for s, known in zip(unlabelled, found.known[len(sentences) :], strict=True)
        if not known.any()
    ]
    if missing:
        raise DataError(
            f"{printable(source)}: training.teacher: expected probabilities of all "
            f"{counted(len(unlabelled), 'sentence')} of data.unlabelled, found none for "
            f"{len(missing):,} of them, such as {missing[0]!r}; let the teacher label them too, or "
            "leave them out: without codes and teacher nothing is learnt of them"
        )


def _check_codebook(theirs: Codebook, ours: Codebook, source: Path) -> None:
    their_heads = [(h.name, h.kind, h.labels) for h in theirs.heads]
    our_heads = [(h.name, h.kind, h.labels) for h in ours.heads]
    if their_heads != our_heads:
        odd = sorted({name for name, *_ in set(their_heads) ^ set(our_heads)})
        raise ConfigError(
            f"training.teacher: {printable(source)} was trained with another codebook: expected "
            f"the variables and labels of {ours.name!r}, found a difference in "
            f"{', '.join(odd) or 'their order'}; name a run with the same codebook"
        )


def answers(source: Path, sentences: Sequence[Sentence], book: Codebook) -> FloatArray:
    """The probabilities of a run or bundle, as its model gives them.

    Uncalibrated: calibration may be made for other shares than those of the training data, and
    the student has its own.

    Args:
        source: Its folder.
        sentences: Any sentences.
        book: The student's codebook.

    Returns:
        Shape (n, logits).

    Raises:
        ArtifactError: The folder is no bundle.
        ConfigError: Its codebook has other variables or labels.
    """
    bundle = load_bundle(source)
    _check_codebook(bundle.codebook, book, source)
    tokens = tokenize(bundle.tokenizer, sentences, bundle.input_settings)
    logits = Labeller(bundle).logits(tokens)
    return calibrated_probabilities(logits, book, Decisions.identity(book.n_logits))


def write_probabilities(
    path: Path, sentences: Sequence[Sentence], probabilities: FloatArray, book: Codebook
) -> None:
    """Write the probabilities of sentences so that `read_probabilities` reads them.

    Args:
        path: A Parquet file.
        sentences: Give the ids.
        probabilities: Shape (n, logits).
        book: Gives the columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [name for _, label, name in label_columns(book) if label is not None]
    columns: dict[str, Any] = {"id": [s.id for s in sentences]}
    for name, values in zip(names, probabilities.T, strict=True):
        columns[name] = pa.array(values.astype(np.float32))
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def read_probabilities(path: Path, ids: Sequence[str], book: Codebook) -> Lesson:
    """Read the probabilities of some sentences.

    Args:
        path: A file with a column ``id`` and a column ``p.<head>.<label>`` for each label, or JSON
            lines with ``probabilities``: what `framing predict` writes. Heads may be missing.
        ids: Of the sentences wanted.
        book: Gives heads and labels.

    Returns:
        One row an id; what the file does not hold is not known.

    Raises:
        DataError: It cannot be read, holds no probabilities, or knows none of the sentences.
    """
    place = {name: row for row, name in enumerate(ids)}
    probabilities = np.zeros((len(ids), book.n_logits))
    known = np.zeros((len(ids), len(book.heads)), dtype=bool)
    seen: set[str] = set()
    for row in iter_rows(path):
        name = str(row.values.get("id", ""))
        if name not in place:
            continue
        if name in seen:
            raise DataError(f"{row.place}: sentence {name!r} stands there a second time")
        seen.add(name)
        for column, head in enumerate(book.heads):
            found = _of_head(row, head)
            if found is not None:
                probabilities[place[name], head.slice] = found
                known[place[name], column] = True
    if not known.any():
        raise DataError(
            f"{printable(path)}: training.teacher: expected probabilities of the training "
            f"sentences: a column `id` and columns such as {_first_column(book)}, as `framing "
            f"predict` writes them; found {_what_lacks(seen, len(ids))}"
        )
    return Lesson(probabilities, known)


def _first_column(book: Codebook) -> str:
    return next(name for _, label, name in label_columns(book) if label is not None)


def _what_lacks(seen: set[str], wanted: int) -> str:
    if not seen:
        return f"none of the {counted(wanted, 'id')} of the training sentences"
    return "no such column"


def _of_head(row: Row, head: Head) -> list[float] | None:
    """The probabilities of a head's labels, None where the row has none of them.

    Raises:
        DataError: Some are missing, or are no probabilities.
    """
    nested = row.values.get("probabilities")
    if isinstance(nested, Mapping):
        cells = nested.get(head.name) or {}
        found = [cells.get(label) for label in head.labels]
    else:
        found = [row.values.get(f"p.{head.name}.{label}") for label in head.labels]
    if all(cell in (None, "") for cell in found):
        return None
    try:
        values = [float(cell) for cell in found]  # type: ignore[arg-type]
    except (TypeError, ValueError):
        values = []
    total = sum(values)
    single = head.kind == "single_label"
    sound = bool(values) and all(0 <= value <= 1 for value in values)
    if not sound or (single and abs(total - 1) > _ROUNDING):
        rest = " that sum to 1" if single else ""
        shown = ", ".join(
            f"{label}: {cell!r}" for label, cell in zip(head.labels, found, strict=True)
        )
        raise DataError(
            f"{row.place}: {head.name}: expected a probability for each label{rest}, found {shown}"
        )
    return [value / total for value in values] if single else values


def taught(targets: Targets, lesson: Lesson, book: Codebook, share: float, n_coded: int) -> Targets:
    """Mix a teacher's probabilities into targets.

    Args:
        targets: Of n training sentences, those that nobody coded at the end.
        lesson: Of the same sentences.
        book: The codebook.
        share: Of the teacher in the targets of coded sentences of which it says anything.
        n_coded: How many sentences were coded.

    Returns:
        Targets whose weights are those given, and for sentences that nobody coded 1, or in a head
        that depends on a label the probability of that label, as among coders.
    """
    values, weights = targets.values.copy(), targets.weights.copy()
    place: dict[tuple[str, str | None], int] = {
        (h.name, label): h.start + k for h in book.heads for k, label in enumerate(h.labels)
    }
    for column, head in enumerate(book.heads):
        rows = np.flatnonzero(lesson.known[:, column])
        coded, alone = rows[rows < n_coded], rows[rows >= n_coded]
        theirs = lesson.probabilities[:, head.slice]
        values[coded, head.slice] = (1 - share) * values[coded, head.slice] + share * theirs[coded]
        values[alone, head.slice] = theirs[alone]
        parent = book.variable(head.variable).per
        weights[alone, column] = (
            1 if parent is None else lesson.probabilities[alone, place[parent, head.condition]]
        )
    return Targets(values, weights)
