"""A run teaches another: its probabilities are asked for once and learnt beside the labels."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from framing.artifacts import BUNDLE, RUN, check_manifest, read_json, write_json
from framing.cli.main import main
from framing.config import load_config
from framing.errors import DataError
from framing.inference.bundle import load_bundle
from framing.model.finetune import thin_easy
from framing.report import load_scores
from framing.study import load_study
from framing.teacher import read_probabilities
from framing.train import (
    Stage,
    check,
    examples,
    find_encoder,
    load_fast_tokenizer,
    prepared_classifier,
    with_ngrams,
)
from tests.integration.conftest import CONFIG, rows, write_csv

STUDENT = CONFIG.replace("name: own", "name: student").replace("epochs: 20", "epochs: 1") + (
    "  baselines: [majority]\nseeds: [1, 2]\n"
)


@pytest.fixture(scope="module")
def config(study: Path) -> Path:
    path = study / "student.yaml"
    text = STUDENT.replace("training:\n", "training:\n  teacher: runs/own\n  teacher_share: 0.75\n")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs(study: Path, config: Path) -> Path:
    assert main(["train", str(config), "--runs", str(study / "students")]) == 0
    return study / "students"


def test_the_teacher_is_asked_once_for_all_seeds(runs: Path, study: Path) -> None:
    first, second = sorted(runs.glob("student-*-s[12]"))
    for folder in (first, second):
        check_manifest(folder, RUN.manifest)
        teacher = read_json(folder / RUN.record)["teacher"]
        assert teacher == {
            "name": (study / "runs" / "own").resolve().name,
            "hash": load_bundle(study / "runs" / "own").hash,
            "share": 0.75,
            "splits": read_json(study / "runs" / "own" / RUN.record)["data"]["splits"],
        }
    assert (first / RUN.teacher).is_file()
    assert not (second / RUN.teacher).exists()
    found = load_scores(first)
    assert found.facts["teacher"] == f"{teacher['name']} (75% of each target)"
    assert "warning_teacher" not in found.facts


def test_targets_hold_what_the_teacher_says(runs: Path, config: Path) -> None:
    (folder,) = runs.glob("student-*-s1")
    loaded = load_config(config)
    study = load_study(loaded)
    tokenizer = load_fast_tokenizer(find_encoder(loaded.encoder))
    stage = Stage(loaded, study, 1, folder, print)
    train = examples(stage, tokenizer, "train")
    ids = [s.id for s in study.training_sentences(loaded.data)]
    answers = read_probabilities(folder / RUN.teacher, ids, study.book)
    assert answers.known.all()
    shares, weights = study.soft_labels_of(study.training_sentences(loaded.data))
    np.testing.assert_allclose(train.targets.values, 0.25 * shares + 0.75 * answers.probabilities)
    np.testing.assert_array_equal(train.targets.weights, weights)
    # Of the development split labels alone are learnt, and coder C's slips are in the shares.
    assert set(np.unique(examples(stage, tokenizer, "dev").gold.values)) == {False, True}


def test_a_teacher_with_other_splits_is_told(study: Path, runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / "student", tmp_path / "student")
    record = read_json(folder / RUN.record)
    record["teacher"]["splits"] = "others"
    write_json(folder / RUN.record, record)
    out = tmp_path / "new"
    arguments = ["evaluate", "--model", str(folder), "--data", str(study / "new.csv")]
    assert main([*arguments, "--out", str(out)]) == 0
    warning = load_scores(out).facts["warning_teacher"]
    assert warning.startswith("The teacher was trained with other splits")
    assert warning in (out / RUN.report_markdown).read_text(encoding="utf-8")


def test_a_file_of_predictions_teaches_what_it_knows(
    study: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (study / "coded.csv").read_text(encoding="utf-8").splitlines()
    part = tmp_path / "part.csv"
    # Each sentence once, of the first 60 documents.
    part.write_text("\n".join([lines[0], *lines[1:541:3]]) + "\n", encoding="utf-8")
    path = tmp_path / "teacher.csv"
    model = str(study / "runs" / "own")
    assert main(["predict", "--model", model, str(part), "--out", str(path)]) == 0
    loaded = load_config(config, [f"training.teacher={path}"])
    found = load_study(loaded)
    check(loaded, found)
    tokenizer = load_fast_tokenizer(find_encoder(loaded.encoder))
    train = examples(Stage(loaded, found, 1, tmp_path / "run", print), tokenizer, "train")
    sentences = found.training_sentences(loaded.data)
    known = [int(s.doc_id[1:]) < 60 for s in sentences]
    assert f"knows {sum(known)} of {len(known)} training sentences" in capsys.readouterr().out
    answers = read_probabilities(path, [s.id for s in sentences], found.book)
    shares, _ = found.soft_labels_of(sentences)
    share = 0.75 * np.array(known)[:, None]
    np.testing.assert_allclose(
        train.targets.values, (1 - share) * shares + share * answers.probabilities
    )
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def archive(study: Path) -> Path:
    """Sentences of the same kind, one of them in words that no coded sentence has."""
    path = study / "archive.csv"
    found = [r for r in rows(seed=3, n=12) if r["coder"] == "A"]
    table = [{"id": f"a-{r['id']}", "doc_id": f"a-{r['doc_id']}", "text": r["text"]} for r in found]
    write_csv(path, [*table, table[0] | {"id": "a-odd", "text": "snow pleases people"}])
    return path


def test_sentences_without_codes_are_learnt_of(
    study: Path, config: Path, archive: Path, tmp_path: Path
) -> None:
    changes = ["data.unlabelled=[{path: archive.csv, weight: 3}]", "encoder.ngrams=true"]
    changes += ["training.easy_share=0.5", "training.epochs=0.2", "seeds=[1]"]
    arguments = ["train", str(config), "--runs", str(tmp_path)]
    for change in changes:
        arguments += ["--set", change]
    assert main(arguments) == 0
    folder = (tmp_path / "student").resolve()
    record = read_json(folder / RUN.record)
    assert record["train_sentences"] == 168
    assert record["unlabelled"] == [{"name": "archive", "sentences": 13, "weight": 3.0}]
    found = load_scores(folder)
    assert "And 13 sentences of archive that the teacher labelled" in found.facts["training_data"]
    # Training sees their texts, so the audit looks among them too.
    assert found.leakage is not None
    loaded = load_config(config, changes)
    data = load_study(loaded)
    stage = Stage(loaded, data, 1, folder, print)
    tokenizer = load_fast_tokenizer(find_encoder(loaded.encoder))
    train = examples(stage, tokenizer, "train")
    n = len(data.training_sentences(loaded.data))
    assert train.factors.tolist() == [1] * n + [3] * 13
    assert not train.gold.coded[n:].any()
    ids = [s.id for s in data.seen_sentences(loaded.data)]
    answers = read_probabilities(folder / RUN.teacher, ids, data.book)
    np.testing.assert_allclose(train.targets.values[n:], answers.probabilities[n:])
    # The table of n-grams is of coded sentences alone.
    model = prepared_classifier(stage, tokenizer)
    assert model.ngrams is not None
    both = with_ngrams(model.ngrams, train, data.book, n)
    table = model.ngrams.table.clone()
    apart = load_config(config, [changes[1]])
    alone = examples(Stage(apart, load_study(apart), 1, folder, print), tokenizer, "train")
    before = with_ngrams(model.ngrams, alone, data.book, n)
    assert (table == model.ngrams.table).all()
    assert both.ngram_logits is not None
    assert before.ngram_logits is not None
    np.testing.assert_array_equal(both.ngram_logits[:n], before.ngram_logits)
    assert both.ngram_logits.shape == (n + 13, data.book.n_logits)
    thinned = thin_easy(both, data.book, 0.5, np.random.default_rng(0))
    assert len(thinned.sentences) < n + 13
    assert thinned.factors.tolist().count(3) == 13


def test_so_many_are_drawn_as_asked_for(config: Path, archive: Path) -> None:
    five, again = (
        load_study(load_config(config, ["data.unlabelled=[{path: archive.csv, take: 5}]"]))
        for _ in range(2)
    )
    assert len(five.unlabelled_sentences()) == 5
    assert five.hashes() == again.hashes()
    more = load_study(load_config(config, ["data.unlabelled=[{path: archive.csv, take: 50}]"]))
    assert len(more.unlabelled_sentences()) == 13


def test_ids_of_sentences_without_codes_are_their_own(study: Path, config: Path) -> None:
    (study / "same.csv").write_text("id,text\ns0,the critic says rain\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data.unlabelled: sentence id 's0' of same stands in cod"):
        load_study(load_config(config, ["data.unlabelled=[{path: same.csv}]"]))
    # Codes of three coders are three rows a sentence, and no file without codes.
    with pytest.raises(DataError, match=r"sentence id 's0' stands twice"):
        load_study(load_config(config, ["data.unlabelled=[{path: new.csv}]"]))


def test_a_teacher_with_another_codebook_is_refused(
    study: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tmp_path / "book.yaml"
    text = (study / "book.yaml").read_text(encoding="utf-8")
    book.write_text(text.replace("id: opposition", "id: critics"), encoding="utf-8")
    table = (study / "coded.csv").read_text(encoding="utf-8").replace("opposition", "critics")
    (tmp_path / "coded.csv").write_text(table, encoding="utf-8")
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs")]
    for change in (f"data.codebook={book}", f"data.path={tmp_path / 'coded.csv'}"):
        arguments += ["--set", change]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "was trained with another codebook" in message
    assert "found a difference in speaker" in message
    assert not (tmp_path / "runs").exists()
    assert (study / "runs" / "own" / RUN.bundle / BUNDLE.graph).is_file()
