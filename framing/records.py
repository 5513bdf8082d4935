"""The frozen records that pass between stages.

Values of annotations and predictions are keyed by *head* (see `framing.codebook.Head`): a
multi_label variable is one head, a single_label variable is one head, and a variable that is
coded once per present label of another is one head for each of these labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Coder names that the package itself writes.
GOLD = "gold"
ADJUDICATOR = "adjudicator"


@dataclass(frozen=True, slots=True)
class Sentence:
    """The coding unit.

    Attributes:
        id: Unique within a corpus.
        text: The sentence itself.
        doc_id: The document it stands in; splits and intervals keep documents whole.
        position: Zero-based place in the document.
        previous: The sentence before it in the document, or "".
        target: What a stance is towards, or "" where the codebook needs none.
        metadata: Source, genre, date, speaker, title and any other column, as text.
        span: Start and end (exclusive) in the original text, in characters, if known.
    """

    id: str
    text: str
    doc_id: str
    position: int = 0
    previous: str = ""
    target: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    span: tuple[int, int] | None = None

    def value(self, field: str) -> str:
        """A metadata field, or the target where the field is ``target`` and no metadata say it.

        Returns:
            The value, "" where the sentence has none.
        """
        found = self.metadata.get(field, "")
        return self.target if field == "target" and not found else found


@dataclass(frozen=True, slots=True)
class Annotation:
    """One coder's values for one sentence.

    Attributes:
        sentence_id: The sentence coded.
        coder: Who coded; `GOLD` for labels derived from several coders.
        values: Head name -> labels given, in codebook order. An empty tuple means "coded,
            none present"; a head that is not a key was not coded.
    """

    sentence_id: str
    coder: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one sentence.

    Attributes:
        sentence_id: The sentence labelled.
        probabilities: Head name -> calibrated probability of every label, in codebook order.
        labels: Head name -> decided labels. A head that depends on an absent label of another
            variable is not a key.
        bundle: Hash of the bundle, or the name of the baseline, that made it.
    """

    sentence_id: str
    probabilities: Mapping[str, tuple[float, ...]]
    labels: Mapping[str, tuple[str, ...]]
    bundle: str
