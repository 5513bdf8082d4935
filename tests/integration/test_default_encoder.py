"""The real encoder, on a part of the bundled corpus."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from framing.artifacts import RUN, read_json
from framing.cli.main import main
from framing.corpora import CORPUS, corpus_folder
from framing.evaluation import schema
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    data = tmp_path_factory.mktemp("part")
    write_part(data, ("w1",))
    arguments = ["train", str(ROOT / "configs" / "security_talks.yaml"), "--runs", str(runs)]
    for change in (
        "data.corpus=null",
        f"data.path={data}",
        f"data.codebook={corpus_folder('security_talks') / CORPUS.codebook}",
        "data.train_where={}",
        "encoder.path=default",
        "encoder.freeze_layers=4",
        "encoder.ngrams=true",
        "training.epochs=1.5",
        "training.learning_rate=2e-4",
        "evaluation.resamples=50",
        "evaluation.baselines=[majority, frozen_encoder]",
    ):
        arguments += ["--set", change]
    assert main(arguments) == 0
    return runs / "security_talks"


def write_part(folder: Path, parts: tuple[str, ...]) -> None:
    """Write some parts of the bundled corpus: all of it would take minutes."""
    for name in (CORPUS.sentences, CORPUS.annotations):
        lines = (corpus_folder("security_talks") / name).read_text(encoding="utf-8").splitlines()
        kept = [x for x in lines if str(json.loads(x)["id"]).split("-")[0] in parts]
        (folder / name).write_text("\n".join(kept) + "\n", encoding="utf-8")


def average_precision(folder: Path, system: str) -> float:
    scores = schema.from_dict(read_json(folder / RUN.scores))
    (found,) = [s for s in scores.systems if s.name == system]
    (score,) = [s for s in found.scores if (s.metric, s.head, s.label) == (AP, "frames", "macro")]
    assert score.value is not None
    return score.value


AP = "average_precision"


def test_fine_tuning_beats_the_frozen_encoder(run_folder: Path) -> None:
    model = average_precision(run_folder, "model")
    assert model > average_precision(run_folder, "majority") + 0.2
    assert model > average_precision(run_folder, "frozen_encoder")


def test_example_article_in_a_process_without_torch(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    code = (
        "import sys\n"
        "from framing.cli.main import main\n"
        "status = main(sys.argv[1:])\n"
        "heavy = {'torch', 'transformers', 'datasets', 'evaluate', 'sklearn', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "sys.exit(status)\n"
    )
    article = str(ROOT / "examples" / "talks.txt")
    arguments = ["predict", "--model", str(run_folder), article, "--out", str(out)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 26
    texts = " ".join(row["text"] for row in rows)
    for debris in ("Open in App", "Related Stories", "Subscribe", "Disclaimer"):
        assert debris not in texts
    assert any(row["frames"] for row in rows)


@pytest.mark.shared
def test_real_article(run_folder: Path, shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    article = str(shared / "real" / "article.txt")
    assert main(["predict", "--model", str(run_folder), article, "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 6
    # Trained on a small part only, so what is asked for is the page, not the decisions.
    texts = " ".join(row["text"] for row in rows)
    assert texts.count("security guarantees") == 2
    assert "deescalated" in texts
    for debris in ("Open in App", "Related Stories", "Disclaimer", "Tags:", "Modi", "Epaper"):
        assert debris not in texts
    assert {row["doc_id"] for row in rows} == {rows[0]["doc_id"]}


@pytest.mark.shared
def test_report_on_real_sentences(run_folder: Path, shared: Path, tmp_path: Path) -> None:
    out, part = tmp_path / "real", tmp_path / "part"
    chosen = some_documents(shared / "real", part)
    arguments = ["evaluate", "--model", str(run_folder), "--data", str(part), "--out", str(out)]
    assert main(arguments) == 0
    scores = schema.from_dict(read_json(out / RUN.scores))
    assert scores.data.sentences == chosen
    assert scores.data.coders == ("A", "B", "C")
    assert average_precision(out, "model") > average_precision(out, "majority") + 0.1


def some_documents(source: Path, target: Path) -> int:
    """Write a sixth of a corpus, since all of it would take a minute; give its sentences."""
    target.mkdir()
    sentences, annotations = (
        [json.loads(x) for x in (source / name).read_text(encoding="utf-8").splitlines()]
        for name in (CORPUS.sentences, CORPUS.annotations)
    )
    documents = sorted({s["doc_id"] for s in sentences})[::6]
    sentences = [s for s in sentences if s["doc_id"] in documents]
    kept = {s["id"] for s in sentences}
    for name, rows in (
        (CORPUS.sentences, sentences),
        (CORPUS.annotations, [a for a in annotations if a["id"] in kept]),
    ):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / name).write_text(text, encoding="utf-8")
    return len(sentences)
