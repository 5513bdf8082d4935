"""A small study of its own: another codebook, three coders, a CSV, a tiny encoder."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from framing.cli.main import main
from tests.conftest import SMALL_CODEBOOK
from tests.tiny import save_tiny_encoder

SUBJECTS = {
    "prices": ["prices", "inflation"],
    "jobs": ["unemployment", "jobs"],
    "": ["rain", "football"],
}
VIEWS = {"good": "pleases", "bad": "hurts", "open": "concerns"}
SPEAKERS = {"government": "minister", "opposition": "critic"}


def rows(seed: int = 0, n: int = 240) -> list[dict[str, str]]:
    """Sentences whose words give their labels away, each coded by three coders of whom C errs."""
    generator = np.random.default_rng(seed)
    out = []
    for k in range(n):
        topic = str(generator.choice(list(SUBJECTS)))
        view, speaker = str(generator.choice(list(VIEWS))), str(generator.choice(list(SPEAKERS)))
        subject = generator.choice(SUBJECTS[topic])
        text = f"the {SPEAKERS[speaker]} says {subject} {VIEWS[view]} people"
        for coder in "ABC":
            given = topic
            if coder == "C" and generator.random() < 0.2:
                given = str(generator.choice(list(SUBJECTS)))
            out.append(
                {
                    "id": f"s{k}",
                    "doc_id": f"d{k // 3}",
                    "position": str(k % 3),
                    "text": text,
                    "source": f"paper {k % 4}",
                    "coder": coder,
                    "topics": given,
                    "view.prices": view if given == "prices" else "",
                    "view.jobs": view if given == "jobs" else "",
                    "speaker": speaker,
                }
            )
    return out


def write_csv(path: Path, table: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


CONFIG = """
name: own
data:
  path: coded.csv
  codebook: book.yaml
encoder:
  path: ./encoder
  max_length: 24
  context: []
training:
  epochs: 8
  batch_size: 8
  learning_rate: 5.0e-3
  head_factor: 1
  precision: float32
evaluation:
  resamples: 50
"""


def make_study(folder: Path) -> Path:
    """Write the study's files and return its config."""
    write_csv(folder / "coded.csv", rows())
    write_csv(folder / "new.csv", rows(seed=1, n=30))
    (folder / "book.yaml").write_text(SMALL_CODEBOOK, encoding="utf-8")
    (folder / "own.yaml").write_text(CONFIG, encoding="utf-8")
    words = " ".join(row["text"] for row in rows()).split()
    save_tiny_encoder(folder / "encoder", words)
    return folder / "own.yaml"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run below ``runs/``."""
    folder = tmp_path_factory.mktemp("study")
    config = make_study(folder)
    assert main(["train", str(config), "--runs", str(folder / "runs")]) == 0
    return folder


@pytest.fixture
def run_folder(study: Path) -> Path:
    return study / "runs" / "own"
