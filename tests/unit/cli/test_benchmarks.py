from __future__ import annotations

from pathlib import Path

import pytest

from framing.cli.main import main
from framing.corpora import BENCHMARKS, BUNDLED
from framing.data.benchmarks import load_card
from tests.benchmarks import write_root


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    for name in (*BUNDLED, *BENCHMARKS):
        assert f"\n  {name} " in text


@pytest.mark.parametrize("name", BENCHMARKS)
def test_show(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    card = load_card(name)
    assert main(["data", "show", name]) == 0
    text = capsys.readouterr().out
    plain = " ".join(text.split())
    for part in (card.licence, card.splits.protocol, *card.limits, card.commit):
        assert " ".join(part.split()) in plain.replace("- ", "-") or part in plain
    for file in card.files:
        assert f"{file.sha256}  {file.path}" in text


def test_check_compares_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_root("gwsd", tmp_path, monkeypatch)
    assert main(["data", "check", "gwsd", "--root", str(root)]) == 2
    message = capsys.readouterr().err
    assert "other counts than the card's" in message
    assert "sentences: expected 2,050, found 30" in message


def test_check_says_how_to_get_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", "gwsd", "--root", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "GWSD.tsv: expected a file of 2,300 rows, found none" in message
    assert f"Get them: {load_card('gwsd').repository}" in message


def test_audit_of_a_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_root("gwsd", tmp_path, monkeypatch)
    assert main(["data", "audit", "gwsd", "--root", str(root), "--by", "round"]) == 0
    text = capsys.readouterr().out
    assert "coded by 8: 30 sentences" in text
    assert "held" not in text
    assert "Splits" in text
    assert "F1 worker" not in text
