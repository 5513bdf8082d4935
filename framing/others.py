"""Other models on the same sentences, such as the one of last week.

A document from which another model has learnt, and the one that is scored has not, flatters the
other; such documents are left out of the comparison. What a run has learnt from is told by the
hashes of texts that every run keeps: they outlast changes of its data, and splits that were dealt
anew.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framing.artifacts import RUN
from framing.codebook import Codebook
from framing.config import load_config
from framing.data.corpus import content_hash
from framing.data.leakage import text_hash, text_hashes
from framing.errors import DataError, FramingError, counted
from framing.evaluation.scoring import System
from framing.inference.bundle import Bundle, load_bundle
from framing.inference.labeller import Labeller
from framing.records import Sentence
from framing.scoring import Scored
from framing.study import study_of


@dataclass(frozen=True)
class OtherModel:
    """A model beside the one that is scored.

    Attributes:
        name: Of its folder.
        bundle: Opened.
        ahead: Hashes of the texts that it has learnt from and the one scored has not, None where
            nobody knows.
    """

    name: str
    bundle: Bundle
    ahead: frozenset[str] | None

    def system(self, sentences: Sequence[Sentence]) -> System:
        """Its predictions for sentences."""
        return System(
            self.name,
            "other",
            f"Another model, bundle {self.bundle.hash[:12]}.",
            Labeller(self.bundle).label(sentences),
        )


def open_others(paths: Sequence[Path], run: Path, bundle: Bundle) -> list[OtherModel]:
    """Open the models that one shall be compared with.

    Args:
        paths: Folders of runs or bundles.
        run: The run that is scored.
        bundle: Of its model.

    Raises:
        ArtifactError: There is no bundle in one of them.
        DataError: One has other variables or labels, is the model itself, or two have one name.
    """
    own = _seen(run) or frozenset() if paths else frozenset()
    found = [_open(path, bundle, own) for path in paths]
    twice = [name for name, n in Counter(other.name for other in found).items() if n > 1]
    if twice:
        raise DataError(
            f"expected models in folders of different names, found two named {twice[0]!r}; "
            "rename one, or compare with one at a time"
        )
    return found


def _open(path: Path, bundle: Bundle, own: frozenset[str]) -> OtherModel:
    other = load_bundle(path)
    if other.hash == bundle.hash:
        raise DataError(f"{path}: the very model that is scored; name another one")
    expected, found = (_heads(b.codebook) for b in (bundle, other))
    if expected != found:
        raise DataError(
            f"{path}: expected a model with the same variables and labels, {expected}; "
            f"found {found}"
        )
    seen = _seen(path)
    return OtherModel(path.resolve().name, other, None if seen is None else seen - own)


def _heads(book: Codebook) -> dict[str, tuple[str, ...]]:
    return {head.name: head.labels for head in book.heads}


def _seen(path: Path) -> frozenset[str] | None:
    """Hashes of what a run has learnt from; bundles, and runs of earlier versions, keep none."""
    if (path / RUN.seen).is_file():
        return frozenset((path / RUN.seen).read_text(encoding="ascii").split())
    try:
        config = load_config(path / RUN.config)
        return text_hashes(study_of(path, config).learnt_from(config.data))
    except (FramingError, OSError):
        return None


def unseen(scored: Scored, others: Sequence[OtherModel]) -> tuple[Scored, str]:
    """Leave out documents that another model alone has learnt from.

    Args:
        scored: On what models shall be compared.
        others: The other models.

    Returns:
        The rest, and what was left out in words, "" where nothing was.

    Raises:
        DataError: Nothing is left.
    """
    known = [(other.name, other.ahead) for other in others if other.ahead]
    seen = {name: _seen_documents(scored.sentences, hashes) for name, hashes in known}
    seen = {name: documents for name, documents in seen.items() if documents}
    if not seen:
        return scored, ""
    out = set().union(*seen.values())
    sentences = [s for s in scored.sentences if s.doc_id not in out]
    if not sentences:
        raise DataError(
            f"{scored.name}: {' and '.join(seen)} learnt from every one of its documents, so "
            "nothing is left to compare on; name other coded data (--data)"
        )
    left_out = len(scored.sentences) - len(sentences)
    told = (
        f"{counted(len(out), 'document')} with {counted(left_out, 'sentence')}, from which "
        f"{' or '.join(seen)} has learnt"
    )
    return _only(scored, sentences), told


def _seen_documents(sentences: Sequence[Sentence], hashes: frozenset[str]) -> set[str]:
    """Documents of which at least half of the sentences were learnt from.

    A single one may be a phrase that recurs.
    """
    all_of, seen_of = Counter[str](), Counter[str]()
    for sentence in sentences:
        all_of[sentence.doc_id] += 1
        seen_of[sentence.doc_id] += text_hash(sentence.text) in hashes
    return {document for document, n in all_of.items() if 2 * seen_of[document] >= n}


def _only(scored: Scored, sentences: Sequence[Sentence]) -> Scored:
    ids = {s.id for s in sentences}
    annotations = [a for a in scored.annotations if a.sentence_id in ids]
    return dataclasses.replace(
        scored,
        hash=content_hash(sentences, annotations),
        sentences=sentences,
        annotations=annotations,
        gold=[g for g in scored.gold if g.sentence_id in ids],
    )


def told(others: Sequence[OtherModel], left_out: str) -> dict[str, str]:
    """What a report must say of other models."""
    unknown = [other.name for other in others if other.ahead is None]
    facts = {"left out": left_out} if left_out else {}
    if unknown:
        facts["warning_others"] = (
            f"It is not known what {' and '.join(unknown)} has learnt from. If scored sentences "
            "are among it, its figures are too high."
        )
    return facts
