"""Write results.md: every variant in results.jsonl, and the systems in systems.jsonl.

python experiments/004-public-benchmarks/summarise.py

The table of the shipped configs in docs/benchmarks.md is written anew too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from systems import CEILING

from framing.data.benchmarks import load_card

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "benchmarks.md"
#: Around the table in the docs.
BEGIN, END = "<!-- written by experiments/004-public-benchmarks/summarise.py -->", "<!-- end -->"
SHIPPED = "shipped"


def figure(values: list[float]) -> str:
    """Mean +- half of the 95% t-interval over seeds, and the single values."""
    shown = ", ".join(f"{v:.1f}" if v > 2 else f"{v:.3f}" for v in values)
    digits = 1 if values[0] > 2 else 3
    if len(values) == 1:
        return shown
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{np.mean(values):.{digits}f} +- {half:.{digits}f} ({shown})"


def rows(results: list[dict[str, Any]]) -> Iterator[str]:
    """A table for each benchmark, its variants in the order of their first run."""
    for config in dict.fromkeys(r["config"] for r in results):
        mine = [r for r in results if r["config"] == config]
        card = load_card(config)
        names = [f.name for f in card.official]
        yield f"\n## {config}\n"
        yield f"| variant | {' | '.join(f'dev: {n} | test: {n}' for n in names)} | seconds |"
        yield "| --- |" + " --- |" * (2 * len(names) + 1)
        for variant in dict.fromkeys(r["name"] for r in mine):
            runs = [r for r in mine if r["name"] == variant]
            cells = []
            for name in names:
                for split in ("dev", "test"):
                    found = [r["official"].get(split, {}).get(name) for r in runs]
                    values = [v for v in found if v is not None]
                    cells.append(figure(values) if values else "")
            seconds = f"{np.median([r['seconds'] for r in runs]):.0f}"
            yield f"| {variant} | {' | '.join(cells)} | {seconds} |"
        for published in (f for f in card.official if f.published):
            yield f"\nPublished, {published.name}: " + "; ".join(
                f"{p.system} {p.value}" for p in published.published
            )
        yield "\nSettings beside the config of the moment: " + "; ".join(
            f"*{variant}*: "
            + (", ".join(next(r["set"] for r in mine if r["name"] == variant)) or "none")
            for variant in dict.fromkeys(r["name"] for r in mine)
        )


def system_rows(systems: list[dict[str, Any]]) -> Iterator[str]:
    """A table for each benchmark: a run's model beside its baselines."""
    for config in dict.fromkeys(s["config"] for s in systems):
        mine = [s for s in systems if s["config"] == config]
        figures = list(dict.fromkeys(s["figure"] for s in mine))
        yield f"\n## {config}: one seed, beside its baselines, with 95% intervals\n"
        yield f"| system | {' | '.join(figures)} |"
        yield "| --- |" + " --- |" * len(figures)
        for system in dict.fromkeys(s["system"] for s in mine):
            cells = [interval(s) for s in mine if s["system"] == system]
            yield f"| {system} | {' | '.join(cells)} |"


def overview(results: list[dict[str, Any]], systems: list[dict[str, Any]]) -> Iterator[str]:
    """A row for every official figure of the shipped configs."""
    yield "| benchmark | figure | this package: seeds | best baseline | one coder | published |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for config in sorted({r["config"] for r in results if r["name"] == SHIPPED}):
        runs = [r for r in results if (r["name"], r["config"]) == (SHIPPED, config)]
        for official in load_card(config).official:
            values = [r["official"]["test"][official.name] for r in sorted(runs, key=_seed)]
            published = "; ".join(f"{p.system} {p.value:g}" for p in official.published)
            mine = [s for s in systems if (s["config"], s["figure"]) == (config, official.name)]
            coder = next((interval(s) for s in mine if s["system"] == CEILING), "")
            cells = (figure(values), _best_baseline(mine), coder, published)
            yield f"| `{config}` | {official.name} | {' | '.join(cells)} |"


def _seed(result: dict[str, Any]) -> int:
    return int(result["seed"])


def _best_baseline(systems: list[dict[str, Any]]) -> str:
    others = {"this model", CEILING}
    baselines = [s for s in systems if s["system"] not in others and s["value"] is not None]
    best = max(baselines, key=lambda s: float(s["value"]), default=None)
    return "" if best is None else f"{best['system'].replace('_', ' ')} {interval(best)}"


def write_docs(table: str) -> None:
    """Put the table between its marks."""
    before, rest = DOCS.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    DOCS.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def interval(system: dict[str, Any]) -> str:
    """A figure with its interval."""
    if system["value"] is None:
        return ""
    digits = 1 if system["high"] > 2 else 3
    value, low, high = (f"{system[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def read_lines(name: str) -> list[dict[str, Any]]:
    """JSON lines of a file here, none where it is not there."""
    path = HERE / name
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def main() -> None:
    """Write the tables."""
    results, systems = read_lines("results.jsonl"), read_lines("systems.jsonl")
    head = "# Results\n\nWritten by summarise.py: mean +- half of the 95% t-interval over seeds.\n"
    (HERE / "results.md").write_text(
        head + "\n".join([*rows(results), *system_rows(systems)]) + "\n", encoding="utf-8"
    )
    write_docs("\n".join(overview(results, systems)))


if __name__ == "__main__":
    main()
