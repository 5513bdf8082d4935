import json
from pathlib import Path

import numpy as np
import pytest

from framing.artifacts import RUN, read_json
from framing.config import RunConfig, load_config
from framing.data.bundled import load_bundled, load_bundled_splits
from framing.data.splits import save_splits
from framing.errors import ConfigError, DataError
from framing.model.encoder import EncoderSource, load_fast_tokenizer
from framing.model.finetune import Outcome
from framing.study import Study, load_study
from framing.train import Stage, _write_record, check, examples
from tests.conftest import ROOT, SMALL_CODEBOOK
from tests.tiny import save_tiny_encoder


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
    rows = ["id,doc_id,text,topics,speaker"]
    rows += [f"{prefix}{k},doc{k // 2},He said so {k}.,,government" for k in range(6)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def with_added(folder: Path, text: str) -> Study:
    rows = [f"s{k},d{k},It costs {k}.,,A,prices" for k in range(6)]
    return small_study(folder, "{}", rows, f", add: [{text}]")


def test_added_sentences_are_trained_on_and_in_no_split(tmp_path: Path) -> None:
    own_sentences(tmp_path)
    without = with_added(tmp_path, "")
    found = with_added(tmp_path, "{path: own.csv, weight: 3}")
    config = load_config(tmp_path / "run.yaml")
    sentences = found.training_sentences(config.data)
    assert [s.id for s in sentences[-6:]] == [f"own{k}" for k in range(6)]
    assert found.training_factors(sentences, config.data)[-7:].tolist() == [1, 3, 3, 3, 3, 3, 3]
    assert found.gold_of(sentences[-1:])[0].values["speaker"] == ("government",)
    values, weights = found.soft_labels_of(sentences[-1:])
    assert values.sum() == 1
    assert weights[0, 0] == 1
    assert not any(s.id.startswith("own") for n in found.splits.documents for s in found.split(n))
    assert found.hash != without.hash


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


def small_study(
    folder: Path,
    splits: str,
    rows: list[str],
    more: str = "",
    header: str = "id,doc_id,text,split,coder,topics",
) -> Study:
    """A study of one's own with the small codebook; splits and more as in a config."""
    (folder / "book.yaml").write_text(SMALL_CODEBOOK, encoding="utf-8")
    (folder / "coded.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    path = folder / "run.yaml"
    data = f"{{path: coded.csv, codebook: book.yaml, splits: {splits}{more}}}"
    path.write_text(f"name: a\ndata: {data}", encoding="utf-8")
    return load_study(load_config(path))


def test_splits_of_the_data_need_all_three(tmp_path: Path) -> None:
    rows = [f"s{k},d{k},It costs {k}.,{'test' if k > 3 else 'train'},A,prices" for k in range(6)]
    message = (
        r"coded: column 'split' has no document of dev; found train \(4 documents\), "
        r"test \(2 documents\)\. .* fits thresholds and calibration on dev .*; move some"
    )
    with pytest.raises(DataError, match=message):
        small_study(tmp_path, "{column: split}", rows)
    rows[3] = rows[3].replace("train", "Validation")
    found = small_study(tmp_path, "{column: split}", rows)
    assert [s.id for s in found.split("dev")] == ["s3"]


def test_an_edited_manifest_needs_all_three(tmp_path: Path) -> None:
    rows = [f"s{k},d{k},It costs {k}.,,A,prices" for k in range(6)]
    path = tmp_path / "splits.json"
    save_splits(path, small_study(tmp_path, "{}", rows).splits)
    value = json.loads(path.read_text())
    value["documents"]["train"] += value["documents"].pop("dev")
    path.write_text(json.dumps(value))
    message = r"splits\.json: the manifest has no document of dev; found train \(5 documents\)"
    with pytest.raises(DataError, match=message):
        small_study(tmp_path, "{file: splits.json}", rows)


def test_an_adjudicator_who_is_set_must_be_a_coder(tmp_path: Path) -> None:
    rows = [f"s{k},d{k},It costs {k}.,,Ana,prices" for k in range(6)]
    rows += [row.replace("Ana", "Ben").replace("prices", "jobs") for row in rows]
    found = small_study(tmp_path, "{}", rows, ", adjudicator: Ben")
    assert found.gold["s0"].values["topics"] == ("jobs",)
    with pytest.raises(DataError, match=r"data\.adjudicator: unknown coder 'Bem'; known: Ana"):
        small_study(tmp_path, "{}", rows, ", adjudicator: Bem")
    added = tmp_path / "added.csv"
    added.write_text("id,text,coder,topics\no0,They cost.,Zoe,prices\n", encoding="utf-8")
    # Whoever is final in the corpus need not have coded what is added.
    found = small_study(tmp_path, "{}", rows, ", adjudicator: Ben, add: [{path: added.csv}]")
    assert found.gold["o0"].values["topics"] == ("prices",)
    with pytest.raises(DataError, match=r"added: data\.add\.adjudicator: unknown coder 'Ben'"):
        small_study(tmp_path, "{}", rows, ", add: [{path: added.csv, adjudicator: Ben}]")


def test_filters_choose_among_added_sentences_too(tmp_path: Path) -> None:
    rows = [f"s{k},d{k},It costs {k}.,,A,prices" for k in range(6)]
    added = tmp_path / "added.csv"
    more = ", where: {coder_note: [x]}, add: [{path: added.csv}]"
    rows = [f"{row},x" for row in rows]
    header = "id,doc_id,text,split,coder,topics,coder_note"

    def study(*lines: str) -> Study:
        added.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return small_study(tmp_path, "{}", rows, more, header)

    message = r"added: data\.where asks for coder_note: x, but it has no such field, so of its 1 "
    with pytest.raises(ConfigError, match=message):
        study("id,text,coder,topics", "o0,They cost.,A,prices")
    with pytest.raises(ConfigError, match=r"coder_note: x, but found y, so of its 1 sentence none"):
        study("id,text,coder,topics,coder_note", "o0,They cost.,A,prices,y")
    lines = ["id,text,coder,topics,coder_note", "o0,They cost.,A,prices,y", "o1,So so.,A,jobs,x"]
    found = study(*lines)
    assert [s.id for s in found.used_of(found.added[0])] == ["o1"]
    # The record counts what was used.
    stage = Stage(load_config(tmp_path / "run.yaml"), found, 1, tmp_path / "run", print)
    encoder = EncoderSource("tiny", "owner/tiny", None, local_only=True)
    _write_record(stage, Outcome(1.0, 1, None, 1.0, "float32", "cpu", True), encoder, 1)
    assert read_json(stage.folder / RUN.record)["added"][0]["sentences"] == 1


def test_added_sentences_that_nobody_coded(tmp_path: Path) -> None:
    rows = [f"s{k},d{k},It costs {k}.,,A,prices" for k in range(6)]
    folder = tmp_path / "added"
    folder.mkdir()
    sentences = [{"id": f"o{k}", "doc_id": f"e{k}", "text": f"Costs {k}."} for k in range(2)]
    (folder / "sentences.jsonl").write_text("\n".join(map(json.dumps, sentences)))
    coded = {"id": "o0", "coder": "A", "topics": ["prices"]}
    (folder / "annotations.jsonl").write_text(json.dumps(coded))
    (tmp_path / "take.txt").write_text("e1\n")
    with pytest.raises(DataError, match=r"added: of its 1 sentence none is coded"):
        small_study(tmp_path, "{}", rows, ", add: [{path: added, documents: take.txt}]")


def test_a_factor_of_nought_keeps_the_development_score(tmp_path: Path) -> None:
    rows = [f"s{k},d{k},It costs {k}.,{n},A,prices" for k, n in enumerate(("train", "dev", "test"))]
    more = ", train_weights: {coder_note: {x: 0}}"
    header = "id,doc_id,text,split,coder,topics,coder_note"
    rows = [f"{row},x" for row in rows]
    found = small_study(tmp_path, "{column: split}", rows, more, header)
    config = load_config(tmp_path / "run.yaml", ["encoder.context=[]"])
    encoder = save_tiny_encoder(tmp_path / "encoder", ["it", "costs"])
    tokenizer = load_fast_tokenizer(EncoderSource(str(encoder), "tiny", None, True))
    stage = Stage(config, found, 1, tmp_path / "run", print)
    assert examples(stage, tokenizer, "train").factors.tolist() == [0]
    assert examples(stage, tokenizer, "dev").factors.tolist() == [1]
    config = load_config(
        tmp_path / "run.yaml", [f"encoder.path={encoder}", "encoder.max_length=32"]
    )
    with pytest.raises(ConfigError, match=r"train_weights: the values given give weight to none"):
        check(config, found)
    # And a variable of which nothing is learnt is like one that nobody coded.
    rows.append("s3,d3,It costs more.,train,A,,y")
    found = small_study(tmp_path, "{column: split}", rows, more, header)
    with pytest.raises(DataError, match=r"'view' is coded in no training .*train_weights"):
        check(config, found)
