"""A run -> a small bundle, with what it loses; labelling with it, with and without the screen."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

import framing
from framing import release
from framing.arrays import gold_array, label_array
from framing.artifacts import BUNDLE, RUN, read_json
from framing.cli.main import main
from framing.config import load_config
from framing.encoding import tokenize
from framing.errors import ArtifactError, DataError
from framing.inference.bundle import load_bundle
from framing.inference.graphs import Graphs
from framing.inference.labeller import Labeller
from framing.study import load_study

NEW = "the minister says inflation hurts people"
#: What a machine for inference need not have.
ABSENT = ("torch", "transformers", "datasets", "evaluate", "sklearn", "scipy", "onnx", "pydantic")


@pytest.fixture(scope="module")
def bundle(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "bundle"
    optimize = release.optimize_graph

    def keep(path: Path) -> None:
        shutil.copy(path, _unfused(out))
        optimize(path)

    with pytest.MonkeyPatch.context() as patch:
        # The study's development split has two dozen sentences.
        patch.setattr(release, "LEAST_LABELLED", 5)
        patch.setattr(release, "optimize_graph", keep)
        assert main(["export", str(study / "runs" / "own"), "--out", str(out)]) == 0
    return out


def _unfused(bundle: Path) -> Path:
    """Where the bundle's int8 graph is kept as it was before it was fused."""
    return bundle.with_name("unfused.onnx")


def test_the_bundle_says_what_it_loses(bundle: Path, run_folder: Path) -> None:
    opened = load_bundle(bundle)
    parity = opened.settings.parity
    assert opened.settings.precision == "int8"
    assert parity is not None
    assert parity.sentences > 10
    assert parity.agreement > 0.9
    assert set(parity.macro_f1) == {"topics", "view", "speaker"}
    assert parity.points_lost <= release.MOST_LOST
    assert opened.screen is not None
    graph = load_bundle(run_folder).folder / BUNDLE.graph
    assert (bundle / BUNDLE.graph).read_bytes() != graph.read_bytes()


@pytest.mark.parametrize(("share", "told"), [(0.37, True), (0.05, False)])
def test_much_that_stays_float32_is_told(
    share: float, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "float_share", lambda paths: share)
    said: list[str] = []
    release.tell_float_share(tmp_path, said.append)
    assert ["37% of the weights stay float32" in line for line in said] == [True] * told


def test_int8_graphs_are_stored_fused(bundle: Path) -> None:
    fused, before = (
        [node.op_type for node in onnx.load(path).graph.node]
        for path in (bundle / BUNDLE.graph, _unfused(bundle))
    )
    assert "FusedMatMul" in fused
    assert "FusedMatMul" not in before
    assert len(fused) < len(before)


def test_what_is_slower_fused_stays_apart(bundle: Path, tmp_path: Path) -> None:
    path = bundle / BUNDLE.graph
    fused = tmp_path / "fused.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(fused)
    options.log_severity_level = 3
    # As the runtime would have it, and as this package opens graphs.
    onnxruntime.InferenceSession(str(path), options)
    operations = [{n.op_type for n in onnx.load(p).graph.node} for p in (fused, path)]
    assert ["SkipLayerNormalization" in found for found in operations] == [True, False]


def test_fusing_keeps_the_logits(bundle: Path, run_folder: Path) -> None:
    opened = load_bundle(bundle)
    sentences = load_study(load_config(run_folder / RUN.config)).split("dev")
    tokens = tokenize(opened.tokenizer, sentences, opened.input_settings)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(str(_unfused(bundle)), options)
    expected, found = (
        Graphs(session, opened.settings.inputs, opened.settings.pad_id).run(tokens)
        for session in (plain, opened.graphs.session)
    )
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_graph_that_cannot_be_fused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"model\.onnx: not a graph that can be run"):
        release.optimize_graph(path)
    assert path.read_bytes() == b"no graph"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sentence_is_labelled_the_same_alone_and_among_others(bundle: Path) -> None:
    model = framing.load(bundle)
    among = model.label([NEW, "the critic says rain pleases people today and for long", "football"])
    (alone,) = model.label([NEW])
    assert among[0].labels == alone.labels
    assert alone.labels["topics"] == ("prices",)
    for head, values in alone.probabilities.items():
        # Only the last digits of float32 depend on how a batch is padded.
        assert among[0].probabilities[head] == pytest.approx(values, abs=1e-6)


