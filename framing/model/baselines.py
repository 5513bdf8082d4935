"""Baselines that every report shows beside the model.

Each is fitted on the training split, gets its thresholds on the development split like the
model does, and is stored with the run so that new data can be scored without the training data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from framing.arrays import FloatArray, LabelArray, gold_array
from framing.artifacts import BASELINE, read_json, write_json, write_text
from framing.codebook import Codebook
from framing.decisions import Decisions, calibrated_probabilities, to_predictions
from framing.errors import ArtifactError
from framing.model.calibration import fit_decisions
from framing.model.linear import LinearHeads, fit_linear_heads
from framing.records import Annotation, Prediction, Sentence

Embed = Callable[[Sequence[Sentence]], FloatArray]


@dataclass(frozen=True)
class Inputs:
    """What baselines are asked about.

    Attributes:
        sentences: What to label.
        book: The codebook they were fitted for.
        embed: Mean-pooled embeddings of the encoder before fine-tuning, shape (n, hidden).
    """

    sentences: Sequence[Sentence]
    book: Codebook
    embed: Embed


#: What the metadata-only baseline looks at unless the config says otherwise.
USUAL_BASIS = "source or genre"
#: One sentence each, for reports.
DESCRIPTIONS: Mapping[str, str] = {
    "majority": "Always the same answer: the training data's most frequent label, and of a "
    "multi_label variable each label whose share makes that pay in F1.",
    "metadata": f"Guesses from the sentence's {USUAL_BASIS} alone, without reading it.",
    "keywords": "The codebook's keyword list; what keywords cannot tell is guessed by majority.",
    "tfidf": "TF-IDF of words and word pairs with logistic regression.",
    "frozen_encoder": "Logistic regression on the encoder before training.",
}

_SMOOTHING = 1.0
_TFIDF_C = 10.0
_ENCODER_C = 0.1


@dataclass(frozen=True)
class Fitting:
    """What baselines are fitted on.

    Attributes:
        book: The codebook.
        train: Training sentences.
        train_gold: Their gold labels.
        dev: Development sentences.
        dev_gold: Their gold labels.
        fields: Metadata fields for the metadata-only baseline, by preference.
        embed: Mean-pooled frozen embeddings of sentences, shape (n, hidden).
        prevalence: Shares expected, as for the model (`framing.model.calibration`).
    """

    book: Codebook
    train: Sequence[Sentence]
    train_gold: Sequence[Annotation]
    dev: Sequence[Sentence]
    dev_gold: Sequence[Annotation]
    fields: Sequence[str]
    embed: Embed
    prevalence: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def fit_baselines(folder: Path, names: Sequence[str], fitting: Fitting) -> None:
    """Fit baselines and store each in a folder of its own below `folder`."""
    labels = gold_array(fitting.train_gold, fitting.book)
    dev_labels = gold_array(fitting.dev_gold, fitting.book)
    dev = Inputs(fitting.dev, fitting.book, fitting.embed)
    for name in names:
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        _FITTERS[name](target, fitting, labels)
        if name == "keywords":
            decisions = keyword_decisions(target, fitting.book)
        else:
            logits = _LOGITS[name](target, dev)
            decisions = fit_decisions(logits, dev_labels, fitting.book, fitting.prevalence)
        write_text(target / BASELINE.decisions, decisions.to_json())


def basis(folder: Path) -> str:
    """The metadata that a stored metadata-only baseline looks at, such as ``target``."""
    fields: list[str] = read_json(folder / BASELINE.table)["fields"]
    return " or ".join(fields)


def nothing_to_go_on(folder: Path, name: str, inputs: Inputs) -> dict[str, str]:
    """The variables on which a stored baseline can only guess what is most frequent.

    Its figures there would stand under a name that says otherwise.

    Args:
        folder: Of the baseline.
        name: Of the baseline.
        inputs: What it is scored on.

    Returns:
        Variable id -> why.
    """
    if name == "keywords":
        return {
            variable.id: "the variable's labels have no keywords"
            for variable in inputs.book.variables
            if not any(label.keywords for label in variable.labels)
        }
    why = _unknown_metadata(folder, inputs.sentences) if name == "metadata" else ""
    return {variable.id: why for variable in inputs.book.variables} if why else {}


def predict_baselines(folder: Path, inputs: Inputs) -> dict[str, list[Prediction]]:
    """Predict with every baseline stored below `folder`.

    Args:
        folder: What `fit_baselines` wrote.
        inputs: What to label; the codebook and embedding must be those of the fitting.

    Returns:
        Name -> predictions, in the order of `DESCRIPTIONS`.
    """
    out = {}
    for name in DESCRIPTIONS:
        target = folder / name
        if not target.is_dir():
            continue
        decisions = Decisions.from_json((target / BASELINE.decisions).read_text(encoding="utf-8"))
        logits = _LOGITS[name](target, inputs)
        probabilities = calibrated_probabilities(logits, inputs.book, decisions)
        ids = [s.id for s in inputs.sentences]
        out[name] = to_predictions(ids, probabilities, inputs.book, decisions, name)
    return out


# Majority and metadata-only: smoothed log-odds from counts.


def _prior_logits(labels: LabelArray, book: Codebook, rows: Any = slice(None)) -> FloatArray:
    """Log-odds (multi_label) or log-probabilities (single_label) of smoothed shares."""
    out = np.zeros(book.n_logits)
    for column, head in enumerate(book.heads):
        coded = labels.coded[rows, column]
        counts = labels.values[rows][coded][:, head.slice].sum(axis=0) + _SMOOTHING
        total = coded.sum() + _SMOOTHING * (2 if head.kind == "multi_label" else len(counts))
        share = counts / total
        out[head.slice] = np.log(share / (1 - share) if head.kind == "multi_label" else share)
    return out


def _fit_majority(folder: Path, fitting: Fitting, labels: LabelArray) -> None:
    prior = _prior_logits(labels, fitting.book)
    write_json(folder / BASELINE.table, {"prior": prior.tolist()})


def _majority_logits(folder: Path, inputs: Inputs) -> FloatArray:
    prior = np.array(read_json(folder / BASELINE.table)["prior"])
    return np.tile(prior, (len(inputs.sentences), 1))


def metadata_value(sentence: Sentence, fields: Sequence[str]) -> str:
    """The first metadata field that a sentence has, as ``field=value``, or ""."""
    for name in fields:
        if value := sentence.value(name):
            return f"{name}={value}"
    return ""


def _unknown_metadata(folder: Path, sentences: Sequence[Sentence]) -> str:
    """Why metadata tell nothing of any of the sentences, "" where they tell something."""
    stored = read_json(folder / BASELINE.table)
    # Sentences without any of the fields stand there as "".
    known = set(stored["values"]) - {""}
    if not stored["fields"]:
        return "the config names no metadata field"
    if not known:
        return f"no training sentence tells its {basis(folder)}"
    if not any(metadata_value(sentence, stored["fields"]) in known for sentence in sentences):
        return f"no scored sentence shares its {basis(folder)} with the training data"
    return ""


def _fit_metadata(folder: Path, fitting: Fitting, labels: LabelArray) -> None:
    values = np.array([metadata_value(s, fitting.fields) for s in fitting.train])
    table = {
        str(value): _prior_logits(labels, fitting.book, np.flatnonzero(values == value)).tolist()
        for value in np.unique(values)
    }
    prior = _prior_logits(labels, fitting.book).tolist()
    write_json(
        folder / BASELINE.table, {"fields": list(fitting.fields), "prior": prior, "values": table}
    )


def _metadata_logits(folder: Path, inputs: Inputs) -> FloatArray:
    stored = read_json(folder / BASELINE.table)
    rows = [
        stored["values"].get(metadata_value(s, stored["fields"]), stored["prior"])
        for s in inputs.sentences
    ]
    return np.array(rows).reshape(len(inputs.sentences), inputs.book.n_logits)


# Keywords: a match is the decision; its probability is the training data's share among matches.


def keyword_pattern(keywords: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern for a keyword list: whole words, any case, ``*`` for the rest of a word."""
    if not keywords:
        return None
    parts = [
        r"\s+".join(re.escape(word).replace(r"\*", r"\w*") for word in keyword.split())
        for keyword in keywords
    ]
    return re.compile(r"(?<!\w)(?:" + "|".join(parts) + r")(?!\w)", re.IGNORECASE)


