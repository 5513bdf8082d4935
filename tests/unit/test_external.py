from pathlib import Path

import pytest

from framing.artifacts import RUN, write_json
from framing.codebook import Codebook
from framing.config import RunConfig, load_config
from framing.data.corpus import make_corpus
from framing.errors import DataError, OutputError
from framing.external import (
    check_replaceable,
    column_fields,
    column_mapping,
    final_coder,
)
from framing.records import Sentence
from framing.study import load_study, study_of
from tests.conftest import SMALL_CODEBOOK
from tests.unit.data.helpers import note

CONFIG = "name: own\ndata: {path: coded.csv, codebook: codebook.yaml}\n"


def test_training_data_that_changed_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "codebook.yaml").write_text(SMALL_CODEBOOK)
    rows = [f"s{k},d{k},prices rose {k},prices,bad,,government" for k in range(20)]
    table = tmp_path / "coded.csv"
    header = "id,doc_id,text,topics,view.prices,view.jobs,speaker"
    table.write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "own.yaml").write_text(CONFIG)
    config = load_config(tmp_path / "own.yaml")
    write_json(tmp_path / RUN.record, {"data": load_study(config).hashes()})
    assert study_of(tmp_path, config).hashes() == load_study(config).hashes()
    table.write_text("\n".join([header, *rows, "s20,d20,jobs went,jobs,,bad,government"]) + "\n")
    with pytest.raises(DataError, match=r"training data have changed since the training.*anew"):
        study_of(tmp_path, config)


def test_only_an_evaluation_is_replaced(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "new")
    mine = tmp_path / "mine"
    mine.mkdir()
    with pytest.raises(OutputError, match=r"not an evaluation.*no scores"):
        check_replaceable(mine)
    (mine / RUN.scores).write_text("{}")
    check_replaceable(mine)
    (mine / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match=r"not an evaluation.*thesis.txt"):
        check_replaceable(mine)


def run_config(**data: object) -> RunConfig:
    own = {"path": "coded.csv", "codebook": "book.yaml"}
    return RunConfig.model_validate({"name": "a", "data": own | data})


def test_columns_come_from_a_file_or_from_the_config(tmp_path: Path) -> None:
    config = run_config(columns={"text": "Satz"})
    assert column_fields(None, config) == {"text": "Satz"}
    path = tmp_path / "columns.yaml"
    # With the key that a section cut out of a config has, as `framing data audit` takes it too.
    for text in ("text: Sentence\n", "columns:\n  text: Sentence\n"):
        path.write_text(text, encoding="utf-8")
        assert column_fields(path, config) == {"text": "Sentence"}
        mapping = column_mapping(path, config)
        assert mapping is not None
        assert mapping.text == "Sentence"


def test_the_final_coder_of_other_data(book: Codebook) -> None:
    annotations = [note("a", coder, topics=[]) for coder in ("Ana", "Ben")]
    other = make_corpus("other", book, [Sentence("a", "Prices rose.", "d")], annotations)
    assert final_coder(other, "Ben", run_config()) == "Ben"
    assert final_coder(other, None, run_config(adjudicator="Ana")) == "Ana"
    # The run's coders need not have coded other data, but whoever is named must have.
    assert final_coder(other, None, run_config(adjudicator="Zoe")) == "adjudicator"
    with pytest.raises(DataError, match="other: adjudicator: unknown coder 'Bem'; known: Ana, Ben"):
        final_coder(other, "Bem", run_config())
