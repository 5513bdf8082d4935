"""Several runs that differ in their seed alone, summarised.

One run's interval says how much its score depends on the documents that happened to be scored;
the spread over seeds says how much it depends on the training's own chance. Both are needed.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from framing.artifacts import read_json, write_json
from framing.errors import ArtifactError, DataError, DependencyError
from framing.evaluation import schema

_CONFIDENCE = 0.95
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class SeedScore:
    """One figure of the model over several seeds.

    Attributes:
        metric: As in `schema.Score`, or "official".
        variable: Variable id, or "all".
        head: Head name, or "".
        label: Label id, "macro", "micro", "pairs" or ""; of an official figure its name.
        mean: Over the seeds in which the figure is defined.
        deviation: Standard deviation with n - 1 in the denominator, None below two seeds.
        minimum: Lowest value.
        maximum: Highest value.
        n: Seeds in which the figure is defined.
        low: Lower end of the 95% t-interval of the mean, None below two seeds.
        high: Upper end.
    """

    metric: str
    variable: str
    head: str
    label: str
    mean: float
    deviation: float | None
    minimum: float
    maximum: float
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class SeedSummary:
    """The model of several runs.

    Attributes:
        runs: Names of the runs, in the order given.
        data: Hash of the data that all were scored on.
        scores: In the order of the first run's figures; those undefined in all runs are left out.
    """

    runs: tuple[str, ...]
    data: str
    scores: tuple[SeedScore, ...]


def summarise_seeds(runs: Sequence[schema.Scores]) -> SeedSummary:
    """Summarise the model's figures over runs.

    The interval is mean +- t * deviation / sqrt(n) with the 97.5% quantile of Student's t with
    n - 1 degrees of freedom, as if seeds were drawn from all seeds and scores near to normal.

    Args:
        runs: Scores of runs on the same data with the same codebook, each with its own name.

    Returns:
        The summary.

    Raises:
        DataError: No runs, a run twice, or runs that cannot be compared.
    """
    _check_comparable(runs)
    values: dict[Key, list[float]] = {}
    for run in runs:
        for key, value in _figures(run):
            values.setdefault(key, [])
            if value is not None:
                values[key].append(value)
    scores = tuple(_seed_score(key, found) for key, found in values.items() if found)
    return SeedSummary(tuple(run.run for run in runs), runs[0].data.hash, scores)


def _figures(run: schema.Scores) -> Iterator[tuple[Key, float | None]]:
    for score in run.systems[0].scores:
        yield (score.metric, score.variable, score.head, score.label), score.value
    for figure in run.official:
        yield ("official", "all", "", figure.name), figure.value


def write_seed_summary(path: Path, summary: SeedSummary) -> None:
    """Write a summary as JSON, atomically."""
    write_json(path, dataclasses.asdict(summary))


def read_seed_summary(path: Path) -> SeedSummary:
    """Read what `write_seed_summary` wrote.

    Raises:
        ArtifactError: The file is missing or no summary.
    """
    fields = read_json(path)
    try:
        scores = tuple(SeedScore(**score) for score in fields["scores"])
        return SeedSummary(tuple(fields["runs"]), fields["data"], scores)
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not a summary of seeds: {error!r}") from None


def _seed_score(key: Key, values: list[float]) -> SeedScore:
    n, mean = len(values), statistics.fmean(values)
    deviation = statistics.stdev(values) if n > 1 else None
    # Values that are all the same tell nothing of what another seed would give.
    half = _t_quantile(n - 1) * deviation / math.sqrt(n) if deviation else None
    return SeedScore(
        *key,
        mean=mean,
        deviation=deviation,
        minimum=min(values),
        maximum=max(values),
        n=n,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
    )


def _t_quantile(freedom: int) -> float:
    try:
        from scipy.special import stdtrit
    except ImportError:
        raise DependencyError(
            "a summary over seeds needs SciPy; install it with: pip install 'framing[train]'"
        ) from None
    return float(stdtrit(freedom, (1 + _CONFIDENCE) / 2))


def _check_comparable(runs: Sequence[schema.Scores]) -> None:
    if not runs:
        raise DataError("expected the scores of at least one run, found none")
    names = [run.run for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"expected every run once, found more than once: {', '.join(twice)}")
    for run in runs[1:]:
        if run.data.hash != runs[0].data.hash:
            raise DataError(
                f"runs {names[0]!r} and {run.run!r} were scored on different data "
                f"({runs[0].data.hash[:12]} and {run.data.hash[:12]}); score both on the same"
            )
        if _text(run.codebook) != _text(runs[0].codebook):
            raise DataError(
                f"runs {names[0]!r} and {run.run!r} have different codebooks; only runs of one "
                "codebook can be summarised"
            )


def _text(codebook: dict[str, object]) -> str:
    return json.dumps(codebook, sort_keys=True)
