"""Bundled corpora: data files and where they lie. `framing.data.bundled` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Names of the bundled corpora, each a folder beside this file.
BUNDLED = ("security_talks",)


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
