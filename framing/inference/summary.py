"""What labelling came to: sentences with each label, and estimates of how many truly have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framing import __version__
from framing.artifacts import json_text, write_output
from framing.codebook import Codebook, Head

if TYPE_CHECKING:
    from framing.evaluation.prevalence import Estimate
    from framing.inference.bundle import Bundle
    from framing.inference.development import Outcomes
    from framing.inference.parts import PartSummary

#: Format of a summary file; raised when older code could misread it.
FORMAT = 1
#: Of fewer sentences the intervals are so wide that they say nothing.
LEAST_SENTENCES = 100
RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 0
_NO_OUTCOMES = (
    "this bundle does not hold what its model decides on the development split; `framing export "
    "RUN` makes one that does"
)
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a label was given.

    Attributes:
        label: Label id.
        count: Sentences with it.
        share: Of the sentences that its head is for; None where there are none.
        estimate: Of the share of these sentences that truly has it; None in single_label heads, and
            where the summary has no estimates.
    """

    label: str
    count: int
    share: float | None
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class HeadCounts:
    """Labels of one head.

    Attributes:
        head: Its name.
        kind: multi_label or single_label.
        sentences: Those that it is for. A single_label head decides for one label wherever it is
            for a sentence, so that its labels add up to these: neither sentences without its
            condition nor screened ones count.
        labels: In the codebook's order.
    """

    head: str
    kind: str
    sentences: int
    labels: tuple[LabelCount, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """How estimates were made.

    Attributes:
        method: In words.
        confidence: Of the intervals.
        resamples: How many.
        seed: Of the draws.
        development_sentences: From which the rates of errors are.
        development_documents: Which were resampled.
    """

    method: str
    confidence: float
    resamples: int
    seed: int
    development_sentences: int
    development_documents: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What labelling came to.

    Attributes:
        run: Name of the run that made the bundle.
        bundle: Its hash.
        screen: Recall of the screen; None without one.
        sentences: Labelled.
        left_out: Lines of pages that were not counted as sentences.
        bad_rows: Rows that could not be read.
        bad_files: Files that could not be read, or not to their end.
        heads: In the codebook's order.
        estimates: How they were made; None where there are none.
        note: Why there are none; "" where there are some, or nothing to be estimated.
    """

    run: str
    bundle: str
    screen: float | None
    sentences: int
    left_out: int
    bad_rows: int
    bad_files: int
    heads: tuple[HeadCounts, ...]
    estimates: Signature | None
    note: str

    def to_json(self) -> str:
        """As JSON text, shares and rates with six significant digits."""
        fields = {"format": FORMAT, "version": __version__, **asdict(self)}
        return json_text(_rounded(fields))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def summarize_work(totals: PartSummary, bundle: Bundle, recall: float | None) -> Summary:
    """Count labels, and estimate the true shares of those of multi_label variables.

    The same totals and the same bundle always give the same summary.

    Args:
        totals: Of all parts.
        bundle: What labelled them.
        recall: Of the screen that was used; None without one.

    Returns:
        The summary.

    Raises:
        ArtifactError: The bundle's file of development labels is damaged.
    """
    note, outcomes = _grounds(totals, bundle, recall)
    estimates: dict[tuple[str, str], Estimate] = {}
    signature = None
    if outcomes is not None:
        limit = bundle.screen.limit(recall) if bundle.screen and recall is not None else None
        estimates, signature = _estimates(totals, bundle.codebook, outcomes, limit)
    return Summary(
        run=bundle.settings.run,
        bundle=bundle.hash,
        screen=recall,
        sentences=totals.sentences,
        left_out=totals.left_out,
        bad_rows=totals.bad_rows,
        bad_files=totals.bad_files,
        heads=tuple(_head_counts(head, totals, estimates) for head in bundle.codebook.heads),
        estimates=signature,
        note=note,
    )


def _grounds(
    totals: PartSummary, bundle: Bundle, recall: float | None
) -> tuple[str, Outcomes | None]:
    """What estimates can be made from, or why there are none."""
    if not bundle.codebook.multi_label_logits:
        return "", None
    if totals.sentences < LEAST_SENTENCES:
        return f"fewer than {LEAST_SENTENCES} sentences", None
    outcomes = bundle.development
    if outcomes is None or (recall is not None and not len(outcomes.scores)):
        return _NO_OUTCOMES, None
    return "", outcomes


def _estimates(
    totals: PartSummary, book: Codebook, outcomes: Outcomes, limit: float | None
) -> tuple[dict[tuple[str, str], Estimate], Signature]:
    # Short inputs need neither.
    from framing.evaluation.prevalence import METHOD, estimate_prevalence

    names = [(h.name, label) for h in book.heads if h.kind == "multi_label" for label in h.labels]
    found = estimate_prevalence(
        outcomes.counts(limit),
        np.array([totals.labels.get(head, {}).get(label, 0) for head, label in names]),
        totals.sentences,
        resamples=RESAMPLES,
        confidence=CONFIDENCE,
        rng=np.random.default_rng(SEED),
    )
    signature = Signature(
        METHOD, CONFIDENCE, RESAMPLES, SEED, outcomes.sentences, outcomes.documents
    )
    return dict(zip(names, found, strict=True)), signature


def _head_counts(
    head: Head, totals: PartSummary, estimates: Mapping[tuple[str, str], Estimate]
) -> HeadCounts:
    found = totals.labels.get(head.name, {})
    base = totals.sentences if head.kind == "multi_label" else sum(found.values())
    labels = tuple(
        LabelCount(
            label,
            found.get(label, 0),
            found.get(label, 0) / base if base else None,
            estimates.get((head.name, label)),
        )
        for label in head.labels
    )
    return HeadCounts(head.name, head.kind, base, labels)


def count_lines(summary: Summary) -> Iterator[str]:
    """Sentences with each label and their shares, a line for each head that decided anything."""
    for head in summary.heads:
        # Heads of a label that nothing has, and those of nothing but screened sentences, are mute.
        if head.sentences:
            shares = (f"{x.label} {x.count:,} ({_percent(x.share or 0)})" for x in head.labels)
            yield f"  {head.head}: {', '.join(shares)}"


def estimate_lines(summary: Summary) -> Iterator[str]:
    """Estimates of the true shares, a line a label, or what it takes to get some."""
    signature = summary.estimates
    if signature is None:
        if summary.note == _NO_OUTCOMES:
            yield f"no estimates of true shares: {summary.note}"
        return
    yield (
        "true shares of these sentences, if the model errs here as on its development split ("
        f"{signature.confidence:.0%} intervals from {signature.resamples:,} resamples of its "
        f"{signature.development_documents:,} documents):"
    )
    for head in summary.heads:
        for found in head.labels:
            if found.estimate is not None:
                yield f"  {head.head}: {found.label} {_estimate_text(found.estimate)}"


def _estimate_text(found: Estimate) -> str:
    if found.share is None:
        return f"cannot be estimated: {found.note}"
    note = f"; {found.note}" if found.note else ""
    low, high = _percent(found.low or 0), _percent(found.high or 0)
    return f"{_percent(found.share)} ({low} to {high}){note}"


def _percent(share: float) -> str:
    """One decimal, below 1% two significant digits: of rare labels the first would say nothing."""
    percent = 100 * share
    # As rounded to two digits: 0.996 has the exponent of 1.0.
    exponent = int(f"{percent:.1e}".partition("e")[2]) if percent else 0
    return f"{percent:.{max(1, 1 - exponent)}f}%"


def write_summary(path: Path, summary: Summary, overwrite: bool) -> None:
    """Write a summary; one that stands there with the same content stays.

    Raises:
        OutputError: Another file stands there and may not be overwritten, or the folder cannot be
            written.
    """
    write_output(path, summary.to_json(), overwrite)
