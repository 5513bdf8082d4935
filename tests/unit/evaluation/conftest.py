from dataclasses import dataclass

import numpy as np
import pytest

from framing.codebook import Codebook, parse_codebook
from framing.decisions import Decisions, to_predictions
from framing.evaluation.scoring import (
    DataDescription,
    EvaluationSettings,
    System,
    evaluate_systems,
)
from framing.records import Annotation, Sentence

CODEBOOK = """
name: markets
variables:
  - id: topics
    kind: multi_label
    labels: [{id: economy}, {id: health}]
  - id: tone
    kind: single_label
    per: topics
    labels: [{id: good}, {id: bad}, {id: neutral}]
  - id: voice
    kind: single_label
    labels: [{id: paper}, {id: quoted}]
"""
SENTENCES = (
    Sentence("s1", "Prices fell.", "d1", 0, metadata={"source": "North", "genre": "news"}),
    Sentence("s2", "Wages fell too, say nurses.", "d1", 1, "Prices fell.", "", {"source": "North"}),
    Sentence("s3", "It rained.", "d2", 0, metadata={"source": "South"}),
    Sentence("s4", "The clinic opened.", "d3", 0, metadata={"genre": "letter"}),
)
# s4: the coders were tied on tone and voice.
GOLD = (
    {"topics": ("economy",), "tone.economy": ("good",), "voice": ("paper",)},
    {
        "topics": ("economy", "health"),
        "tone.economy": ("bad",),
        "tone.health": ("neutral",),
        "voice": ("quoted",),
    },
    {"topics": (), "voice": ("paper",)},
    {"topics": ("health",)},
)
# Columns: topics, tone.economy, tone.health, voice.
PROBABILITIES = np.array(
    [
        [0.9, 0.2, 0.8, 0.1, 0.1, 0.1, 0.1, 0.8, 0.9, 0.1],
        [0.4, 0.7, 0.2, 0.7, 0.1, 0.5, 0.1, 0.4, 0.3, 0.7],
        [0.6, 0.1, 0.3, 0.3, 0.4, 0.3, 0.3, 0.4, 0.4, 0.6],
        [0.1, 0.8, 0.3, 0.3, 0.4, 0.3, 0.3, 0.4, 0.8, 0.2],
    ]
)


@dataclass(frozen=True)
class Example:
    """Four sentences of another codebook than the bundled one, worked out by hand."""

    book: Codebook
    sentences: tuple[Sentence, ...]
    gold: tuple[Annotation, ...]

    def system(self, name="model", kind="model", probabilities=PROBABILITIES):
        ids = [s.id for s in self.sentences]
        decisions = Decisions.identity(self.book.n_logits)
        predictions = to_predictions(ids, probabilities, self.book, decisions, name)
        return System(name, kind, f"The {name}.", predictions)

    def scores(self, systems=None, **changes):
        arguments = {
            "run": "markets-1",
            "bundle": "b" * 64,
            "book": self.book,
            "data": DataDescription("markets", "test", "One coder.", "0" * 64),
            "sentences": self.sentences,
            "annotations": (),
            "gold": self.gold,
            "systems": systems or [self.system()],
            "decisions": Decisions.identity(self.book.n_logits),
            "settings": EvaluationSettings(resamples=50),
            "leakage": None,
            "facts": {"encoder": "tiny"},
        }
        return evaluate_systems(**(arguments | changes))


@pytest.fixture(scope="session")
def example():
    gold = tuple(
        Annotation(s.id, "gold", values) for s, values in zip(SENTENCES, GOLD, strict=True)
    )
    return Example(parse_codebook(CODEBOOK), SENTENCES, gold)


def figure(scores, metric, variable, head="", label="", *, system=0):
    """The one score of that key."""
    key = (metric, variable, head, label)
    found = [
        s for s in scores.systems[system].scores if (s.metric, s.variable, s.head, s.label) == key
    ]
    assert len(found) == 1, (key, len(found))
    return found[0]


@pytest.fixture(scope="session")
def score():
    return figure
