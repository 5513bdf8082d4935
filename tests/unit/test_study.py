from pathlib import Path

import numpy as np
import pytest

from framing.config import RunConfig, load_config
from framing.data.bundled import load_bundled, load_bundled_splits
from framing.errors import DataError
from framing.study import Study, load_study
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return load_config(ROOT / "configs" / "security_talks.yaml")


@pytest.fixture(scope="module")
def study(config: RunConfig) -> Study:
    return load_study(config)


def test_a_bundled_corpus_comes_with_its_frozen_splits(study: Study) -> None:
    frozen = load_bundled_splits("security_talks", load_bundled("security_talks"))
    assert study.splits == frozen
    for name in ("train", "dev", "test"):
        assert {s.doc_id for s in study.split(name)} == set(frozen.documents[name])


def test_given_splits_replace_the_frozen_ones(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("name: a\ndata: {corpus: security_talks, splits: {seed: 5}}", encoding="utf-8")
    assert load_study(load_config(path)).splits.seed == 5


def test_training_sentences_are_those_asked_for(study: Study, config: RunConfig) -> None:
    chosen = study.training_sentences(config.data)
    parts = {s.metadata["part"] for s in chosen}
    assert parts == set(config.data.train_where["part"])
    assert {s.doc_id for s in chosen} <= set(study.splits.documents["train"])


def test_factors(study: Study, config: RunConfig) -> None:
    weights = {"part": {"w1": 0.5}, "genre": {"wire": 0.1}}
    data = config.data.model_copy(update={"train_weights": weights})
    sentences = study.split("train")
    factors = study.training_factors(sentences, data)
    expected = [
        (0.5 if s.metadata["part"] == "w1" else 1.0)
        * (0.1 if s.metadata["genre"] == "wire" else 1.0)
        for s in sentences
    ]
    assert factors == pytest.approx(np.array(expected))
    assert len(set(factors)) > 2


def own_sentences(folder: Path, prefix: str = "own") -> Path:
    path = folder / "own.csv"
    rows = ["id,doc_id,text,frames,holder"]
    rows += [f"{prefix}{k},doc{k // 2},He said so {k}.,,russia" for k in range(6)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def with_added(folder: Path, text: str) -> Study:
    path = folder / "run.yaml"
    path.write_text(f"name: a\ndata: {{corpus: security_talks, add: [{text}]}}", encoding="utf-8")
    return load_study(load_config(path))


def test_added_sentences_are_trained_on_and_in_no_split(tmp_path: Path, study: Study) -> None:
    own_sentences(tmp_path)
    found = with_added(tmp_path, "{path: own.csv, weight: 3}")
    config = load_config(tmp_path / "run.yaml")
    sentences = found.training_sentences(config.data)
    assert [s.id for s in sentences[-6:]] == [f"own{k}" for k in range(6)]
    assert found.training_factors(sentences, config.data)[-7:].tolist() == [1, 3, 3, 3, 3, 3, 3]
    assert found.gold_of(sentences[-1:])[0].values["holder"] == ("russia",)
    values, weights = found.soft_labels_of(sentences[-1:])
    assert values.sum() == 1
    assert weights[0, 0] == 1
    assert not any(s.id.startswith("own") for n in found.splits.documents for s in found.split(n))
    assert found.hash != study.hash


def test_only_the_documents_listed_are_added(tmp_path: Path) -> None:
    own_sentences(tmp_path)
    (tmp_path / "take.txt").write_text("doc2\n\ndoc0\n", encoding="utf-8")
    found = with_added(tmp_path, "{path: own.csv, documents: take.txt}")
    assert found.added[0].corpus.documents == ("doc0", "doc2")


@pytest.mark.parametrize(
    ("listed", "message"),
    [("doc9", "unknown document 'doc9'"), (" \n", "expected one name a line, found none")],
)
def test_a_list_of_documents_must_fit(tmp_path: Path, listed: str, message: str) -> None:
    own_sentences(tmp_path)
    (tmp_path / "take.txt").write_text(listed, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        with_added(tmp_path, "{path: own.csv, documents: take.txt}")


def test_added_ids_must_be_new(tmp_path: Path) -> None:
    own_sentences(tmp_path)
    with pytest.raises(DataError, match=r"sentence id 'own0' of own stands in own too"):
        with_added(tmp_path, "{path: own.csv}, {path: own.csv}")
