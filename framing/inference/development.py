"""What a bundle's model decided on the development split, beside what is true there.

Kept sentence by sentence, without ids or texts, so that the rates of errors can be had for every
recall of a screen: dismissed sentences have no labels. The labels are those of multi_label
variables; only these are counted among all sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framing.arrays import BoolArray, FloatArray, LabelArray
from framing.codebook import Codebook
from framing.decisions import Decisions
from framing.errors import ArtifactError
from framing.inference.stored import load_arrays, save_arrays
from framing.metrics import Counts

_ARRAYS = ("document", "coded", "gold", "labelled", "scores")


@dataclass(frozen=True)
class Outcomes:
    """Gold and decided labels of n development sentences.

    Attributes:
        document: Number of each sentence's document, shape (n,), from 0 without gaps.
        coded: Whether gold has a value, shape (n, labels); columns are the labels of all
            multi_label variables in the codebook's order.
        gold: Whether the sentence has the label, same shape; False where not coded.
        labelled: Whether the model gives it, same shape.
        scores: Of the screen, shape (n,); empty in a bundle without one.
    """

    document: NDArray[np.int64]
    coded: BoolArray
    gold: BoolArray
    labelled: BoolArray
    scores: FloatArray

    @property
    def sentences(self) -> int:
        """Sentences."""
        return len(self.document)

    @property
    def documents(self) -> int:
        """Documents."""
        return int(self.document.max(initial=-1)) + 1

    def counts(self, limit: float | None = None) -> Counts:
        """Outcomes by document.

        Args:
            limit: Score below which a screen dismisses sentences; None without a screen.

        Returns:
            Shape (documents, labels), of coded sentences.
        """
        kept = self.labelled if limit is None else self.labelled & (self.scores >= limit)[:, None]
        true, false = self.gold & self.coded, ~self.gold & self.coded
        parts = (true & kept, false & kept, true & ~kept, false & ~kept)
        return Counts(*map(self._by_document, parts))

    def _by_document(self, flags: BoolArray) -> FloatArray:
        out: FloatArray = np.zeros((self.documents, flags.shape[1]))
        np.add.at(out, self.document, flags)
        return out


def development_outcomes(
    gold: LabelArray,
    probabilities: FloatArray,
    documents: Sequence[str],
    book: Codebook,
    decisions: Decisions,
) -> Outcomes:
    """Compare a model's labels with gold.

    Args:
        gold: Of the development split.
        probabilities: Of the bundle's model, calibrated, shape (n, logits).
        documents: Document id of every sentence.
        book: The codebook.
        decisions: Gives the thresholds.

    Returns:
        What the bundle keeps; without scores of a screen.
    """
    wanted = book.multi_label_logits
    head_of = [k for k, h in enumerate(book.heads) if h.kind == "multi_label" for _ in h.labels]
    _, document = np.unique(np.array(documents), return_inverse=True)
    return Outcomes(
        document=document.astype(np.int64),
        coded=gold.coded[:, head_of],
        gold=gold.values[:, wanted] & gold.coded[:, head_of],
        labelled=probabilities[:, wanted] >= np.array(decisions.threshold)[wanted],
        scores=np.empty(0),
    )


def save_outcomes(path: Path, outcomes: Outcomes) -> None:
    """Write outcomes atomically."""
    arrays: dict[str, Any] = {name: np.asarray(getattr(outcomes, name)) for name in _ARRAYS}
    arrays["document"] = outcomes.document.astype(np.int32)
    # As the screen's limits are kept, so that both fall on the same side of one.
    arrays["scores"] = outcomes.scores.astype(np.float32)
    save_arrays(path, arrays)


def load_outcomes(path: Path, book: Codebook) -> Outcomes:
    """Read what `save_outcomes` wrote.

    Args:
        path: The file.
        book: The codebook of the bundle.

    Returns:
        The outcomes.

    Raises:
        ArtifactError: The file holds something else, or does not fit the codebook.
    """
    arrays = load_arrays(path, _ARRAYS, "labels of a development split")
    _check_shapes(path, arrays, book)
    return Outcomes(
        document=arrays["document"].astype(np.int64),
        coded=arrays["coded"].astype(bool),
        gold=arrays["gold"].astype(bool),
        labelled=arrays["labelled"].astype(bool),
        scores=arrays["scores"].astype(np.float64),
    )


def _check_shapes(path: Path, arrays: Mapping[str, NDArray[Any]], book: Codebook) -> None:
    n = arrays["document"].size
    shape = (n, len(book.multi_label_logits))
    expected: dict[str, list[tuple[int, ...]]]
    expected = {"document": [(n,)], "coded": [shape], "gold": [shape], "labelled": [shape]}
    # Without a screen there are no scores.
    expected["scores"] = [(n,), (0,)]
    for name, shapes in expected.items():
        if arrays[name].shape not in shapes:
            raise ArtifactError(
                f"{path}: expected {name!r} of shape {shapes[0]} for the codebook {book.name!r}, "
                f"found {arrays[name].shape}; export the run again"
            )
