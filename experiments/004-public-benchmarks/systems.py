"""Keep the official figures of a run and of its baselines, with their intervals.

    framing train configs/CONFIG.yaml --set data.root=DIR
    python experiments/004-public-benchmarks/systems.py RUN ...

Writes systems.jsonl, a line for each system and figure; lines of the same benchmark are replaced.
The run's own figures are added to results.jsonl as well, as a seed of `shipped`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from framing.artifacts import RUN, read_json
from framing.config import load_config
from framing.data.benchmarks import OfficialFigure, load_card
from framing.evaluation.schema import CODERS, Scores
from framing.report import load_scores

FILE = Path(__file__).with_name("systems.jsonl")
RESULTS = FILE.with_name("results.jsonl")
#: What one coder reaches against the others.
CEILING = "one coder"


def lines_of(run: Path) -> Iterator[dict[str, Any]]:
    """Every official figure of every system of a run."""
    benchmark, scores = load_config(run / RUN.config).data.benchmark, load_scores(run)
    for figure in load_card(benchmark).official:
        yield from ceiling(figure, scores, benchmark)
    for official in scores.official:
        model = {"system": "this model", **_estimate(official)}
        for found in (model, *({"system": b.system, **_estimate(b)} for b in official.baselines)):
            yield {"config": benchmark, "figure": official.name, "n": official.n, **found}


def ceiling(figure: OfficialFigure, scores: Scores, benchmark: str) -> Iterator[dict[str, Any]]:
    """The coders' macro-F1, where that is the official figure and there are coders."""
    if figure.metric != "mean_f1" or figure.where or figure.labels:
        return
    for system in (s for s in scores.systems if s.name == CODERS):
        for score in system.scores:
            if (score.metric, score.variable, score.label) == ("f1", figure.variable, "macro"):
                found = {"n": score.support, "system": CEILING, **_estimate(score)}
                yield {"config": benchmark, "figure": figure.name, **found}


def as_result(run: Path) -> dict[str, Any]:
    """The run as a line of results.jsonl, as run.py writes them."""
    record = read_json(run / RUN.record)
    return {
        "name": "shipped",
        "config": load_config(run / RUN.config).data.benchmark,
        "set": [],
        "seed": record["seed"],
        "seconds": round(record["training"]["seconds"]),
        "machine": record["machine"],
        "official": {"test": {o.name: o.value for o in load_scores(run).official}},
    }


def _estimate(result: Any) -> dict[str, float | None]:
    return {name: getattr(result, name) for name in ("value", "low", "high")}


def main() -> None:
    """Replace the lines of the runs' benchmarks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="+")
    runs = parser.parse_args().runs
    new = [line for run in runs for line in lines_of(run)]
    old = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    fresh = {line["config"] for line in new}
    kept = [line for line in map(json.loads, old) if line["config"] not in fresh]
    text = "".join(json.dumps(line) + "\n" for line in (*kept, *new))
    FILE.write_text(text, encoding="utf-8")
    there = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    seeds = {(r["name"], r["config"], r["seed"]) for r in there}
    results = [r for r in map(as_result, runs) if ("shipped", r["config"], r["seed"]) not in seeds]
    with RESULTS.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(result) + "\n" for result in results)


if __name__ == "__main__":
    main()