def test_it_labels_where_nothing_for_training_is_installed(bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "new.txt"
    text.write_text(f"{NEW.capitalize()}.\n", encoding="utf-8")
    code = (
        "import sys\n"
        f"for name in {ABSENT!r}: sys.modules[name] = None\n"
        "from framing.cli.main import main\n"
        f"sys.exit(main(['predict', '--model', {str(bundle)!r}, '--screen', '0.9', {str(text)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"]["topics"] == ["prices"]
    assert "screen: of the development sentences it keeps" in done.stderr


@pytest.mark.parametrize("recall", [None, 0.9])
def test_bundles_keep_what_they_decide_on_the_development_split(
    bundle: Path, run_folder: Path, recall: float | None
) -> None:
    study = load_study(load_config(run_folder / RUN.config))
    dev = study.split("dev")
    gold = gold_array(study.gold_of(dev), study.book).values[:, :2]
    for folder in (run_folder, bundle) if recall is None else (bundle,):
        opened = load_bundle(folder)
        limit = None if recall is None or opened.screen is None else opened.screen.limit(recall)
        assert opened.development is not None
        counts = opened.development.counts(limit)
        predictions = Labeller(opened, recall=recall).label(dev)
        found = label_array([p.labels for p in predictions], study.book).values[:, :2]
        assert counts.tp.sum(axis=0).tolist() == (gold & found).sum(axis=0).tolist()
        assert counts.fp.sum(axis=0).tolist() == (~gold & found).sum(axis=0).tolist()
        assert len(counts.tp) == len({sentence.doc_id for sentence in dev})


def test_an_existing_bundle_is_not_replaced_unasked(
    bundle: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run_folder), "--out", str(bundle)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_bundle_that_loses_too_much_is_refused(
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(release, "MOST_LOST", -1)
    assert main(["export", str(run_folder), "--out", str(tmp_path / "b")]) == 2
    message = capsys.readouterr().err
    assert "points of macro-F1" in message
    assert "--precision float32" in message
    assert list(tmp_path.iterdir()) == []


def test_float32_keeps_the_graph(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    assert main(["export", str(run_folder), "--out", str(out), "--precision", "float32"]) == 0
    graph = run_folder / RUN.bundle / BUNDLE.graph
    assert (out / BUNDLE.graph).read_bytes() == graph.read_bytes()
    # Too few labelled sentences for a screen, and the user is told so.
    assert not (out / BUNDLE.screen).exists()
    text = tmp_path / "new.txt"
    text.write_text("Inflation hurts people.\n", encoding="utf-8")
    assert main(["predict", "--model", str(out), "--screen", "0.99", str(text)]) == 2


def test_changed_data_are_noticed(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree((study / "runs" / "own").resolve(), folder)
    record = read_json(folder / RUN.record)
    record["data"]["corpus"] = "0" * 64
    (folder / RUN.record).write_text(json.dumps(record), encoding="utf-8")
    assert main(["export", str(folder), "--out", str(tmp_path / "b")]) == 2
    assert "its data have changed since the training (corpus)" in capsys.readouterr().err


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path)]) == 2
    assert "not a run's folder" in capsys.readouterr().err


def test_screen_needs_a_share(bundle: Path) -> None:
    with pytest.raises(DataError, match="between"):
        framing.load(bundle, screen=0.1)


def write_archive(path: Path, count: int) -> Path:
    words = ("prices", "inflation", "jobs", "football")
    rows = [
        {"text": f"the minister says {words[k % 4]} hurts people {k}", "doc_id": f"d{k // 4}"}
        for k in range(count)
    ]
    # Said once more, and not to be counted again.
    rows.append(dict(rows[0]))
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"text": ""}]))
    return path


def test_a_screen_learns_from_an_archive(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "LEAST_LABELLED", 5)
    out, archive = tmp_path / "bundle", write_archive(tmp_path / "archive.jsonl", 120)
    run = str(study / "runs" / "own")
    assert main(["export", run, "--out", str(out), "--archive", str(archive)]) == 0
    said = capsys.readouterr().out
    assert "archive: drew 121 of 121 sentences (1 row could not be read)" in said
    screen = load_bundle(out).screen
    assert screen is not None
    n = len(screen.archive_labelled) + len(screen.archive_others)
    # Unknown words are all the same to the tiny tokenizer, and so are sentences that differ in one.
    assert 4 <= n <= 120
    assert len(screen.archive_labelled) > 0
    assert main(["predict", "--model", str(out), "--screen", "0.9", str(archive)]) == 0
    assert "of the others; of the archive's, " in capsys.readouterr().err


def test_an_archive_must_hold_enough(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, archive = tmp_path / "bundle", write_archive(tmp_path / "archive.jsonl", 20)
    command = ["export", str(study / "runs" / "own"), "--out", str(out)]
    for options, message in (
        (
            ["--archive", str(archive)],
            "expected at least 100 sentences, found 21 (1 row could not be read); name",
        ),
        (["--archive", str(tmp_path / "none.csv")], "no such file"),
        (["--text-column", "body"], "say how --archive is read; name its files, or leave them"),
    ):
        assert main([*command, *options]) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()
