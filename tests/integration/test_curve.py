"""`framing curve`: own sentences added to a run's training data, on the small study."""

from pathlib import Path

import pytest

from framing.artifacts import CURVE, FOLD, RUN, read_json
from framing.cli.main import main
from framing.evaluation import schema
from tests.integration.conftest import rows, write_csv


@pytest.fixture(scope="module")
def other(study: Path) -> Path:
    """Sentences of the same kind with ids of their own."""
    path = study / "other.csv"
    found = [r | {"id": f"o-{r['id']}", "doc_id": f"o-{r['doc_id']}"} for r in rows(seed=2, n=60)]
    write_csv(path, found)
    return path


@pytest.fixture(scope="module")
def arguments(study: Path, other: Path) -> list[str]:
    run = str(study / "runs" / "own")
    return [
        "curve",
        "--model",
        run,
        "--data",
        str(other),
        "--sizes",
        "12,0,99,all",
        "--weight",
        "2",
    ]


@pytest.fixture(scope="module")
def evaluation(study: Path, arguments: list[str]) -> Path:
    assert main(arguments) == 0
    return study / "runs" / "own" / RUN.evaluations / "other"


def test_points_of_a_curve(evaluation: Path) -> None:
    found = schema.from_dict(read_json(evaluation / RUN.scores))
    # No fold leaves 99, so that is the point of all.
    nothing, some, everything = found.learning_curve
    assert (nothing.asked, nothing.sentences, nothing.folds) == (0, 0, 0)
    assert (some.asked, some.folds, some.weight) == (12, 2, 2.0)
    # Documents are added whole, three sentences each, until there are enough.
    assert some.sentences == 12
    assert some.documents == 4
    assert (everything.sentences, everything.documents) == (30, 10)
    by_metric = {(s.metric, s.variable): s for s in some.scores if s.head in ("", s.variable)}
    assert {("f1", "topics"), ("average_precision", "topics"), ("f1", "speaker")} <= set(by_metric)
    first = {(s.metric, s.variable): s.value for s in nothing.scores if s.head == "topics"}
    (model,) = [s for s in found.systems if s.kind == "model"]
    (same,) = [
        s.value for s in model.scores if (s.metric, s.head, s.label) == ("f1", "topics", "macro")
    ]
    assert first["f1", "topics"] == same
    # Differences are of whole variables, from the run itself.
    assert nothing.differences == ()
    gains = {(c.other, c.metric, c.variable): c for c in some.differences}
    assert len(gains) == len(some.differences) == 4
    gain = gains[schema.NOTHING_ADDED, "f1", "topics"]
    assert gain.difference == pytest.approx(by_metric["f1", "topics"].value - same)
    assert gain.low <= gain.difference <= gain.high


def test_the_report_shows_the_curve(evaluation: Path) -> None:
    page = (evaluation / RUN.report_html).read_text(encoding="utf-8")
    assert "What sentences of your own are worth" in page
    assert "learning-topics" in page
    assert "Each point less the run without sentences added" in page
    markdown = (evaluation / RUN.report_markdown).read_text(encoding="utf-8")
    assert "Sentences added" in markdown


def test_no_fold_is_trained_on_itself(study: Path, evaluation: Path) -> None:
    assert evaluation.is_dir()
    folder = (study / "runs" / "own").resolve()
    curve = folder.with_name(f"{folder.name}-{CURVE.folder}")
    for point in sorted(curve.iterdir()):
        taken = set((point / CURVE.documents).read_text(encoding="utf-8").split())
        (predictions,) = point.glob(f"*.{FOLD.predictions}")
        text = predictions.read_text(encoding="utf-8")
        number = {f'"o-s{k}"' for k in range(60) if f"o-d{k // 3}" in taken}
        assert number
        assert not any(name in text for name in number)


def test_finished_trainings_are_kept(
    arguments: list[str], evaluation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (evaluation / RUN.scores).read_bytes()
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.count("finished already") == 4
    assert "fine-tuning" not in printed
    assert (evaluation / RUN.scores).read_bytes() == before


def test_no_curve_on_what_the_run_was_trained_on(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = str(study / "runs" / "own"), str(study / "coded.csv")
    assert main(["curve", "--model", run, "--data", data, "--sizes", "0"]) == 2
    assert "the run was trained on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--sizes", "40"], "at most 30 sentences can be added, found 40"),
        (
            ["--sizes", "1,x"],
            "expected whole numbers, or the word all, with commas between them, found '1,x'",
        ),
        (["--sizes", "5,5"], "expected different numbers of sentences"),
        (["--folds", "1"], "expected 2 or more, found 1"),
        (["--weight", "0"], "expected a positive number, found 0.0"),
    ],
)
def test_impossible_curves(
    arguments: list[str], option: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *option]) == 2
    assert message in capsys.readouterr().err
