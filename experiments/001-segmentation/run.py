"""Compare sentence splitters; see README.md.

python experiments/001-segmentation/run.py [REAL_SENTENCES.jsonl]
"""

from __future__ import annotations

import importlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parents[1] / "framing" / "corpora" / "security_talks" / "sentences.jsonl"
MARK = " | "

Spans = list[tuple[int, int]]
Splitter = Callable[[str], Spans]


@dataclass(frozen=True)
class Text:
    """Sentences joined with blanks, and where each ends."""

    text: str
    ends: frozenset[int]


def joined(sentences: list[str]) -> Text:
    """Join sentences; the last end is left out, since every splitter finds it."""
    ends, position = [], 0
    for sentence in sentences:
        ends.append(position + len(sentence))
        position += len(sentence) + 1
    return Text(" ".join(sentences), frozenset(ends[:-1]))


def tricky_cases() -> list[Text]:
    """Our own hard cases, one a line, sentences parted by ``|``."""
    lines = (HERE / "cases.txt").read_text(encoding="utf-8").splitlines()
    return [joined(line.split(MARK)) for line in lines if line and not line.startswith("#")]


def documents(path: Path) -> list[Text]:
    """Runs of consecutive sentences of each document."""
    runs: list[list[str]] = []
    before: tuple[str, int] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        here = (row["doc_id"], row["position"])
        if before is None or here != (before[0], before[1] + 1):
            runs.append([row["previous"]] if row.get("previous") else [])
        runs[-1].append(row["text"])
        before = here
    return [joined(run) for run in runs if len(run) > 1]


def stripped(text: str, spans: Spans) -> Spans:
    """Spans without blanks at either end."""
    out = []
    for start, end in spans:
        piece = text[start:end]
        if piece.strip():
            out.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
    return out


def _pysbd() -> Splitter:
    segmenter = importlib.import_module("pysbd").Segmenter(
        language="en", clean=False, char_span=True
    )
    return lambda text: [(s.start, s.end) for s in segmenter.segment(text)]


def _nupunkt() -> Splitter:
    return importlib.import_module("nupunkt").sent_spans


def _syntok() -> Splitter:
    analyze = importlib.import_module("syntok.segmenter").analyze

    def split(text: str) -> Spans:
        sentences = (s for paragraph in analyze(text) for s in paragraph)
        return [(s[0].offset, s[-1].offset + len(s[-1].value)) for s in sentences]

    return split


def _sentencex() -> Splitter:
    boundaries = importlib.import_module("sentencex").get_sentence_boundaries

    def split(text: str) -> Spans:
        return [(b["start_index"], b["end_index"]) for b in boundaries("en", text)]

    return split


def _framing() -> Splitter:
    return importlib.import_module("framing.data.segmentation").split_sentences


SPLITTERS: dict[str, Callable[[], Splitter]] = {
    "pysbd": _pysbd,
    "nupunkt": _nupunkt,
    "syntok": _syntok,
    "sentencex": _sentencex,
    "framing": _framing,
}


def scored(split: Splitter, texts: list[Text]) -> dict[str, float]:
    """Precision, recall and F1 of inner boundaries; share of texts without any mistake."""
    hit = found = true = whole = 0
    for item in texts:
        ends = {end for _, end in stripped(item.text, split(item.text))} - {len(item.text)}
        hit += len(ends & item.ends)
        found += len(ends)
        true += len(item.ends)
        whole += ends == item.ends
    precision, recall = hit / max(found, 1), hit / max(true, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    values = {"precision": precision, "recall": recall, "f1": f1, "whole": whole / len(texts)}
    return {name: round(value, 4) for name, value in values.items()}


def speed(split: Splitter, texts: list[Text]) -> float:
    """Thousand characters a second, each text seen once: some splitters remember texts."""
    split("A first sentence. A second.")
    start = time.perf_counter()
    for item in texts:
        # Without this a splitter that answers lazily would be timed doing nothing.
        len(split(item.text))
    return round(sum(len(t.text) for t in texts) / (time.perf_counter() - start) / 1000, 1)


def first_use(name: str) -> float:
    """Seconds from import to the first result, in a process of its own; median of five."""
    code = (
        "import sys,time; sys.path.insert(0, sys.argv[1]); t=time.perf_counter(); import run; "
        "b=time.perf_counter(); run.SPLITTERS[sys.argv[2]]()('One. Two.'); "
        "print(time.perf_counter()-b)"
    )
    command = [sys.executable, "-c", code, str(HERE), name]
    times = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    return round(sorted(times)[2], 3)


def size(package: str) -> int:
    """Installed size in kB, without caches."""
    files = metadata.files(package) or []
    sizes = [f.locate().stat().st_size for f in files if "__pycache__" not in str(f)]
    return round(sum(sizes) / 1000)


def offsets_hold(split: Splitter, texts: list[Text]) -> bool:
    """Whether spans are in order, apart, and leave out blanks only."""
    for item in texts:
        at = 0
        for start, end in stripped(item.text, split(item.text)):
            if start < at or item.text[at:start].strip():
                return False
            at = end
        if item.text[at:].strip():
            return False
    return True


def measured(name: str, sets: dict[str, list[Text]]) -> Iterator[tuple[str, Any]]:
    """Every figure of one splitter."""
    split = SPLITTERS[name]()
    package = name
    yield "version", metadata.version(package)
    yield "installed_kB", size(package) if package != "framing" else None
    yield "first_use_s", first_use(name)
    sample = random.Random(0).sample(sets["corpus"], 120)  # noqa: S311
    yield "thousand_characters_per_s", speed(split, sample)
    yield "offsets_hold", offsets_hold(split, [t for texts in sets.values() for t in texts])
    for key, texts in sets.items():
        yield key, scored(split, texts)


def main() -> None:
    """Measure and write scores.json."""
    sets = {"cases": tricky_cases(), "corpus": documents(CORPUS)}
    if len(sys.argv) > 1:
        sets["real"] = documents(Path(sys.argv[1]))
    counts = {
        key: {"texts": len(texts), "boundaries": sum(len(t.ends) for t in texts)}
        for key, texts in sets.items()
    }
    scores = {"sets": counts, "splitters": {n: dict(measured(n, sets)) for n in SPLITTERS}}
    (HERE / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(scores, indent=1))


if __name__ == "__main__":
    main()
