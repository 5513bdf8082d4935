from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from framing.cli.main import main
from tests.conftest import SMALL_CODEBOOK

COLUMNS = "text: Sentence\ncoder: Coded by\n"


@pytest.fixture
def study(tmp_path: Path) -> list[str]:
    """Ten documents by two sources, coded by two; arguments that name them."""
    rows = ["id,doc_id,source,Sentence,Coded by,topics,speaker"]
    for k in range(20):
        topic = ("prices", "jobs", "")[k % 3]
        for coder in ("Ana", "Ben"):
            given = "" if (k, coder) == (0, "Ben") else topic
            speaker = "government" if k % 2 else "opposition"
            text = "It is far too dear for all of us." if k in (3, 18) else f"Sentence no. {k}."
            rows.append(f"s{k},d{k // 2},{'xy'[k // 2 % 2]},{text},{coder},{given},{speaker}")
    (tmp_path / "coded.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "book.yaml").write_text(SMALL_CODEBOOK)
    (tmp_path / "columns.yaml").write_text(COLUMNS)
    return [
        str(tmp_path / "coded.csv"),
        *("--codebook", str(tmp_path / "book.yaml"), "--columns", str(tmp_path / "columns.yaml")),
    ]


def failure(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["data", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_split_writes_a_manifest(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "splits.json"
    options = ["--out", str(out), "--fractions", "60,20,20", "--seed", "3", "--stratify", "source"]
    assert main(["data", "split", *study, *options]) == 0
    text = capsys.readouterr().out
    assert f"Written: {out}" in text.replace("\n", "")
    assert "topics.prices" in text
    value = json.loads(out.read_text())
    assert (value["seed"], value["stratify"]) == (3, ["source"])
    assert {name: len(ids) for name, ids in value["documents"].items()} == {
        "train": 6,
        "dev": 2,
        "test": 2,
    }
    before = out.read_bytes()
    assert "exists already" in failure("split", *study, *options, capsys=capsys)
    assert main(["data", "split", *study, *options, "--overwrite"]) == 0
    assert out.read_bytes() == before


def test_audit(study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "audit", *study, "--by", "source"]) == 0
    text = capsys.readouterr().out
    assert "coded: 20 sentences in 10 documents, codebook small version 2" in text
    assert "Annotations by coder: Ana 20, Ben 20" in text
    assert "coded by 2: 20 sentences" in text
    rows = {cells[0]: cells[1:] for line in text.splitlines() if (cells := _cells(line))}
    # Ben gave s0 no topic: 13 of 40 values are prices, 38 coincidences agree, and
    # (39 * 38 - 13 * 12 - 27 * 26) / (40 * 39 - 13 * 12 - 27 * 26) = 624 / 702.
    assert rows["topics.prices"] == ["0.889", "20", "0.923"]
    assert rows["topics.jobs"] == ["1.000", "20", "1.000"]
    assert rows["x"][:2] == ["5", "10"]
    # Coded topics, gave any, coded view, coded speaker.
    assert rows["Ana"] == ["20", "14", "0", "20"]
    assert rows["Ben"] == ["20", "13", "0", "20"]
    assert "Repeated: 1 sentence with the text of an earlier one, 1 of them in another" in text
    assert "s18 as s3: It is far too dear for all of us." in text
    # Nothing else: the table has no column for it.
    assert text.count("Note:") == text.count("Note: view: coded in no sentence.") == 1
    assert "Leakage" not in text


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│ ").split("│")] if "│" in line else []


def test_audit_with_splits_tells_leakage(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = tmp_path / "splits.json"
    assert main(["data", "split", *study, "--out", str(splits)]) == 0
    value = json.loads(splits.read_text())
    documents = [f"d{k}" for k in range(10)]
    value["documents"] = {"train": documents[:8], "dev": ["d8"], "test": ["d9"]}
    splits.write_text(json.dumps(value))
    capsys.readouterr()
    assert main(["data", "audit", *study, "--splits", str(splits)]) == 0
    text = capsys.readouterr().out
    assert "Leakage from train into dev: 0 the same" in text
    assert "Leakage from train into test: 1 the same" in text
    assert "1.000 s18: It is far too dear for all of us." in text


def test_audit_of_the_bundled_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "audit", "security_talks"]) == 0
    text = capsys.readouterr().out
    assert "security_talks: 24,568 sentences in 1,983 documents" in text
    assert "Leakage from train into test: 0 the same, 0 nearly the same" in text


def test_one_coder(study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(study[0])
    kept = [line for line in path.read_text().splitlines() if ",Ben," not in line]
    path.write_text("\n".join(kept))
    assert main(["data", "audit", *study]) == 0
    assert "Agreement: fewer than two coders" in capsys.readouterr().out


def test_gold_without_a_coder(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["id,doc_id,Sentence,topics", "a,d,It costs more.,prices", "b,,They work.,jobs"]
    Path(study[0]).write_text("\n".join(rows) + "\n")
    (tmp_path / "columns.yaml").write_text("text: Sentence\n")
    assert main(["data", "audit", *study]) == 0
    text = capsys.readouterr().out
    assert "Labels are given as gold for 2 sentences; no coder is named" in text
    assert "coded by 0" not in text
    assert "Note: 1 sentence without a doc_id, though others have one, such as 'b'" in text


def test_adjudicator(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "audit", *study, "--adjudicator", "Ana"]) == 0
    text = capsys.readouterr().out
    rows = {cells[0]: cells[1:] for line in text.splitlines() if (cells := _cells(line))}
    assert rows["topics.prices"] == ["7"]
    assert "coded by 1: 20 sentences" in text


def test_a_misspelt_adjudicator(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in (["audit"], ["split", "--out", str(tmp_path / "s.json")]):
        message = failure(*action, *study, "--adjudicator", "Anna", capsys=capsys)
        assert "coded: --adjudicator: unknown coder 'Anna'; known: Ana, Ben. Did you" in message
    assert not (tmp_path / "s.json").exists()


def test_columns_may_stand_below_their_key(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "audit", *study]) == 0
    text = capsys.readouterr().out
    (tmp_path / "columns.yaml").write_text("columns:\n  text: Sentence\n  coder: Coded by\n")
    assert main(["data", "audit", *study]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[a]", "expected `field: column` lines, found ['a']"),
        ("a: [", "cannot read the column mapping"),
        ("columns: [a]", "expected `field: column` lines, found ['a']"),
        ("", "expected `field: column` lines, found None"),
        ("sentense: Sentence", "unknown key 'sentense'"),
    ],
)
def test_mappings_that_cannot_be_used(
    study: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    message: str,
) -> None:
    (tmp_path / "columns.yaml").write_text(content)
    assert message in failure("audit", *study, capsys=capsys)


def test_own_data_need_a_codebook(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    message = failure("audit", study[0], capsys=capsys)
    assert "give the codebook of your data with --codebook FILE" in message
    assert "security_talks" in message


def test_a_benchmark_needs_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    message = failure("audit", "gwsd", capsys=capsys)
    assert "gwsd: is a benchmark; name the folder of its files with --root DIR" in message


def test_options_for_own_data_are_not_dropped(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = study[1:]
    out = ["--out", str(tmp_path / "s.json")]
    for arguments in (["audit", "gwsd"], ["split", "gwsd", *out]):
        message = failure(*arguments, "--root", str(tmp_path), *own, capsys=capsys)
        assert "--codebook and --columns: for data of your own; the benchmark gwsd" in message
    message = failure("audit", "security_talks", *own[2:], capsys=capsys)
    assert "--columns: for data of your own; the bundled corpus security_talks" in message
    evaluate = ["evaluate", "--model", "run", "--data", str(tmp_path), "--benchmark", "gwsd"]
    assert main([*evaluate, *own[2:], "--origin", "here"]) == 2
    message = capsys.readouterr().err
    assert "--columns and --origin: for data of your own; the card of the benchmark" in message


@pytest.mark.parametrize("fractions", ["70,30", "70,10,30", "a,b,c", "100,0,0", "110,-5,-5"])
def test_fractions_that_are_none(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], fractions: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["data", "split", *study, "--out", str(tmp_path / "s"), f"--fractions={fractions}"])
    assert caught.value.code == 2
    assert "expected three percentages that sum to 100" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_unknown_field(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    message = failure("audit", *study, "--by", "sorce", capsys=capsys)
    assert "unknown metadata field 'sorce'" in message


def test_leakage_without_its_package(tmp_path: Path, study: list[str]) -> None:
    splits = tmp_path / "s.json"
    assert main(["data", "split", *study, "--out", str(splits)]) == 0
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from framing.cli.main import main\n"
        f"sys.exit(main(['data', 'audit', *{study!r}, '--splits', {str(splits)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'framing[train]'" in done.stderr
    assert "Traceback" not in done.stderr
