"""One joint model, one a target, and targets never seen: what a config can say of targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from framing.config import config_hash, load_config
from framing.errors import ConfigError, DataError
from framing.model.baselines import metadata_value
from framing.records import Sentence
from framing.study import Study, load_study
from tests.benchmarks import write_root

SPLITS = ("train", "dev", "test")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_root("tweeteval_stance", tmp_path, monkeypatch)
    path = tmp_path / "run.yaml"
    path.write_text("name: a\ndata: {benchmark: tweeteval_stance, root: tweeteval_stance}\n")
    return path


def study(config: Path, *overrides: str) -> Study:
    return load_study(load_config(config, overrides))


def targets(found: Study) -> dict[str, set[str]]:
    return {name: {s.metadata["target"] for s in found.split(name)} for name in SPLITS}


def test_a_joint_model(config: Path) -> None:
    found = study(config)
    everything = {"abortion", "atheism", "climate", "feminist", "hillary"}
    assert targets(found) == dict.fromkeys(SPLITS, everything)
    assert "SemEval-2016" in found.origin
    assert "Licence:" in found.origin
    assert [figure.n for figure in found.official] == [1249]


def test_one_model_a_target(config: Path) -> None:
    found = study(config, "data.where={target: [climate]}")
    assert targets(found) == {name: {"climate"} for name in SPLITS}


def test_a_target_never_seen(config: Path) -> None:
    found = study(config, "data.hold_out={target: [climate, atheism]}")
    others = {"abortion", "feminist", "hillary"}
    assert targets(found) == {"train": others, "dev": others, "test": {"climate", "atheism"}}
    assert len(found.split("test")) == 6
    config_data = load_config(config, ["data.hold_out={target: [climate, atheism]}"]).data
    assert {s.value("target") for s in found.training_sentences(config_data)} == others


def test_several_fields(config: Path) -> None:
    found = study(
        config, "data.where={target: [climate, atheism]}", "data.train_where={split: [train]}"
    )
    assert targets(found)["train"] == {"climate", "atheism"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("where={target: [abotion]}", r"data.where.target: unknown value 'abotion'.*'abortion'"),
        (
            "hold_out={topic: [x]}",
            r"data.hold_out.topic: unknown metadata field 'topic'; known: sp",
        ),
    ],
)
def test_values_are_checked(config: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study(config, f"data.{change}")


def test_a_split_must_be_left(config: Path) -> None:
    with pytest.raises(
        DataError, match=r"that data.where and data.hold_out admit in the dev split"
    ):
        study(config, "data.where={split: [train]}")


def test_root_is_needed(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.root: name the folder.*Get them: https://"):
        study(config, "data.root=null")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{benchmark: gvfc, corpus: security_talks}", "found corpus and benchmark"),
        ("{benchmark: gvfc, codebook: b.yaml}", "a `benchmark` brings its codebook"),
        ("{corpus: security_talks, root: x}", "`root` is the folder of a `benchmark`"),
    ],
)
def test_a_config_names_one_source(tmp_path: Path, data: str, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"name: a\ndata: {data}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_what_is_not_used_does_not_rename_runs(config: Path) -> None:
    plain = load_config(config)
    same = load_config(
        config, ["data.root=/elsewhere", "data.where={}", "encoder.mark_target=false"]
    )
    assert config_hash(plain, "x") == config_hash(same, "x")
    for change in ("data.hold_out={target: [climate]}", "encoder.mark_target=true"):
        assert config_hash(plain, "x") != config_hash(load_config(config, [change]), "x")


def test_the_target_of_own_data_is_a_field_too(tmp_path: Path) -> None:
    """A column `target` is no metadata, but filters and guesses by target find it."""
    (tmp_path / "book.yaml").write_text(
        "name: b\nvariables: [{id: stance, kind: single_label, labels: [{id: pro}, {id: con}]}]"
    )
    rows = [f"{k},Text no. {k}.,{'ab'[k % 2]},{('pro', 'con')[k // 2 % 2]}" for k in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["id,text,target,stance", *rows]) + "\n")
    path = tmp_path / "run.yaml"
    path.write_text(
        "name: a\ndata: {path: own.csv, codebook: book.yaml, hold_out: {target: [b]}, "
        "splits: {stratify: [target]}}\n"
    )
    found = study(path)
    assert {s.target for s in found.split("train")} == {"a"}
    assert {s.target for s in found.split("test")} == {"b"}
    assert metadata_value(found.split("test")[0], ["target"]) == "target=b"


def test_runs_on_other_targets_are_scored_on_other_data(config: Path) -> None:
    changes = ((), ("data.where={target: [climate]}",), ("data.hold_out={target: [atheism]}",))
    hashes = [study(config, *change).scored_hash for change in changes]
    assert len(set(hashes)) == 3
    assert hashes[0] == study(config).corpus.hash
    # A target is tested on the same sentences, whether training saw it or not.
    seen, unseen = (study(config, f"data.{k}={{target: [climate]}}") for k in ("where", "hold_out"))
    assert seen.scored_hash == unseen.scored_hash


def test_value_of_a_sentence() -> None:
    sentence = Sentence("1", "t", "d", target="Ann", metadata={"source": "x"})
    assert (sentence.value("source"), sentence.value("target")) == ("x", "Ann")
    assert sentence.value("genre") == ""
    assert Sentence("1", "t", "d", target="Ann", metadata={"target": "a"}).value("target") == "a"
