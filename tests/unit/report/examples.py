"""Composed scores of several studies, made from the schema alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import framing
from framing.codebook import Codebook, Head, Variable, load_codebook, parse_codebook
from framing.evaluation import schema
from framing.evaluation.schema import Score, Scores, SystemScores
from tests.conftest import SMALL_CODEBOOK

FLAGSHIP = Path(framing.__file__).parent / "corpora" / "security_talks" / "codebook.yaml"

#: Name -> kind, description and about what macro-F1 it has.
SYSTEMS: dict[str, tuple[schema.SystemKind, str, float]] = {
    "model": ("model", "The fine-tuned encoder.", 0.72),
    "majority": ("baseline", "Always the training data's most frequent answer.", 0.18),
    "metadata": ("baseline", "Guesses from the sentence's source or genre alone.", 0.31),
    "keywords": ("baseline", "The codebook's keyword list.", 0.52),
    "tfidf": ("baseline", "TF-IDF of words and word pairs with logistic regression.", 0.53),
    "frozen_encoder": ("baseline", "Logistic regression on the encoder before training.", 0.70),
    "model_beside_coders": ("ceiling", "The model in each coder's place.", 0.70),
    "coders": ("ceiling", "Each coder against the gold of the other coders.", 0.94),
}

NASTY = (
    "<script>alert(1)</script> said \"no\", 'never' & nowhere | at all \U0001f680",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645, \u202edesrever"
    "\u202c and a [link](javascript:x) with `ticks` and *stars*",
    "1. First\nline\x00 with a null, $x_1$ and </style></svg> <img src=x onerror=alert(2)>",
)

WIDE = """
name: issues
version: 3
title: Issues of the day
variables:
  - id: issue
    name: Main issue
    kind: single_label
    labels: [LABELS]
""".replace("LABELS", ", ".join(f"{{id: issue_{c}, name: Issue {c}}}" for c in "abcdefghijkl"))

MANY = """
name: tones
version: 1
language: de
title: T\u00f6ne
variables:
  - id: tones
    kind: multi_label
    labels: [LABELS]
