"""A researcher's way: a CSV with three coders and a codebook -> run -> report -> predictions."""

import json
import shutil
from pathlib import Path

import pytest

from framing.artifacts import BASELINE, RUN, SEEDS, check_manifest, read_json, read_predictions
from framing.cli.main import main
from framing.codebook import Codebook
from framing.data.leakage import text_hash
from framing.evaluation import schema
from framing.evaluation.seeds import read_seed_summary
from tests.conftest import ROOT
from tests.integration.conftest import make_study, rows


def scores(folder: Path) -> schema.Scores:
    return schema.from_dict(read_json(folder / RUN.scores))


def value(found: schema.Scores, system: str, metric: str, variable: str, label: str) -> float:
    (one,) = [s for s in found.systems if s.name == system]
    for score in one.scores:
        if (score.metric, score.variable, score.label) == (metric, variable, label):
            assert score.value is not None
            return score.value
    raise KeyError(metric)


def test_run_folder_is_complete(run_folder: Path) -> None:
    for name in (
        RUN.config,
        RUN.record,
        RUN.seen,
        RUN.scores,
        RUN.report_html,
        RUN.report_markdown,
        RUN.card,
    ):
        assert (run_folder / name).is_file(), name
    for name in (RUN.checkpoint, RUN.bundle, RUN.baselines, RUN.predictions):
        assert (run_folder / name).is_dir(), name
    assert not (run_folder / RUN.trainer).exists()
    check_manifest(run_folder, RUN.manifest)


def test_no_file_but_the_config_tells_where_a_run_was_made(study: Path, run_folder: Path) -> None:
    here = [str(path).encode() for path in (study, ROOT)]
    telling = {
        path.relative_to(run_folder.resolve()).as_posix()
        for path in run_folder.resolve().rglob("*")
        if path.is_file() and any(place in path.read_bytes() for place in here)
    }
    assert telling == {RUN.config}


def test_a_folder_as_encoder_is_named_by_its_last_part(run_folder: Path) -> None:
    record = read_json(run_folder / RUN.record)
    assert (record["encoder"], record["base_model"]) == ("encoder", "")
    assert "base_model" not in (run_folder / RUN.card).read_text(encoding="utf-8")


def test_runs_of_earlier_versions_tell_no_path_in_cards(
    study: Path, run_folder: Path, tmp_path: Path
) -> None:
    old = shutil.copytree(run_folder, tmp_path / "old")
    record = read_json(old / RUN.record)
    del record["base_model"]
    (old / RUN.record).write_text(json.dumps(record | {"encoder": "/home/me/enc"}))
    out = tmp_path / "new"
    arguments = ["evaluate", "--model", str(old), "--data", str(study / "new.csv")]
    assert main([*arguments, "--out", str(out)]) == 0
    assert scores(out).facts["encoder"] == "enc"


def test_the_model_learns_what_the_words_say(run_folder: Path) -> None:
    found = scores(run_folder)
    assert value(found, "model", "f1", "topics", "macro") > 0.9
    assert value(found, "model", "f1", "speaker", "macro") > 0.9
    assert value(found, "majority", "f1", "speaker", "macro") < 0.6


def test_every_system_is_scored(run_folder: Path) -> None:
    names = [s.name for s in scores(run_folder).systems]
    assert names == [
        "model",
        "majority",
        "metadata",
        "keywords",
        "tfidf",
        "frozen_encoder",
        "model_beside_coders",
        "coders",
    ]


def test_stored_scores_follow_from_stored_predictions(run_folder: Path) -> None:
    made = read_predictions(run_folder / RUN.predictions / "test.jsonl")
    assert len(made) == scores(run_folder).data.sentences
    assert {p.bundle for p in made} == {scores(run_folder).bundle}


