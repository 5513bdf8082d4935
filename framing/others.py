"""Other models on the same sentences, such as the one of last week.

A document from which one of two models has learnt, and the other has not, flatters that one; such
documents are left out of the comparison. What a run has learnt from is told by the hashes of texts
that every run keeps: they outlast changes of its data, and splits that were dealt anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from framing.artifacts import RUN, read_json, read_seen
from framing.config import BASELINES, load_config
from framing.data.corpus import content_hash
from framing.data.leakage import LEAST_WORDS, normalised, text_hash, text_hashes
from framing.errors import DataError, FramingError, counted
from framing.evaluation.schema import BESIDE, CODERS
from framing.evaluation.scoring import System
from framing.inference.bundle import Bundle, load_bundle
from framing.inference.labeller import Labeller
from framing.records import Sentence
from framing.scoring import Scored, other_splits, splits_of_encoder
from framing.study import study_of


@dataclass(frozen=True)
class OtherModel:
    """A model beside the one that is scored.

    Attributes:
        name: Of its folder.
        bundle: Opened.
        apart: Hashes of the texts from which either it has learnt or the model scored, but not
            both; None where nobody knows.
        warnings: What makes it look better than it is.
    """

    name: str
    bundle: Bundle
    apart: frozenset[str] | None
    warnings: tuple[str, ...] = ()

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
        DataError: One has other variables or labels, is the model itself, or has the name of
            another system.
    """
    own = _seen(run) if paths else None
    found: dict[str, OtherModel] = {}
    for path in paths:
        other = _open(path, bundle, own)
        if other.name in found or other.name in _TAKEN:
            raise DataError(
                f"{path}: another system is called {other.name!r}; give the folder another name, "
                "or compare with one model at a time"
            )
        found[other.name] = other
    return list(found.values())


#: Names of systems that are scored in any case.
_TAKEN = ("model", *BASELINES, CODERS, BESIDE)


def _open(path: Path, bundle: Bundle, own: frozenset[str] | None) -> OtherModel:
    other = load_bundle(path)
    if other.hash == bundle.hash:
        raise DataError(f"{path}: the very model that is scored; name another one")
    if other.codebook.outline != bundle.codebook.outline:
        raise DataError(
            f"{path}: expected a model with the same variables and labels "
            f"({bundle.codebook.told_outline}), found {other.codebook.told_outline}"
        )
    folder = path.resolve()
    # A run's own bundle is called as all of them are.
    folder = folder.parent if folder.name == RUN.bundle else folder
    same = other.settings.run == bundle.settings.run
    apart = frozenset[str]() if same else _apart(own, _seen(folder))
    return OtherModel(folder.name, other, apart, tuple(_warnings(folder)))


def _apart(own: frozenset[str] | None, seen: frozenset[str] | None) -> frozenset[str] | None:
    return None if own is None or seen is None else own ^ seen


def _seen(run: Path) -> frozenset[str] | None:
    """Hashes of what a run has learnt from, those of an older run from its data; else None."""
    if (found := read_seen(run)) is not None:
        return found
    try:
        config = load_config(run / RUN.config)
        return text_hashes(study_of(run, config).learnt_from(config.data))
    except (FramingError, OSError):
        return None


def _warnings(run: Path) -> Iterator[str]:
    """What a run's record says of others that may have learnt from scored documents."""
    if (run / RUN.record).is_file():
        record = read_json(run / RUN.record)
        yield from filter(None, (other_splits(record), splits_of_encoder(record)))


def unseen(scored: Scored, others: Sequence[OtherModel]) -> tuple[Scored, str]:
    """Leave out documents from which one of two models alone has learnt.

    Args:
        scored: On what models shall be compared.
        others: The other models.

    Returns:
        The rest, and what was left out in words, "" where nothing was.

    Raises:
        DataError: Nothing is left.
    """
    apart = frozenset[str]().union(*(other.apart or () for other in others))
    out = {s.doc_id for s in scored.sentences if _tells(s) and text_hash(s.text) in apart}
    if not out:
        return scored, ""
    sentences = [s for s in scored.sentences if s.doc_id not in out]
    if not sentences:
        raise DataError(
            f"{scored.name}: of every one of its documents one model has learnt and another has "
            "not, so nothing is left to compare on; name other coded data (--data)"
        )
    left_out = len(scored.sentences) - len(sentences)
    words = (
        f"{counted(len(out), 'document')} with {counted(left_out, 'sentence')}, from which one of "
        "the models has learnt and another has not"
    )
    return _only(scored, sentences), words


def _tells(sentence: Sentence) -> bool:
    """Whether a sentence is long enough to tell a document; short ones recur by chance."""
    return len(normalised(sentence.text).split()) >= LEAST_WORDS


def _only(scored: Scored, sentences: Sequence[Sentence]) -> Scored:
    ids = {s.id for s in sentences}
    annotations = [a for a in scored.annotations if a.sentence_id in ids]
    return dataclasses.replace(
        scored,
        hash=content_hash(sentences, annotations),
        sentences=sentences,
        annotations=annotations,
        gold=[g for g in scored.gold if g.sentence_id in ids],
        # Of a part of a benchmark they are not what others report.
        official=(),
    )


def told(others: Sequence[OtherModel], left_out: str) -> dict[str, str]:
    """What a report must say of other models, as facts that are warnings."""
    facts = {}
    if left_out:
        facts["warning_left_out"] = f"Left out of the comparison: {left_out}."
    unknown = [other.name for other in others if other.apart is None]
    if unknown:
        facts["warning_others"] = (
            f"It is not known what this model or {' and '.join(unknown)} has learnt from. If "
            "scored sentences are among it, that model's figures are too high."
        )
    for number, other in enumerate(others, start=1):
        if other.warnings:
            facts[f"warning_other_{number}"] = f"{other.name}: {' '.join(other.warnings)}"
    return facts