""".replace("LABELS", ", ".join(f"{{id: t{k}, name: 'Ton $_{k}$ <b>'}}" for k in range(9)))


@dataclass(frozen=True)
class _Maker:
    """Draws figures that look like those of a study."""

    book: Codebook
    rng: np.random.Generator

    def score(self, metric: str, head: str, variable: Variable, label: str, about: float) -> Score:
        value = float(np.clip(about + self.rng.normal(0, 0.02), 0.001, 0.999))
        half = float(self.rng.uniform(0.015, 0.035))
        support = int(self.rng.integers(60, 1197))
        return Score(
            metric,
            variable.id,
            head,
            label,
            round(value, 6),
            round(max(0.0, value - half), 6),
            round(min(1.0, value + half), 6),
            support,
        )

    def system(self, name: str) -> SystemScores:
        kind, description, about = SYSTEMS[name]
        out: list[Score] = []
        for variable in self.book.variables:
            whole = variable.id if variable.per is None else ""
            out += self.variable(variable, whole, about, people=kind == "ceiling")
            if variable.per is not None:
                for metric in ("precision", "recall", "f1"):
                    out.append(self.score(metric, "", variable, "pairs", about - 0.2))
                for head in self.book.heads:
                    if head.variable == variable.id:
                        out += self.variable(variable, head.name, about, people=kind == "ceiling")
        everything = replace(out[0], metric="exact_match", variable="all", head="", label="")
        out.append(replace(everything, value=0.612, low=0.58, high=0.644))
        return SystemScores(name, kind, description, tuple(out))

    def variable(self, variable: Variable, head: str, about: float, *, people: bool) -> list[Score]:
        names = [*variable.label_ids, "macro"]
        multi = variable.kind == "multi_label"
        names += ["micro"] if multi else []
        wanted = [("precision", n) for n in names] + [("recall", n) for n in names]
        wanted += [("f1", n) for n in names]
        wanted += [("exact_match", "")] if multi else [("accuracy", ""), ("kappa", "")]
        out = [self.score(metric, head, variable, label, about) for metric, label in wanted]
        if people:
            return out
        if multi:
            out += [self.score("average_precision", head, variable, n, about) for n in names]
        for metric, low in (("brier", 0.06), ("log_loss", 0.21), ("calibration_error", 0.02)):
            out += [self.score(metric, head, variable, n, low) for n in (names if multi else [""])]
        return out

    def comparison(
        self, other: str, variable: Variable, label: str, metric: str
    ) -> schema.Comparison:
        about = SYSTEMS["model"][2] - SYSTEMS[other][2] + float(self.rng.normal(0, 0.01))
        low, high = about - 0.028, about + 0.028
        p = 0.002 if low > 0 or high < 0 else 0.27
        return schema.Comparison(
            other, metric, variable.id, label, *(round(x, 6) for x in (about, low, high)), p
        )

    def comparisons(self, names: tuple[str, ...]) -> tuple[schema.Comparison, ...]:
        out = []
        for name in (n for n in names[1:] if n != "model_beside_coders"):
            for variable in self.book.variables:
                out.append(self.comparison(name, variable, "macro", "f1"))
                if variable.kind == "multi_label":
                    out += [self.comparison(name, variable, x, "f1") for x in variable.label_ids]
                    if name != "coders":
                        out.append(self.comparison(name, variable, "macro", "average_precision"))
        return tuple(out)

    def curve(self, head: Head, label: str) -> schema.PrecisionRecallCurve:
        recall = np.linspace(0, 1, 60)
        share = float(self.rng.uniform(0.05, 0.3))
        steep = float(self.rng.uniform(2, 5))
        precision = share + (0.97 - share) * (1 - recall**steep)
        precision[1:8] -= self.rng.uniform(0, 0.06, 7)
        at = int(self.rng.integers(30, 52))
        return schema.PrecisionRecallCurve(
            head.name,
            label,
            tuple(np.round(precision, 5).tolist()),
            tuple(np.round(recall, 5).tolist()),
            round(float(self.rng.uniform(0.2, 0.6)), 4),
            round(float(precision[at]), 5),
            round(float(recall[at]), 5),
            round(share, 5),
        )

    def reliability(self, variable: Variable, label: str) -> schema.Reliability:
        bins = []
        for k in range(10):
            middle = (k + 0.5) / 10
            observed = float(np.clip(middle + self.rng.normal(0, 0.05), 0, 1))
            number = int(3000 * np.exp(-0.55 * k)) + int(self.rng.integers(3, 60))
            bins.append(
                schema.ReliabilityBin(k / 10, (k + 1) / 10, middle, round(observed, 5), number)
            )
        return schema.Reliability(variable.id, label, tuple(bins))

    def confusion(self, variable: Variable) -> schema.Confusion:
        n = len(variable.labels)
        counts = self.rng.poisson(4, (n, n)) + np.diag(self.rng.integers(20, 1200, n))
        return schema.Confusion(
            variable.id, variable.label_ids, tuple(tuple(map(int, row)) for row in counts)
        )

    def errors(self) -> tuple[schema.ConfidentError, ...]:
        out = []
        for k, text in enumerate(NASTY):
            head = self.book.heads[k % len(self.book.heads)]
            wrong = head.labels[k % len(head.labels)]
            other = head.labels[(k + 1) % len(head.labels)]
            missed = head.kind == "multi_label" and k == 0
            out.append(
                schema.ConfidentError(
                    sentence_id=f"w1-00{k}<i>",
                    doc_id=f"w1-d{k}",
                    text=text,
                    previous="" if k == 1 else "The minister | rose to <b>speak</b>.",
                    source="wire",
                    head=head.name,
                    gold=(wrong,) if missed else (other,),
                    predicted=() if missed else (wrong,),
                    label=wrong,
                    probability=0.013 if missed else round(0.99 - k / 100, 4),
                    coders={"A": wrong, "B": other, "adjudicator": "(none present)"},
                )
            )
        return tuple(out)

    def slices(self) -> tuple[schema.Slice, ...]:
        out = []
        for field, value in (("source", "news site"), ("source", "wire|<b>"), ("genre", "speech")):
            for variable in self.book.variables:
                f1 = round(float(self.rng.uniform(0.5, 0.8)), 5)
                out.append(
                    schema.Slice(field, value, variable.id, 212, 31, f1, f1 - 0.07, f1 + 0.06)
                )
        return tuple(out)


def make_scores(book: Codebook, seed: int = 0) -> Scores:
    """Scores of a study with every part of a report."""
    maker = _Maker(book, np.random.default_rng(seed))
    names = tuple(SYSTEMS)
    multi = [h for h in book.heads if h.kind == "multi_label"]
    return Scores(
        run=f"{book.name}-0a1b2c3d-s1",
        bundle="b" * 64,
        codebook=book.to_dict(),
        data=schema.Data(
            name=book.name,
            split="test",
            sentences=1197,
            documents=272,
            coders=("A", "B", "C"),
            gold_rule="The adjudicator where there is one, else the majority of coders.",
            hash="d" * 64,
            uncoded={head.name: 3 * k for k, head in enumerate(book.heads)},
        ),
        signature=schema.Signature(
            (), "left out of macro means; 0/0 counts as 0", 1197, 272, 1000, 0.95, 0, "0.1.0"
        ),
        systems=tuple(maker.system(name) for name in names),
        comparisons=maker.comparisons(names),
        curves=tuple(maker.curve(head, label) for head in multi for label in head.labels),
        reliability=tuple(
            maker.reliability(variable, label)
            for variable in book.variables
            for label in ("", *(variable.label_ids if variable.kind == "multi_label" else ()))
        ),
        confusions=tuple(maker.confusion(v) for v in book.variables if v.kind == "single_label"),
        errors=maker.errors(),
        agreement=tuple(
            schema.Agreement(h.variable, h.name, label, 0.81 + 0.01 * k, 900 - k, 3)
            for k, h in enumerate(book.heads)
            for label in (h.labels if h.kind == "multi_label" else ("",))
        ),
        prevalence=tuple(
            schema.Prevalence(head.name, label, 12 + 90 * k, 15 + 88 * k, 1197)
            for head in book.heads
            for k, label in enumerate(head.labels)
        ),
        slices=maker.slices(),
        leakage=schema.Leakage(2, 5, 0.9, (("w1-001", "w9-100", 1.0), ("w1-7|x", "w2-3", 0.934))),
        facts={
            "encoder": "sentence-transformers/all-MiniLM-L6-v2",
            "epochs": "3",
            "training_time": "14 min",
            "machine": "Linux x86_64, 2 cores",
            "versions": "python 3.11.2, torch 2.9.1",
            "warning_composed": "The scored text was composed, not taken from real sources.",
        },
    )


def flagship() -> Scores:
    """The flagship codebook with everything there is."""
    return make_scores(load_codebook(FLAGSHIP))


def wide() -> Scores:
    """One single_label variable with twelve labels."""
    return make_scores(parse_codebook(WIDE))


def many() -> Scores:
    """One multi_label variable with nine labels, whose names look like formulas and HTML."""
    return make_scores(parse_codebook(MANY))


def without_coders() -> Scores:
    """The flagship coded by one coder, with training data out of reach."""
    scores = flagship()
    return replace(
        scores,
        data=replace(scores.data, coders=("A",)),
        systems=tuple(s for s in scores.systems if s.kind != "ceiling"),
        comparisons=tuple(c for c in scores.comparisons if c.other != "coders"),
        agreement=(),
        leakage=None,
    )


def undefined() -> Scores:
    """Nothing could be computed: every optional value is missing, every list empty."""
    scores = flagship()

    def blank(score: Score) -> Score:
        return replace(score, value=None, low=None, high=None, support=0, note="no unit was coded")

    return replace(
        scores,
        signature=replace(scores.signature, resamples=0),
        systems=tuple(
            replace(s, scores=tuple(map(blank, s.scores)))
            for s in scores.systems
            if s.kind != "ceiling"
        ),
        comparisons=(),
        curves=tuple(replace(c, at_precision=None, at_recall=None) for c in scores.curves[:1]),
        reliability=tuple(replace(r, bins=()) for r in scores.reliability),
        confusions=tuple(
            replace(c, counts=((0,) * len(c.labels),) * len(c.labels)) for c in scores.confusions
        ),
        errors=(),
        agreement=tuple(replace(a, alpha=None) for a in scores.agreement),
        prevalence=(),
        slices=tuple(replace(s, f1=None, low=None, high=None) for s in scores.slices),
        leakage=schema.Leakage(0, 0, 0.9, ()),
        facts={},
    )


def small() -> Scores:
    """A small study with every kind of variable; curves without the points that figures need."""
    scores = make_scores(parse_codebook(SMALL_CODEBOOK))
    curves = tuple(replace(c, precision=(), recall=()) for c in scores.curves)
    return replace(scores, curves=curves)


def dollars() -> Scores:
    """Few labels, whose names look like formulas and HTML, in a confusion matrix."""
    labels = "{id: a, name: 'Cost in $_0$ <b>'}, {id: b, name: 'No $'}"
    text = f"name: costs\nvariables: [{{id: cost, kind: single_label, labels: [{labels}]}}]"
    return make_scores(parse_codebook(text))


def with_seed(seed: int) -> Scores:
    """The study with one variable, trained with another seed."""
    scores = make_scores(parse_codebook(WIDE), seed)
    return replace(scores, run=f"issues-0a1b2c3d-s{seed}")


def with_curve() -> Scores:
    """The flagship with a learning curve that rises."""
    scores = flagship()
    points = []
    for k, size in enumerate((0, 150, 600)):
        found = [
            Score(
                metric, v.id, "" if v.per else v.id, "macro", value, value - 0.06, value + 0.06, 90
            )
            for v in load_codebook(FLAGSHIP).variables
            for metric, value in (("f1", 0.5 + 0.1 * k), ("average_precision", 0.6 + 0.1 * k))
        ]
        folds = 2 if size else 0
        gains = tuple(
            schema.Comparison(
                schema.NOTHING_ADDED, s.metric, s.variable, "macro", 0.1 * k, 0.02, 0.19, 0.004, 90
            )
            for s in found
            if size
        )
        point = schema.CurvePoint(size, size + 1.5 * folds, size / 5, folds, tuple(found), 1, gains)
        points.append(point)
    return replace(scores, learning_curve=tuple(points))


ALL = {
    "flagship": flagship,
    "with_curve": with_curve,
    "wide": wide,
    "many": many,
    "without_coders": without_coders,
    "undefined": undefined,
}