def keyword_counts(sentences: Sequence[Sentence], book: Codebook) -> FloatArray:
    """Keyword matches of every label in every sentence, shape (n, logits)."""
    counts = np.zeros((len(sentences), book.n_logits))
    for head in book.heads:
        for k, label in enumerate(book.variable(head.variable).labels):
            pattern = keyword_pattern(label.keywords)
            if pattern is not None:
                column = head.start + k
                counts[:, column] = [len(pattern.findall(s.text)) for s in sentences]
    return counts


def _fit_keywords(folder: Path, fitting: Fitting, labels: LabelArray) -> None:
    matched = keyword_counts(fitting.train, fitting.book) > 0
    prior = _prior_logits(labels, fitting.book)
    hit, miss = prior.copy(), prior.copy()
    head_of = [column for column, head in enumerate(fitting.book.heads) for _ in head.labels]
    for k in range(fitting.book.n_logits):
        coded = labels.coded[:, head_of[k]]
        hit[k] = _log_odds(labels.values[coded & matched[:, k], k])
        without = labels.values[coded & ~matched[:, k], k]
        # A list whose matches tell nothing still decides: a match is never below a miss.
        miss[k] = min(_log_odds(without), hit[k] - 1e-3)
    stored = {"prior": prior.tolist(), "hit": hit.tolist(), "miss": miss.tolist()}
    write_json(folder / BASELINE.table, stored)


