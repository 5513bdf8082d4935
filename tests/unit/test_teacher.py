"""A teacher's probabilities: read from what `framing predict` writes, mixed into targets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from framing.codebook import Codebook
from framing.config import RunConfig, config_hash, load_config
from framing.errors import ArtifactError, ConfigError, DataError
from framing.inference.writers import TableShape, json_line, record, write_csv, write_parquet
from framing.model.dataset import Targets
from framing.model.processes import wait_for
from framing.records import Prediction, Sentence
from framing.teacher import check_teacher, read_probabilities, taught, write_probabilities

SENTENCES = [Sentence(f"s{k}", f"Sentence {k}.", "d") for k in range(3)]
#: Two topics, a view of each, a speaker.
ROWS = np.array(
    [
        [0.9, 0.2, 0.5, 0.25, 0.25, 1, 0, 0, 0.75, 0.25],
        [0.1, 0.8, 0, 0.5, 0.5, 0.25, 0.5, 0.25, 0.5, 0.5],
        [0, 1, 0.125, 0.875, 0, 0, 0, 1, 0, 1],
    ]
)
IDS = [s.id for s in SENTENCES]


def predicted(path: Path, book: Codebook) -> Path:
    """The rows as `framing predict` writes them, and a sentence that nobody asked for."""
    lines = []
    for sentence, row in zip(
        [*SENTENCES, Sentence("x", "More.", "d")], [*ROWS, ROWS[0]], strict=True
    ):
        probabilities = {h.name: tuple(row[h.slice].tolist()) for h in book.heads}
        labels = {h.name: (h.labels[0],) for h in book.heads}
        prediction = Prediction(sentence.id, probabilities, labels, "b")
        lines.append(json_line(record(sentence, prediction, book)))
    shape = TableShape(book, ())
    if path.suffix == ".jsonl":
        path.write_text("".join(lines))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            write_csv(file, lines, shape)
    else:
        write_parquet(path, lines, shape)
    return path


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_predictions_of_any_format_teach(tmp_path: Path, book: Codebook, ending: str) -> None:
    path = predicted(tmp_path / f"large{ending}", book)
    found = read_probabilities(path, [*IDS[::-1], "elsewhere"], book)
    assert found.probabilities.tolist() == [*ROWS[::-1].tolist(), [0] * 10]
    assert found.known.tolist() == [[True] * 4] * 3 + [[False] * 4]


def test_what_is_written_is_read(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "teacher.parquet"
    write_probabilities(path, SENTENCES, ROWS, book)
    found = read_probabilities(path, IDS, book)
    np.testing.assert_allclose(found.probabilities, ROWS, atol=1e-7)
    assert [p.name for p in tmp_path.iterdir()] == ["teacher.parquet"]


def test_heads_may_be_missing(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "speaker.csv"
    path.write_text("id,p.speaker.government,p.speaker.opposition\ns1,0.3,0.7\ns2,,\n")
    found = read_probabilities(path, IDS, book)
    assert found.known.tolist() == [[False] * 4, [False, False, False, True], [False] * 4]
    assert found.probabilities[1, 8:].tolist() == [0.3, 0.7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,p.topics.prices,p.topics.jobs\ns1,0.5,1.2\n",
            r"odd.csv:2: topics: expected a probabil",
        ),
        ("id,p.topics.prices\ns1,0.5\n", r"topics: .*found prices: '0.5', jobs: None"),
        ("id,p.topics.prices,p.topics.jobs\ns1,high,0\n", r"found prices: 'high', jobs: '0'"),
        ("id,p.topics.prices,p.topics.jobs\ns1,nan,0\n", r"found prices: 'nan', jobs: '0'"),
        (
            "id,p.speaker.government,p.speaker.opposition\ns1,0.3,0.3\n",
            r"speaker: expected a probability for each label that sum to 1",
        ),
        (
            "id,p.topics.prices,p.topics.jobs\ns1,0,0\ns1,0,1\n",
            r"odd.csv:3: sentence 's1' stands there a second time",
        ),
        ("id,text\ns1,a\n", r"columns such as p.topics.prices.*found no such column"),
        ("id,p.topics.prices,p.topics.jobs\nq,0,0\n", r"found none of the 3 ids of the training"),
    ],
)
def test_a_file_that_cannot_teach(tmp_path: Path, book: Codebook, text: str, message: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        check_teacher(path, SENTENCES, [], book)


def test_sentences_without_codes_need_the_teacher(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "some.csv"
    path.write_text("id,p.topics.prices,p.topics.jobs\ns0,0.5,0\ns2,0,0.5\n")
    check_teacher(path, SENTENCES[:2], SENTENCES[2:], book)
    with pytest.raises(DataError, match=r"all 2 sentences of data.unlabelled, found none for 1 of"):
        check_teacher(path, SENTENCES[:1], SENTENCES[1:], book)


def test_no_teacher_there(tmp_path: Path, book: Codebook) -> None:
    with pytest.raises(ConfigError, match=r"training.teacher: expected a run, .*found nothing at"):
        check_teacher(tmp_path / "large", SENTENCES, [], book)
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        check_teacher(tmp_path, SENTENCES, [], book)


def test_targets_are_mixed_where_the_teacher_knows(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "some.jsonl"
    half = {"speaker": {"government": 0.25, "opposition": 0.75}}
    path.write_text(json.dumps({"id": "s1", "probabilities": half}) + "\n")
    targets = Targets((ROWS > 0.5).astype(float), np.array([[1.0, 0, 0, 1]] * 3))
    found = taught(targets, read_probabilities(path, IDS, book), book, 0.8, n_coded=3)
    expected = targets.values.copy()
    expected[1, 8:] = [0.2, 0.6]
    np.testing.assert_allclose(found.values, expected)
    np.testing.assert_array_equal(found.weights, targets.weights)


def test_of_sentences_without_codes_the_teacher_alone_is_learnt(
    tmp_path: Path, book: Codebook
) -> None:
    path = tmp_path / "all.parquet"
    write_probabilities(path, SENTENCES, ROWS, book)
    targets = Targets(np.zeros((3, 10)), np.array([[1.0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]))
    found = taught(targets, read_probabilities(path, IDS, book), book, 0.5, n_coded=1)
    np.testing.assert_allclose(found.values, ROWS * [[0.5], [1], [1]], atol=1e-7)
    # A view of prices counts as much as the teacher thinks that prices are spoken of.
    expected = [[1, 1, 1, 1], [1, 0.1, 0.8, 1], [1, 0, 1, 1]]
    np.testing.assert_allclose(found.weights, expected, atol=1e-7)


CONFIG = """
name: a
data: {path: x.csv, codebook: b.yaml}
"""


def config(tmp_path: Path, *overrides: str) -> RunConfig:
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    return load_config(path, overrides)


def test_the_path_is_beside_the_config(tmp_path: Path) -> None:
    found = config(tmp_path, "training.teacher=runs/large")
    assert found.training.teacher == tmp_path / "runs" / "large"


def test_sentences_without_codes_ask_for_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`data.unlabelled` has no codes to learn from"):
        config(tmp_path, "data.unlabelled=[{path: more.csv}]")
    found = config(tmp_path, "data.unlabelled=[{path: more.csv}]", "training.teacher=t.csv")
    assert found.data.unlabelled[0].path == tmp_path / "more.csv"
    plain = config(tmp_path, "training.teacher=t.csv")
    moved = config(tmp_path, "data.unlabelled=[{path: b.csv}]", "training.teacher=t.csv")
    fewer = config(tmp_path, "data.unlabelled=[{path: b.csv, take: 9}]", "training.teacher=t.csv")
    assert config_hash(found, "d") == config_hash(moved, "d")
    assert len({config_hash(c, "d") for c in (plain, moved, fewer)}) == 3


def test_without_a_teacher_runs_keep_their_names(tmp_path: Path) -> None:
    plain = config_hash(config(tmp_path), "d")
    assert config_hash(config(tmp_path, "training.teacher_share=0.9"), "d") == plain
    here, there = (config(tmp_path, f"training.teacher={name}") for name in ("a.csv", "b.csv"))
    # What the file holds is hashed by the caller.
    assert config_hash(here, "d", "t") == config_hash(there, "d", "t") != plain
    less = config(tmp_path, "training.teacher=a.csv", "training.teacher_share=0.9")
    assert config_hash(less, "d", "t") != config_hash(here, "d", "t")


def test_the_other_processes_wait_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers"
    looks = iter([False, False, True])

    def sleep(_: float) -> None:
        if next(looks):
            path.touch()

    monkeypatch.setattr("framing.model.processes.time.sleep", sleep)
    wait_for(path)
    assert next(looks, None) is None
