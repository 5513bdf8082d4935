"""Every shipped config trains, with a tiny encoder and few steps; benchmarks on made-up files.

Exporting a graph takes most of a run's time, so only two configs go all the way.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from framing.artifacts import RUN, check_manifest
from framing.cli.main import main
from framing.config import load_config
from framing.corpora import BENCHMARKS
from framing.decisions import Decisions
from framing.evaluation.schema import Scores
from framing.evaluation.scoring import DataDescription, EvaluationSettings, System, evaluate_systems
from framing.model.baselines import Fitting, Inputs, fit_baselines, predict_baselines
from framing.records import Prediction
from framing.report import load_scores
from framing.study import Study, load_study
from framing.train import Stage, check, fine_tune
from tests.benchmarks import write_root
from tests.conftest import ROOT
from tests.tiny import save_tiny_encoder

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
IN_FULL = [path for path in CONFIGS if path.stem in ("newsmtsc", "security_talks")]
LARGE, SMALL = "security_talks_large", "security_talks_small"
IN_PART = [p for p in CONFIGS if p not in IN_FULL and p.stem not in (LARGE, SMALL)]
OFFICIAL = {
    "gvfc": ["Accuracy of the first frame"],
    "gwsd": ["Accuracy", "Macro-F1"],
    "newsmtsc": ["Macro-F1, rw", "Macro-F1, mt"],
    "tweeteval_stance": ["Mean F1 of against and favor"],
    "unscon": ["Macro-F1 of conflict"],
}


def changes(config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    encoder = save_tiny_encoder(folder / "encoder", ["talks", "guarantees", "nato"])
    out = [
        f"encoder.path={encoder}",
        "encoder.max_length=24",
        "encoder.freeze_layers=1",
        "training.epochs=0.1",
        "evaluation.resamples=20",
        "evaluation.baselines=[majority, metadata, keywords]",
    ]
    if config.stem in BENCHMARKS:
        out.append(f"data.root={write_root(config.stem, folder, monkeypatch)}")
    return out


def test_number_of_configs() -> None:
    flagships = ["security_talks", LARGE, SMALL]
    names = ["gvfc", "gwsd", "newsmtsc", *flagships, "tweeteval_stance", "unscon"]
    assert [path.stem for path in CONFIGS] == names


def test_the_large_flagship_is_the_flagship_with_another_encoder() -> None:
    small, large = (
        load_config(ROOT / "configs" / f"{name}.yaml") for name in ("security_talks", LARGE)
    )
    own = {"path": small.encoder.path, "freeze_layers": 6, "ngrams": False}
    encoder = large.encoder.model_copy(update=own)
    rates = {"learning_rate": small.training.learning_rate, "epochs": small.training.epochs}
    training = large.training.model_copy(update=rates)
    data = large.data.model_copy(update={"train_where": small.data.train_where})
    changed = {"name": small.name, "encoder": encoder, "training": training, "data": data}
    assert large.model_copy(update=changed).model_dump() == small.model_dump()
    assert not large.encoder.allow_download


def test_the_small_flagship_is_the_flagship_with_another_encoder() -> None:
    flagship, small = (
        load_config(ROOT / "configs" / f"{name}.yaml") for name in ("security_talks", SMALL)
    )
    own = {"path": flagship.encoder.path, "freeze_layers": flagship.encoder.freeze_layers}
    changed = {"name": flagship.name, "encoder": small.encoder.model_copy(update=own)}
    assert small.model_copy(update=changed).model_dump() == flagship.model_dump()


@pytest.mark.parametrize("config", IN_FULL, ids=lambda path: path.stem)
def test_config_runs(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs")]
    for change in changes(config, tmp_path, monkeypatch):
        arguments += ["--set", change]
    assert main(arguments) == 0
    run = tmp_path / "runs" / config.stem
    check_manifest(run.resolve(), RUN.manifest)
    official = load_scores(run).official
    assert [figure.name for figure in official] == OFFICIAL.get(config.stem, [])
    report = (run / RUN.report_markdown).read_text(encoding="utf-8")
    assert ("## Beside published results" in report) == bool(official)
    if config.stem in BENCHMARKS:
        again = evaluated(run, tmp_path / config.stem, config.stem)
        assert again.official == official
        assert again.data.split == "test"


def evaluated(run: Path, root: Path, benchmark: str) -> Scores:
    arguments = ["evaluate", "--model", str(run), "--data", str(root), "--benchmark", benchmark]
    assert main(arguments) == 0
    return load_scores(run / RUN.evaluations / benchmark)


@pytest.mark.parametrize("config", IN_PART, ids=lambda path: path.stem)
def test_config_trains(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load_config(config, changes(config, tmp_path, monkeypatch))
    study = load_study(run)
    check(run, study)
    stage = Stage(run, study, 1, tmp_path / "run", lambda text: None)
    stage.folder.mkdir()
    fine_tune(stage)
    assert (stage.folder / RUN.checkpoint).is_dir()
    fields = run.evaluation.metadata
    scores = score(study, metadata_guess(study, fields, tmp_path / "baselines"), fields)
    assert [figure.name for figure in scores.official] == OFFICIAL[config.stem]
    assert all(figure.value is not None and figure.note for figure in scores.official)
    assert {part.field for part in scores.slices} == set(fields)


def metadata_guess(study: Study, fields: Sequence[str], folder: Path) -> list[Prediction]:
    train, dev = study.split("train"), study.split("dev")
    fitting = Fitting(
        book=study.book,
        train=train,
        train_gold=study.gold_of(train),
        dev=dev,
        dev_gold=study.gold_of(dev),
        fields=fields,
        embed=lambda sentences: pytest.fail("not needed"),
    )
    fit_baselines(folder, ["majority", "metadata", "keywords"], fitting)
    inputs = Inputs(study.split("test"), study.book, fitting.embed)
    return predict_baselines(folder, inputs)["metadata"]


def score(study: Study, predictions: Sequence[Prediction], fields: tuple[str, ...]) -> Scores:
    test, n = study.split("test"), study.book.n_logits
    return evaluate_systems(
        run="run",
        bundle="",
        book=study.book,
        data=DataDescription(study.corpus.name, "test", "", "", official=study.official),
        sentences=test,
        annotations=study.corpus.annotations,
        gold=study.gold_of(test),
        systems=[System("model", "model", "", predictions)],
        decisions=Decisions((1.0,) * n, (0.0,) * n, (0.5,) * n),
        settings=EvaluationSettings(resamples=20, slice_fields=fields, slice_least=1),
        leakage=None,
        facts={},
    )


def test_configs_say_how_to_run_them() -> None:
    for path in CONFIGS:
        assert f"framing train configs/{path.name}" in path.read_text(encoding="utf-8")
