"""Bundled corpora and the cards of public benchmarks: names and where their files lie.

`framing.data.bundled` reads the first, `framing.data.benchmarks` the second. Of benchmarks only
card and codebook come with the package; their texts and codes do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Names of the bundled corpora, each a folder beside this file.
BUNDLED = ("security_talks",)
#: Names of the benchmarks, each a folder below benchmarks/.
BENCHMARKS = ("gvfc", "gwsd", "newsmtsc", "tweeteval_stance", "unscon")


@dataclass(frozen=True, slots=True)
class _CorpusNames:
    codebook: str = "codebook.yaml"
    sentences: str = "sentences.jsonl"
    annotations: str = "annotations.jsonl"
    splits: str = "splits.json"
    card: str = "card.yaml"
    manifest: str = "MANIFEST.sha256"


CORPUS = _CorpusNames()


def corpus_folder(name: str) -> Path:
    """The folder of a bundled corpus."""
    return Path(__file__).resolve().parent / name


def benchmark_folder(name: str) -> Path:
    """The folder with card and codebook of a benchmark."""
    return Path(__file__).resolve().parent / "benchmarks" / name
