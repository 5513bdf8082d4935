"""Small corpora for tests of the data layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from framing.codebook import Codebook
from framing.data.corpus import Corpus, make_corpus
from framing.records import Annotation, Sentence

Values = Mapping[str, Sequence[str]]


def note(sentence_id: str, coder: str, **values: Sequence[str]) -> Annotation:
    """An annotation; ``__`` in a name stands for the dot of a head."""
    return Annotation(
        sentence_id, coder, {k.replace("__", "."): tuple(v) for k, v in values.items()}
    )


def corpus_of(
    book: Codebook, rows: Sequence[tuple[str, str, Sequence[str]]], **metadata: Sequence[str]
) -> Corpus:
    """A corpus from (id, document, topics) rows coded by one coder."""
    sentences, annotations = [], []
    for k, (sentence_id, document, topics) in enumerate(rows):
        fields = {name: values[k] for name, values in metadata.items()}
        sentences.append(Sentence(sentence_id, f"Text {sentence_id}.", document, metadata=fields))
        annotations.append(note(sentence_id, "A", topics=topics))
    return make_corpus("small", book, sentences, annotations)
