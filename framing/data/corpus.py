"""The corpus: sentences with annotations and the codebook that they follow."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from framing.codebook import Codebook
from framing.data.problems import Place, Problems
from framing.errors import DataError, unknown_name
from framing.records import Annotation, Sentence

Values = Mapping[str, tuple[str, ...]]
_HINT = "; if several coders coded it, name their column under `columns: {coder: ...}`"
_ANEW = (
    ", in another document; where numbers begin anew in each document, write document and number "
    "together"
)
_PlaceOf = Callable[[int], Place | None]


@dataclass(frozen=True)
class Corpus:
    """Sentences, what coders said of them, and the codebook. Made by `make_corpus`.

    Attributes:
        name: For people and file names.
        codebook: What was coded.
        sentences: In the order of the file.
        annotations: Any number a sentence, at most one for each coder.
        hash: SHA-256 of sentences and annotations; their order does not count.
        without_document: Ids of the sentences that do not say which document they stand in
            although others do, and of which nobody said what that means.
        unordered_documents: Ids of the documents whose rows do not tell the order of their
            sentences, so that no previous sentence was filled in.
        differing_fields: Metadata fields in which rows of one sentence differ, of which the first
            is kept, each with the id of such a sentence.
    """

    name: str
    codebook: Codebook
    sentences: tuple[Sentence, ...]
    annotations: tuple[Annotation, ...]
    hash: str
    without_document: frozenset[str] = frozenset()
    unordered_documents: frozenset[str] = frozenset()
    differing_fields: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def documents(self) -> tuple[str, ...]:
        """Document ids in order of first appearance."""
        return tuple(dict.fromkeys(s.doc_id for s in self.sentences))

    @functools.cached_property
    def coders(self) -> tuple[str, ...]:
        """Names of the coders, sorted."""
        return tuple(sorted({a.coder for a in self.annotations}))

    def subset(self, ids: Iterable[str]) -> Corpus:
        """The corpus of the sentences with these ids, in this corpus's order.

        Args:
            ids: Sentence ids.

        Raises:
            DataError: An id is not in the corpus.
        """
        wanted = set(ids)
        sentences = tuple(s for s in self.sentences if s.id in wanted)
        unknown = wanted.difference(s.id for s in sentences)
        if unknown:
            raise DataError(
                f"{self.name}: {len(unknown)} of the sentence ids wanted are not in the corpus, "
                f"such as {min(unknown)!r}"
            )
        annotations = tuple(a for a in self.annotations if a.sentence_id in wanted)
        digest = content_hash(sentences, annotations)
        return replace(
            self,
            sentences=sentences,
            annotations=annotations,
            hash=digest,
            without_document=self.without_document & wanted,
            unordered_documents=self.unordered_documents & {s.doc_id for s in sentences},
        )

    def where(self, filters: Mapping[str, Collection[str]]) -> Corpus:
        """The corpus of the sentences whose metadata have one of the values given.

        Args:
            filters: Metadata field -> values that are kept; all fields must match.

        Raises:
            DataError: No sentence has such a metadata field.
        """
        known = metadata_fields(self.sentences)
        for name in filters:
            if name not in known:
                raise DataError(f"{self.name}: {unknown_name('metadata field', name, known)}")
        return self.subset(
            s.id
            for s in self.sentences
            if all(s.value(field) in values for field, values in filters.items())
        )


def metadata_fields(sentences: Iterable[Sentence]) -> tuple[str, ...]:
    """Names of all metadata fields in order of first appearance, and target where there is one."""
    found: dict[str, None] = {}
    for sentence in sentences:
        found.update(dict.fromkeys(sentence.metadata))
        if sentence.target:
            found["target"] = None
    return tuple(found)


def check_adjudicator(corpus: Corpus, name: str, key: str) -> None:
    """Refuse a final coder whose word would silently count for nothing, such as a misspelt one.

    Args:
        corpus: What he should have coded.
        name: His name, as somebody gave it.
        key: Where it was given.

    Raises:
        DataError: The corpus has coders, and he is none of them.
    """
    if corpus.coders and name not in corpus.coders:
        raise DataError(
            f"{corpus.name}: {key}: {unknown_name('coder', name, corpus.coders)} Leave it out "
            "where nobody's word is final"
        )


def make_corpus(
    name: str,
    codebook: Codebook,
    sentences: Iterable[Sentence],
    annotations: Iterable[Annotation],
    *,
    sentence_places: Sequence[Place] = (),
    annotation_places: Sequence[Place] = (),
) -> Corpus:
    """Check sentences and annotations against each other and the codebook.

    Args:
        name: Of the corpus.
        codebook: What was coded.
        sentences: At least one.
        annotations: Of these sentences.
        sentence_places: Where each sentence was read, for messages; empty where unknown.
        annotation_places: The same for annotations.

    Returns:
        The corpus.

    Raises:
        DataError: With every problem found (the first 20 are shown): ids that stand twice,
            empty texts, unknown sentences, heads or labels, values for absent labels.
    """
    sentences, annotations = tuple(sentences), tuple(annotations)
    problems = Problems()
    if not sentences:
        problems.add(None, "expected at least one sentence, found none")
    _check_sentences(sentences, _lookup(sentence_places), problems)
    ids = {s.id for s in sentences}
    _check_annotations(annotations, ids, codebook, _lookup(annotation_places), problems)
    problems.raise_any(f"{name}: the data have mistakes")
    return Corpus(name, codebook, sentences, annotations, content_hash(sentences, annotations))


def _lookup(places: Sequence[Place]) -> _PlaceOf:
    return lambda index: places[index] if places else None


def _check_sentences(sentences: Sequence[Sentence], place: _PlaceOf, problems: Problems) -> None:
    first: dict[str, int] = {}
    for index, sentence in enumerate(sentences):
        if not sentence.text.strip():
            problems.add(place(index), f"sentence {sentence.id!r} has no text")
        earlier = first.setdefault(sentence.id, index)
        if earlier != index:
            before = place(earlier)
            also = f", first at {before}" if before else ""
            hint = _HINT if sentence.doc_id == sentences[earlier].doc_id else _ANEW
            problems.add(place(index), f"sentence id {sentence.id!r} stands twice{also}{hint}")


def _check_annotations(
    annotations: Sequence[Annotation],
    ids: Collection[str],
    book: Codebook,
    place: _PlaceOf,
    problems: Problems,
) -> None:
    seen: set[tuple[str, str]] = set()
    for index, annotation in enumerate(annotations):
        key = (annotation.sentence_id, annotation.coder)
        what = f"sentence {annotation.sentence_id!r}, coder {annotation.coder!r}"
        if annotation.sentence_id not in ids:
            problems.add(place(index), f"{what}: no sentence has this id")
        if key in seen:
            problems.add(place(index), f"{what}: coded twice; one annotation a coder is expected")
        seen.add(key)
        for text in value_problems(annotation.values, book):
            problems.add(place(index), f"{what}: {text}")


def value_problems(values: Values, book: Codebook) -> list[str]:
    """Check one annotation's values.

    Args:
        values: Head name -> labels.
        book: The codebook.

    Returns:
        What is wrong: unknown heads and labels, other than one label in a single_label head,
        values for a label that is not present. Empty when all is well.
    """
    heads = {head.name: head for head in book.heads}
    found = []
    for name, labels in values.items():
        head = heads.get(name)
        if head is None:
            found.append(unknown_name("variable", name, heads))
            continue
        found += [
            f"{name}: {unknown_name('label', label, head.labels)}"
            for label in labels
            if label not in head.labels
        ]
        if head.kind == "single_label" and len(labels) != 1:
            found.append(f"{name}: expected exactly one label, found {len(labels)}")
        parent = book.variable(head.variable).per
        if parent is not None and head.condition not in values.get(parent, ()):
            found.append(f"{name} is coded, but {head.condition!r} is not among its {parent}")
    return found


def content_hash(sentences: Iterable[Sentence], annotations: Iterable[Annotation]) -> str:
    """SHA-256 of sentences and annotations, independent of their order."""
    lines = sorted(map(_sentence_line, sentences)) + sorted(map(_annotation_line, annotations))
    return _digest(lines)


def sentences_hash(sentences: Iterable[Sentence]) -> str:
    """SHA-256 of sentences alone, independent of their order."""
    return _digest(sorted(map(_sentence_line, sentences)))


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("ascii") + b"\n")
    return digest.hexdigest()


def _sentence_line(sentence: Sentence) -> str:
    return _line(
        sentence.id,
        sentence.text,
        sentence.doc_id,
        sentence.position,
        sentence.previous,
        sentence.target,
        dict(sentence.metadata),
        sentence.span,
    )


def _annotation_line(annotation: Annotation) -> str:
    return _line(annotation.sentence_id, annotation.coder, dict(annotation.values))


def _line(*fields: Any) -> str:
    return json.dumps(fields, sort_keys=True, ensure_ascii=True)
