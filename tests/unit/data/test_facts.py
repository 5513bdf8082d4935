from framing.codebook import Codebook
from framing.data.corpus import make_corpus
from framing.data.facts import Coverage, coverage
from framing.records import Sentence
from tests.unit.data.helpers import note


def test_coverage(book: Codebook) -> None:
    sentences = [Sentence(name, f"Text {name}.", "d") for name in "abc"]
    annotations = [
        note("a", "Ben", topics=["jobs"], view__jobs=["bad"], speaker=["government"]),
        note("b", "Ben", topics=[]),
        note("c", "Ben", speaker=["opposition"]),
        note("a", "Ana", topics=[]),
    ]
    found = coverage(make_corpus("x", book, sentences, annotations))
    assert list(found) == ["Ana", "Ben"]
    assert found["Ben"] == {
        "topics": Coverage(2, 1),
        "view": Coverage(1, 1),
        "speaker": Coverage(2, 2),
    }
    assert found["Ana"] == {
        "topics": Coverage(1, 0),
        "view": Coverage(0, 0),
        "speaker": Coverage(0, 0),
    }
