"""Made-up rows in the form of the public benchmarks' files, whose own rows stay out of here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

_WORDS = ("good", "bad", "gun", "law", "warm", "cold", "say", "deny")


def _text(k: int) -> str:
    return f"They {_WORDS[k % 8]} it is {_WORDS[(3 * k + 1) % 8]}, number {k}."


def tweeteval_stance(root: Path) -> None:
    """Twelve tweets a target: six to train, three for development, three to test."""
    for folder in ("abortion", "atheism", "climate", "feminist", "hillary"):
        (root / folder).mkdir(parents=True)
        for split, first, n in (("train", 0, 6), ("val", 6, 3), ("test", 9, 3)):
            rows = range(first, first + n)
            texts = "".join(f"{_text(k)} #{folder} \n" for k in rows)
            (root / folder / f"{split}_text.txt").write_text(texts, encoding="utf-8")
            codes = "".join(f"{k % 3}\n" for k in rows)
            (root / folder / f"{split}_labels.txt").write_text(codes, encoding="utf-8")


def newsmtsc(root: Path) -> None:
    """Twenty sentences to train and six in each test file, each with two targets."""
    root.mkdir(parents=True)
    for k, (name, n) in enumerate((("train", 20), ("devtest_rw", 6), ("devtest_mt", 6))):
        rows = [json.dumps(_two_targets(100 * k + i)) for i in range(n)]
        (root / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _two_targets(k: int) -> dict[str, object]:
    text = f"Ann met Bob, and Ann {_WORDS[k % 8]} it, number {k}."
    article = f"allsides_{k // 2}_{k // 2}" if k % 4 < 2 else f"polusa_v1_{k // 2}_-1"
    targets = [
        {
            "Input.gid": f"{article}_{k % 2}_{mention}_{start}_{start + 3}",
            "from": start,
            "to": start + 3,
            "mention": mention,
            "polarity": polarity,
        }
        for mention, start, polarity in (
            ("Bob", 8, (2.0, 4.0, 6.0)[k % 3]),
            ("Ann", 17, (2.0, 4.0, 6.0)[(k + 1) % 3]),
        )
    ]
    return {
        "primary_gid": targets[0]["Input.gid"],
        "sentence_normalized": text,
        "targets": targets,
    }


def gwsd(root: Path) -> None:
    """Thirty sentences, the last six held out, and one screener."""
    root.mkdir(parents=True)
    workers = [f"worker_{k}" for k in range(8)]
    header = ["", "round", "batch", "sent_id", "sentence", *workers]
    header += ["disagree", "agree", "neutral", "guid", "in_held_out_test"]
    rows = ["\t".join(header)]
    codes = ("disagrees", "neutral", "agrees")
    for k in range(31):
        name = "s0" if k == 30 else f"t{k}"
        given = [codes[(k + (w > 5)) % 3] for w in range(8)]
        probabilities = [("0.7" if k % 3 == label else "0.15") for label in (0, 2, 1)]
        consensus = ["", "", ""] if k == 30 else probabilities
        row = [str(k), "1", "0", name, _text(k), *given, *consensus]
        rows.append("\t".join([*row, f"1_0_{name}", str(24 <= k < 30)]))
    (root / "GWSD.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def gvfc(root: Path) -> None:
    """Forty headlines, every other one with a second frame, two of one wording."""
    root.mkdir(parents=True)
    rows = ["id,article_url,headline,Q3 Theme1,Q3 Theme2"]
    for k in range(40):
        second = (k + 1) % 9 + 1 if k % 2 else 99
        site = ("www.north.example", "south.example")[k % 2]
        headline = f'"{_text(0 if k == 27 else k)}"'
        rows.append(f"{k},https://{site}/{k}.html,{headline},{k % 9 + 1},{second}")
    path = root / "GVFC_extension_multimodal.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def unscon(root: Path) -> None:
    """Two speeches of two paragraphs in each of the six debates."""
    root.mkdir(parents=True)
    columns = "file_id,sentence_text,sentence_char_offsets,A0,A2,A3,A4,B1,B2,B3,country"
    rows = [columns]
    debates = [f"UNSC_2014_SPV.{k}" for k in (7138, 7154, 7165, 7219)]
    debates += [f"UNSC_2016_SPV.{k}" for k in (7643, 7658)]
    speakers = ("United_States_Of_AmericaA2", "NAMIBIA_neg")
    files = [
        f"{debate}_spch{k:03}_{speaker}_0{paragraph}.txt"
        for debate in debates
        for k, speaker in enumerate(speakers)
        for paragraph in (1, 0)
    ]
    kinds = (
        "_,_,_,_,_,_,_",
        "Direct_NegEval,Country,-NONE-,ukraine,_,_,_",
        "Indirect_NegEval,UNSC,-NONE-,-NONE-,_,_,_",
        "_,_,_,_,Challenge,Country,russian_federation",
        "Direct_NegEval,Country,-NONE-,egypt,Correction,-NONE-,-NONE-",
    )
    for k, file in enumerate(files):
        for i in range(5):
            text = f'"{_text(5 * k + i)}  "'
            rows.append(f"{file},{text},{100 * i}-{100 * i + 99},{kinds[i]},Elsewhere")
    path = root / "conflict_annotations_sentences.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


#: Benchmark -> writer of a root.
WRITERS: dict[str, Callable[[Path], None]] = {
    "gvfc": gvfc,
    "gwsd": gwsd,
    "newsmtsc": newsmtsc,
    "tweeteval_stance": tweeteval_stance,
    "unscon": unscon,
}


def write_root(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with made-up files, whose hashes are not compared with the card's."""
    WRITERS[name](folder / name)
    monkeypatch.setattr("framing.data.benchmarks.loading.check_files", lambda card, root: None)
    return folder / name
