"""Public benchmarks: cards with hashes, readers, splits and official figures."""

from framing.data.benchmarks.card import (
    BenchmarkFile,
    Card,
    OfficialFigure,
    Published,
    SplitPlan,
    load_card,
)
from framing.data.benchmarks.loading import (
    benchmark_splits,
    check_files,
    load_benchmark,
    read_files,
)

__all__ = [
    "BenchmarkFile",
    "Card",
    "OfficialFigure",
    "Published",
    "SplitPlan",
    "benchmark_splits",
    "check_files",
    "load_benchmark",
    "load_card",
    "read_files",
]