def _log_odds(values: Any) -> float:
    positive = values.sum() + _SMOOTHING
    return float(np.log(positive / (len(values) - values.sum() + _SMOOTHING)))


def keyword_decisions(folder: Path, book: Codebook) -> Decisions:
    """Thresholds at which a label is decided exactly when one of its keywords matches."""
    hit = np.array(read_json(folder / BASELINE.table)["hit"])
    threshold = 1 / (1 + np.exp(-hit)) - 1e-6
    ones, zeros = (1.0,) * book.n_logits, (0.0,) * book.n_logits
    return Decisions(ones, zeros, tuple(threshold.tolist()))


def _keyword_logits(folder: Path, inputs: Inputs) -> FloatArray:
    stored = read_json(folder / BASELINE.table)
    book = inputs.book
    counts = keyword_counts(inputs.sentences, book)
    logits: FloatArray = np.where(counts > 0, stored["hit"], stored["miss"])
    for head in book.heads:
        if head.kind == "single_label":
            # The label with most matches, the majority where none matches.
            logits[:, head.slice] = (
                np.array(stored["prior"])[head.slice] + 8 * counts[:, head.slice]
            )
        else:
            for k, label in enumerate(book.variable(head.variable).labels):
                if not label.keywords:
                    logits[:, head.start + k] = stored["miss"][head.start + k]
    return logits


# TF-IDF and the frozen encoder: logistic regression.


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **options)


def _fit_tfidf(folder: Path, fitting: Fitting, labels: LabelArray) -> None:
    least = 2 if len(fitting.train) >= 100 else 1
    vectorizer = _vectorizer(min_df=least)
    features = vectorizer.fit_transform([s.text for s in fitting.train])
    heads = fit_linear_heads(features, labels, fitting.book, _TFIDF_C)
    _save_linear(
        folder, heads, idf=vectorizer.idf_, terms=np.array(vectorizer.get_feature_names_out(), str)
    )


def _tfidf_logits(folder: Path, inputs: Inputs) -> FloatArray:
    heads, arrays = _load_linear(folder)
    terms = {str(term): k for k, term in enumerate(arrays["terms"])}
    vectorizer = _vectorizer(vocabulary=terms)
    vectorizer.idf_ = arrays["idf"]
    return heads.logits(vectorizer.transform([s.text for s in inputs.sentences]))


def _fit_frozen_encoder(folder: Path, fitting: Fitting, labels: LabelArray) -> None:
    features = fitting.embed(fitting.train)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    heads = fit_linear_heads((features - mean) / spread, labels, fitting.book, _ENCODER_C)
    _save_linear(folder, heads, mean=mean, spread=spread)


def _frozen_encoder_logits(folder: Path, inputs: Inputs) -> FloatArray:
    heads, arrays = _load_linear(folder)
    return heads.logits((inputs.embed(inputs.sentences) - arrays["mean"]) / arrays["spread"])


def _save_linear(folder: Path, heads: LinearHeads, **arrays: Any) -> None:
    np.savez_compressed(
        folder / BASELINE.arrays,
        weights=heads.weights.astype(np.float32),
        bias=heads.bias,
        **arrays,
    )


def _load_linear(folder: Path) -> tuple[LinearHeads, Mapping[str, Any]]:
    path = folder / BASELINE.arrays
    if not path.is_file():
        raise ArtifactError(f"{path}: missing; this baseline was stored incompletely")
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return LinearHeads(arrays["weights"].astype(np.float64), arrays["bias"]), arrays


_FITTERS: Mapping[str, Callable[[Path, Fitting, LabelArray], None]] = {
    "majority": _fit_majority,
    "metadata": _fit_metadata,
    "keywords": _fit_keywords,
    "tfidf": _fit_tfidf,
    "frozen_encoder": _fit_frozen_encoder,
}
_LOGITS: Mapping[str, Callable[[Path, Inputs], FloatArray]] = {
    "majority": _majority_logits,
    "metadata": _metadata_logits,
    "keywords": _keyword_logits,
    "tfidf": _tfidf_logits,
    "frozen_encoder": _frozen_encoder_logits,
}
