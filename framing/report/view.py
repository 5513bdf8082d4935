"""Scores with look-ups by name, and the names that people read."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import yaml

from framing.codebook import Codebook, Head, Variable, parse_codebook
from framing.evaluation.schema import (
    BESIDE,
    CODERS,
    LEAST_JUDGED_DOCUMENTS,
    Comparison,
    Score,
    Scores,
    SystemScores,
)
from framing.report.formatting import count, listed, plain, titled

MODEL = "model"

#: Systems that reports name in an order and in words of their own.
_SYSTEM_TITLES = {
    MODEL: "Model",
    CODERS: "Coders",
    BESIDE: "Model beside coders",
    "keywords": "Keyword list",
    "metadata": "Outlet or genre",
    "tfidf": "TF-IDF",
    "frozen_encoder": "Frozen encoder",
    "majority": "Majority",
}

METRIC_TITLES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "log_loss": "Log loss",
    "exact_match": "Exact match",
    "kappa": "Cohen's kappa",
}


@dataclass(frozen=True)
class View:
    """Scores as the report reads them.

    Attributes:
        scores: What evaluation wrote.
    """

    scores: Scores

    @functools.cached_property
    def book(self) -> Codebook:
        """The codebook.

        Raises:
            CodebookError: The scores hold no valid codebook.
        """
        text = yaml.safe_dump(self.scores.codebook, allow_unicode=True, sort_keys=False)
        return parse_codebook(text, f"codebook in the scores of {self.scores.run}")

    @functools.cached_property
    def _index(self) -> dict[tuple[str, str, str, str, str], Score]:
        return {
            (system.name, score.metric, score.variable, score.head, score.label): score
            for system in self.scores.systems
            for score in system.scores
        }

    @functools.cached_property
    def _compared(self) -> dict[tuple[str, str, str, str], Comparison]:
        return {(c.other, c.metric, c.variable, c.label): c for c in self.scores.comparisons}

    @functools.cached_property
    def model(self) -> SystemScores:
        """The model's figures."""
        return next(s for s in self.scores.systems if s.kind == "model")

    @functools.cached_property
    def others(self) -> tuple[SystemScores, ...]:
        """Coders first, then other models, then baselines in the order of `_SYSTEM_TITLES`.

        A baseline that has nothing to go on for any variable is not among them.
        """
        kinds, titles = ("ceiling", "other", "baseline"), list(_SYSTEM_TITLES)
        others = (s for s in self.scores.systems if s.kind != "model")
        found = [s for s in others if s.scores or not s.unscored]

        def place(system: SystemScores) -> tuple[int, int]:
            known = system.name in titles
            return kinds.index(system.kind), titles.index(system.name) if known else len(titles)

        return tuple(sorted(found, key=place))

    def others_on(self, variable: Variable) -> tuple[SystemScores, ...]:
        """The same without those that have nothing to go on for a variable."""
        return tuple(s for s in self.others if variable.id not in s.unscored)

    def unscored_on(self, variable: Variable) -> dict[str, SystemScores]:
        """Those that have nothing to go on for a variable, by name."""
        return {s.name: s for s in self.scores.systems if variable.id in s.unscored}

    def score(
        self, metric: str, variable: Variable, label: str, *, system: str = "", head: str = ""
    ) -> Score | None:
        """A figure of one system.

        Args:
            metric: As in `Score`.
            variable: Of the figure.
            label: As in `Score`.
            system: Name, "" for the model.
            head: Head name, "" for the variable as a whole.

        Returns:
            The figure, None where it was not computed.
        """
        whole = variable.id if variable.per is None else ""
        return self._index.get(
            (system or self.model.name, metric, variable.id, head or whole, label)
        )

    def pairs(self, metric: str, variable: Variable, *, system: str = "") -> Score | None:
        """An end-to-end figure of a `per` variable, None where it was not computed."""
        return self._index.get((system or self.model.name, metric, variable.id, "", "pairs"))

    def all_right(self) -> Score | None:
        """Share of sentences with every variable right, None where it was not computed."""
        return self._index.get((self.model.name, "exact_match", "all", "", ""))

    def comparison(
        self, other: str, metric: str, variable: Variable, label: str
    ) -> Comparison | None:
        """The model against another system, None where it was not computed."""
        return self._compared.get((other, metric, variable.id, label))

    def documents(self, found: Comparison | Score) -> int:
        """Documents that a figure or a difference rests on.

        Scores of earlier versions tell only how many there are in all.
        """
        known = found.documents
        return self.scores.signature.documents if known is None else known

    def too_few_documents(self, *found: Comparison) -> str:
        """Why some of these differences are not judged, "" where all are."""
        few = sorted({n for n in map(self.documents, found) if n < LEAST_JUDGED_DOCUMENTS})
        if not few:
            return ""
        numbers = listed([count(n) for n in few])
        return f"{numbers} document{'s' * (few != [1])}, {LEAST_JUDGED_DOCUMENTS} are needed"

    def unjudged(self, found: Comparison) -> str:
        """Why a difference is not judged, "" where it is."""
        if few := self.too_few_documents(found):
            return f"too few documents to tell it from chance ({few})"
        # A difference of nothing at all is the one such that needs no spread to be understood.
        if found.low == found.high != 0:
            return (
                "the same value in every resample, which leaves nothing to tell it from chance by"
            )
        return ""

    def heads(self, variable: Variable) -> tuple[Head, ...]:
        """The heads of a variable."""
        return tuple(h for h in self.book.heads if h.variable == variable.id)

    @functools.cached_property
    def _basis(self) -> dict[str, str]:
        return {s.name: s.basis for s in self.scores.systems}

    @functools.cached_property
    def other_models(self) -> tuple[SystemScores, ...]:
        """Models beside the one that the report is of."""
        return tuple(s for s in self.others if s.kind == "other")

    def system_name(self, name: str) -> str:
        """A system's name."""
        if basis := self._basis.get(name):
            return f"{titled(basis)} alone"
        if any(other.name == name for other in self.other_models):
            return plain(name)
        return _SYSTEM_TITLES.get(name) or titled(name)

    def label_name(self, variable_id: str, label: str) -> str:
        """A label's name; names that no label has, such as ``macro``, as a title."""
        for found in self.book.variable(variable_id).labels:
            if found.id == label:
                return plain(found.name) if found.name != found.id else titled(label)
        return titled(label)

    def head_name(self, head_name: str) -> str:
        """A head's name: that of its variable, with the label it depends on."""
        head = self.book.head(head_name)
        variable = self.book.variable(head.variable)
        if head.condition is None or variable.per is None:
            return variable_name(variable)
        return f"{variable_name(variable)} on {self.label_name(variable.per, head.condition)}"


def variable_name(variable: Variable) -> str:
    """A variable's name."""
    return plain(variable.name) if variable.name != variable.id else titled(variable.id)