def test_a_finished_run_is_left_alone(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (study / "runs" / "own" / RUN.manifest).stat().st_mtime_ns
    assert main(["train", str(study / "own.yaml"), "--runs", str(study / "runs")]) == 0
    assert "finished already" in capsys.readouterr().out
    assert (study / "runs" / "own" / RUN.manifest).stat().st_mtime_ns == before


def test_evaluation_on_new_data(study: Path, run_folder: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "--model", str(run_folder), "--data", str(study / "new.csv")]
    out = tmp_path / "new"
    assert main([*arguments, "--out", str(out)]) == 0
    found = scores(out)
    assert found.data.sentences == 30
    assert found.leakage is not None
    # The new rows are drawn from the same few sentences, and the report must say so.
    assert found.leakage.exact > 0
    assert value(found, "model", "f1", "topics", "macro") > 0.9
    assert (out / RUN.report_html).is_file()
    assert main([*arguments, "--out", str(out)]) == 2
    assert main([*arguments, "--out", str(out), "--overwrite"]) == 0


def test_training_starts_with_a_warning_of_the_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_study(tmp_path)
    book = tmp_path / "book.yaml"
    book.write_text(f"language: de\n{book.read_text(encoding='utf-8')}", encoding="utf-8")
    monkeypatch.setattr("framing.train.train_once", lambda stage: stage.say("training"))
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs")]
    assert main(arguments) == 0
    assert "language is de" not in capsys.readouterr().out
    assert main([*arguments, "--set", "encoder.path=default"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("warning: The codebook's language is de, but the default encoder")
    assert second == "training"


def test_training_and_scores_warn_of_what_is_most_likely_not_meant(
    study: Path,
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = iter((["what the corpus has"], ["what the new data have"]))
    monkeypatch.setattr("framing.study.notices", lambda corpus, name: next(notes))
    monkeypatch.setattr("framing.external.notices", lambda corpus, name: next(notes))
    assert main(["train", str(study / "own.yaml"), "--runs", str(study / "runs")]) == 0
    assert capsys.readouterr().out.startswith("warning: what the corpus has\n")
    data, out = str(study / "new.csv"), tmp_path / "new"
    assert main(["evaluate", "--model", str(run_folder), "--data", data, "--out", str(out)]) == 0
    assert scores(out).facts["warning_data_1"] == "what the new data have"
    assert "what the new data have" in (out / RUN.report_markdown).read_text(encoding="utf-8")


def test_scores_warn_of_the_language(
    study: Path, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = read_json(run_folder / RUN.record)["encoder"]
    monkeypatch.setattr("framing.model.encoder.DEFAULT_NAME", name)
    monkeypatch.setattr(Codebook, "is_english", False)
    data, out = str(study / "new.csv"), tmp_path / "new"
    assert main(["evaluate", "--model", str(run_folder), "--data", data, "--out", str(out)]) == 0
    for page in (RUN.report_markdown, RUN.report_html, RUN.card):
        assert "the default encoder was pretrained on" in (out / page).read_text(encoding="utf-8")


def test_default_place_of_an_evaluation_keeps_the_run_whole(study: Path, run_folder: Path) -> None:
    data = study / "new.csv"
    assert main(["evaluate", "--model", str(run_folder), "--data", str(data)]) == 0
    assert (run_folder / RUN.evaluations / "new" / RUN.scores).is_file()
    check_manifest(run_folder, RUN.manifest)


def test_prediction_of_new_sentences(study: Path, run_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    texts = ["the minister says prices hurts people", "the critic says rain pleases people"]
    source.write_text(
        "".join(json.dumps({"id": str(k), "text": t}) + "\n" for k, t in enumerate(texts)),
        encoding="utf-8",
    )
    out = tmp_path / "out.jsonl"
    assert main(["predict", "--model", str(run_folder), str(source), "--out", str(out)]) == 0
    first, second = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert first["labels"]["topics"] == ["prices"]
    assert second["labels"]["topics"] == []


def test_an_interrupted_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_study(tmp_path)
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs"), "--set"]
    arguments += ["training.epochs=1", "--set", "evaluation.baselines=[majority]"]

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("framing.train.make_baselines", interrupt)
        assert main(arguments) == 130
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / RUN.checkpoint).is_dir()
    assert not (folder / RUN.manifest).exists()
    assert "the same command continues" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "fine-tuning" not in capsys.readouterr().out
    check_manifest(folder, RUN.manifest)
    assert [p.name for p in (folder / RUN.baselines).iterdir()] == ["majority"]
    assert not (folder / RUN.baselines / BASELINE.encoder).exists()


def test_several_seeds_are_summarised_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_study(tmp_path)
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs")]
    arguments += ["--set", "training.epochs=1", "--set", "evaluation.baselines=[majority]"]
    assert main([*arguments, "--set", "seeds=[1, 2]"]) == 0
    (folder,) = (tmp_path / "runs").glob("own-*-seeds")
    summary = read_seed_summary(folder / SEEDS.summary)
    assert len(summary.runs) == 2
    means = {(s.metric, s.variable, s.label): s for s in summary.scores}
    first, second = (
        value(scores(tmp_path / "runs" / name), "model", "f1", "speaker", "macro")
        for name in summary.runs
    )
    assert means["f1", "speaker", "macro"].mean == pytest.approx((first + second) / 2)
    assert "speaker" in (folder / SEEDS.report).read_text(encoding="utf-8").lower()
    compare(*(tmp_path / "runs" / name for name in summary.runs), tmp_path, capsys)


def compare(run: Path, other: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compare a run with another on its own test split, and on other data."""
    arguments = ["evaluate", "--model", str(run), "--against", str(other)]
    capsys.readouterr()
    assert main(arguments) == 0
    out = run / RUN.evaluations / f"test_split-against-{other.name}"
    found, printed = scores(out), capsys.readouterr().out
    assert found.data.sentences == scores(run).data.sentences
    assert "warning_left_out" not in found.facts
    assert value(found, other.name, "f1", "speaker", "macro") == pytest.approx(
        value(scores(other), "model", "f1", "speaker", "macro")
    )
    assert f"The other model {other.name} scores" in printed
    assert any(c.other == other.name for c in found.comparisons)
    # Another deal of the splits: the other run alone has learnt from a document of this test split.
    texts = {r["text"] for r in rows() if r["doc_id"] == found.errors[0].doc_id}
    hashes = (run / RUN.seen).read_text(encoding="ascii").split()
    left = [line for line in hashes if line not in {text_hash(text) for text in texts}]
    (run / RUN.seen).write_text("\n".join(left) + "\n", encoding="ascii")
    arguments += ["--against", str(run / RUN.bundle)]
    assert main([*arguments, "--overwrite"]) == 2
    assert "the very model that is scored" in capsys.readouterr().err
    arguments = arguments[:-2]
    assert main([*arguments, "--overwrite"]) == 0
    fewer = scores(out)
    assert fewer.data.sentences < found.data.sentences
    assert fewer.facts["warning_left_out"] in capsys.readouterr().out
    assert main([*arguments, "--data", str(folder / "new.csv")]) == 0
    assert (run / RUN.evaluations / f"new-against-{other.name}" / RUN.report_html).is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["data.train_where={source: [paper 9]}"], "unknown value 'paper 9'"),
        (["data.train_where={outlet: [x]}"], "unknown metadata field 'outlet'"),
        (["evaluation.metadata=[sorce]"], "unknown metadata field 'sorce'; known: source."),
        (["training.variable_weights={topic: 2}"], "unknown variable 'topic'"),
        (["training.report_to=[tensorbord]"], "unknown tracker 'tensorbord'; known: "),
        (["training.report_to=[dvclive]"], "report_to: dvclive is not installed; install it"),
        (["data.path=none.csv"], "no such file"),
        (["encoder.path=./nowhere"], "cannot load encoder"),
        (["training.epoch=2"], "unknown key 'epoch'"),
    ],
)
def test_mistakes_leave_no_run(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_study(tmp_path)
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs")]
    for text in change:
        arguments += ["--set", text]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_variable_that_nobody_coded_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_study(tmp_path)
    table = tmp_path / "coded.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(",speaker", ",Speaker", 1), encoding="utf-8")
    assert main(["train", str(config), "--runs", str(tmp_path / "runs")]) == 2
    message = capsys.readouterr().err
    assert "variable 'speaker' is coded in no training sentence" in message
    assert "Speaker" in message
    assert not (tmp_path / "runs").exists()


def test_evaluation_reads_columns_as_the_run_did(tmp_path: Path) -> None:
    config = make_study(tmp_path)
    for name in ("coded.csv", "new.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(",text,", ",Satz,", 1), encoding="utf-8")
    runs = tmp_path / "runs"
    arguments = ["train", str(config), "--runs", str(runs), "--set", "data.columns={text: Satz}"]
    arguments += ["--set", "training.epochs=1", "--set", "evaluation.baselines=[majority]"]
    assert main(arguments) == 0
    data = str(tmp_path / "new.csv")
    assert main(["evaluate", "--model", str(runs / "own"), "--data", data]) == 0


def test_evaluate_refuses_what_it_cannot_score(
    study: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stderr(*arguments: str) -> str:
        assert main(["evaluate", *arguments]) == 2
        return capsys.readouterr().err

    data = ("--data", str(study / "new.csv"))
    assert "expected --data with coded data, or --against" in stderr("--model", str(run_folder))
    against = ("--model", str(run_folder), "--against", str(run_folder))
    assert "the very model that is scored" in stderr(*against)
    assert "--columns and --origin: for other coded data" in stderr(
        *against, "--columns", "x.yaml", "--origin", "somewhere"
    )
    assert "not a run's folder" in stderr("--model", str(tmp_path), *data)
    missing = stderr("--model", str(run_folder), "--data", str(tmp_path / "none"))
    assert "no such file or folder" in missing
    wrong = tmp_path / "wrong.csv"
    text = (study / "new.csv").read_text(encoding="utf-8")
    wrong.write_text(text.replace(",government", ",goverment"), encoding="utf-8")
    message = stderr("--model", str(run_folder), "--data", str(wrong))
    assert "unknown label 'goverment'" in message
    assert "Did you mean 'government'?" in message
    assert not (run_folder / RUN.evaluations / "wrong").exists()


def test_a_licence_named_later(
    study: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["train", str(study / "own.yaml"), "--runs", str(study / "runs"), "--set"]
    assert main([*again, "licence=cc-by-4.0"]) == 0
    assert "report and card say the new licence" in capsys.readouterr().out
    card = (run_folder / RUN.card).read_text()
    assert card.startswith("---\n")
    assert "license: cc-by-4.0\n" in card
    check_manifest(run_folder, RUN.manifest)
    assert main([*again, "licence=cc-by-4.0"]) == 0
    assert "nothing to do" in capsys.readouterr().out
