"""Corpora that come with the package; every file's hash is checked on every read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from framing.artifacts import check_manifest
from framing.codebook import load_codebook
from framing.corpora import BUNDLED, CORPUS, corpus_folder
from framing.data.corpus import Corpus
from framing.data.readers import read_corpus
from framing.data.splits import Splits, load_splits
from framing.errors import ArtifactError, DataError, unknown_name


def load_bundled(name: str) -> Corpus:
    """Read a bundled corpus.

    Args:
        name: One of `framing.corpora.BUNDLED`.

    Returns:
        The corpus.

    Raises:
        DataError: There is no such corpus, or one of its files was altered.
    """
    folder = checked_folder(name)
    return read_corpus(folder, load_codebook(folder / CORPUS.codebook), name=name)


def load_bundled_splits(name: str, corpus: Corpus) -> Splits:
    """Read the frozen splits of a bundled corpus.

    Args:
        name: Its name.
        corpus: What `load_bundled` gave.

    Raises:
        DataError: There is no such corpus, or one of its files was altered.
    """
    return load_splits(checked_folder(name) / CORPUS.splits, corpus)


def load_card(name: str) -> dict[str, Any]:
    """Read the card of a bundled corpus: origin, licence, limits and counts.

    Args:
        name: Its name.

    Raises:
        DataError: There is no such corpus, or one of its files was altered.
    """
    text = (checked_folder(name) / CORPUS.card).read_text(encoding="utf-8")
    card: dict[str, Any] = yaml.safe_load(text)
    return card


def checked_folder(name: str) -> Path:
    """The folder of a bundled corpus, after its hashes were checked.

    Raises:
        DataError: There is no such corpus, or a file is missing or altered.
    """
    if name not in BUNDLED:
        raise DataError(
            f"{unknown_name('bundled corpus', name, BUNDLED)} For data of your own give its path"
        )
    folder = corpus_folder(name)
    try:
        check_manifest(folder, CORPUS.manifest)
    except ArtifactError as error:
        raise DataError(f"{error}. Install the package again to restore it") from None
    return folder
