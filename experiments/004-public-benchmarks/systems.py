"""Keep the official figures of a run and of its baselines, with their intervals.

    framing train configs/CONFIG.yaml --set data.root=DIR
    python experiments/004-public-benchmarks/systems.py RUN ...

Writes systems.jsonl, a line for each system and figure; lines of the same benchmark are replaced.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from framing.artifacts import RUN
from framing.config import load_config
from framing.report import load_scores

FILE = Path(__file__).with_name("systems.jsonl")


def lines_of(run: Path) -> Iterator[dict[str, Any]]:
    """Every official figure of every system of a run."""
    benchmark = load_config(run / RUN.config).data.benchmark
    for official in load_scores(run).official:
        model = {"system": "this model", **_estimate(official)}
        for found in (model, *({"system": b.system, **_estimate(b)} for b in official.baselines)):
            yield {"config": benchmark, "figure": official.name, "n": official.n, **found}


def _estimate(result: Any) -> dict[str, float | None]:
    return {name: getattr(result, name) for name in ("value", "low", "high")}


def main() -> None:
    """Replace the lines of the runs' benchmarks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="+")
    new = [line for run in parser.parse_args().runs for line in lines_of(run)]
    old = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    fresh = {line["config"] for line in new}
    kept = [line for line in map(json.loads, old) if line["config"] not in fresh]
    text = "".join(json.dumps(line) + "\n" for line in (*kept, *new))
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
