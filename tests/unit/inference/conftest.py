from __future__ import annotations

from pathlib import Path

import pytest

from framing.codebook import parse_codebook
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for the small codebook that labels by words; do not change its files."""
    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    return write_tiny_bundle(folder, parse_codebook(SMALL_CODEBOOK), SMALL_WORDS)
