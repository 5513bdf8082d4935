"""Fixtures shared by all tests; sockets are blocked in every one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

from framing.codebook import Codebook, parse_codebook

ROOT = Path(__file__).resolve().parent.parent

SMALL_CODEBOOK = """
name: small
version: 2
variables:
  - id: topics
    kind: multi_label
    labels:
      - {id: prices, name: Prices, keywords: [price*, inflation]}
      - {id: jobs, name: Jobs, keywords: [unemployment, "job loss*"]}
  - id: view
    kind: single_label
    per: topics
    labels: [{id: good}, {id: bad}, {id: open}]
  - id: speaker
    kind: single_label
    labels: [{id: government}, {id: opposition}]
"""


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    # Unix sockets stay allowed: multiprocessing and browsers use them on this machine only.
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture
def book() -> Codebook:
    """Two topics, a view of each, and a speaker: logits 0-1, 2-4, 5-7, 8-9."""
    return parse_codebook(SMALL_CODEBOOK)


@pytest.fixture
def shared() -> Path:
    """The folder with development data beside the checkout."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, which is not on this machine")
    return folder
