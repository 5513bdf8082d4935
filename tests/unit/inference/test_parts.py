from __future__ import annotations

import io
from pathlib import Path

import pytest

from framing.errors import DataError
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from framing.inference.parts import (
    InputPart,
    label_part,
    read_bad,
    read_parts,
    read_summary,
    total,
)
from framing.inference.sources import SourceSettings, find_inputs

PAGE = "The envoys left. Nobody waved.\n\nOpen in App\n\nThe hall was dark by six that night."
LINES = [
    '{"text": "Inflation."}',
    "{",
    '{"text": "Jobs.", "n": 1}',
    '{"text": ""}',
    '{"text": "a"}',
]


def _parts(folder: Path, lines: list[str], size: int, **settings: object) -> list[InputPart]:
    path = folder / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    chosen = SourceSettings(**settings)  # type: ignore[arg-type]
    return list(read_parts(find_inputs([str(path)]), chosen, size))


def test_parts_have_a_fixed_number_of_rows(tmp_path: Path) -> None:
    parts = _parts(tmp_path, LINES, 2)
    assert [(p.number, len(p.sentences), len(p.bad)) for p in parts] == [
        (0, 1, 1),
        (1, 1, 1),
        (2, 1, 0),
    ]
    assert parts[0].bad[0].place.line == 2
    assert parts[1].bad[0].reason == "column 'text': expected a sentence, found nothing"
    assert [len(p.sentences) for p in _parts(tmp_path, ['{"text": "a"}'] * 4, 2)] == [2, 2]
    assert 0 < parts[0].position <= parts[2].position


def test_articles_go_on_in_the_next_part(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(PAGE)
    (tmp_path / "y.txt").write_text("Four came.")
    parts = list(read_parts(find_inputs([str(tmp_path)]), SourceSettings(), 2))
    assert [[s.id for s in p.sentences] for p in parts] == [["x.0", "x.1"], ["x.2", "y.0"]]
    assert [p.left_out for p in parts] == [1, 0]
    assert parts[1].sentences[0].previous == "Nobody waved."
    assert [page.doc_id for p in parts for page in p.pages] == ["x", "y"]


def test_content_can_be_sent_and_read_again(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("One came. “Two” left.")
    (part,) = read_parts(find_inputs([str(tmp_path / "x.txt")]), SourceSettings())
    again = InputPart.from_content(part.content)
    assert again.sentences == part.sentences
    assert again.digest == part.digest
    bad = _parts(tmp_path, LINES, 10)[0]
    assert InputPart.from_content(bad.content).bad == bad.bad


def test_the_digest_tells_any_change(tmp_path: Path) -> None:
    before = _parts(tmp_path, LINES, 10)[0].digest
    assert _parts(tmp_path, LINES, 10)[0].digest == before
    for k, line in enumerate(LINES):
        changed = [*LINES[:k], line.replace("a", "b") + " ", *LINES[k + 1 :]]
        assert (_parts(tmp_path, changed, 10)[0].digest == before) == ("a" not in line and k != 1)


def test_a_first_part_of_bad_rows_only_stops(tmp_path: Path) -> None:
    message = r"a\.jsonl:1: no column text .*found: body(.|\n)*nor can any of the 2 rows be read"
    with pytest.raises(DataError, match=message):
        _parts(tmp_path, ['{"body": "x"}'] * 3, 5)
    assert len(_parts(tmp_path, ['{"text": "x"}', *['{"body": "x"}'] * 5], 2)) == 3


def test_strict_stops_at_the_first_bad_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:2: not JSON"):
        _parts(tmp_path, LINES, 2, strict=True)


def test_labelled_parts(tmp_path: Path, tiny_bundle: Path) -> None:
    labeller = Labeller(load_bundle(tiny_bundle))
    part = _parts(tmp_path, LINES, 10)[0]
    file = io.StringIO(label_part(labeller, part), newline="\n")
    summary = read_summary(file)
    assert (summary.digest, summary.columns) == (part.digest, ("n",))
    assert (summary.sentences, summary.bad_rows, summary.bad_files) == (3, 2, 0)
    assert summary.labels["topics"] == {"prices": 1}
    assert summary.labels["speaker"] == {"government": 3}
    assert len(read_bad(file, summary).splitlines()) == 2
    assert len(file.read().splitlines()) == 3
    both = total([summary, summary])
    assert (both.sentences, both.bad_rows, both.columns) == (6, 4, ("n",))
    assert both.labels["speaker"] == {"government": 6}


def test_columns_do_not_depend_on_what_is_filled(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("b,text,target,a\n,One.,,\n,Two.,,x\nx,Three.,,\n")
    (tmp_path / "b.jsonl").write_text('{"text": "Four.", "c": "x", "a": "x", "d": ""}\n')
    parts = list(read_parts(find_inputs([str(tmp_path)]), SourceSettings(), 2))
    assert [part.columns for part in parts] == [("b", "target", "a"), ("b", "c", "a")]
    again = InputPart.from_content(parts[0].content)
    assert (again.columns, again.digest) == (parts[0].columns, parts[0].digest)
    # A part that goes on with a table has what its own rows have; those before it have the rest.
    (tmp_path / "b.jsonl").unlink()
    digests = set()
    for header in ("b,text,target,a", "b,text,target,other"):
        (tmp_path / "c.csv").write_text(f"{header}\n,One.,,\n")
        (part,) = read_parts(find_inputs([str(tmp_path / "c.csv")]), SourceSettings())
        digests.add(part.digest)
    assert len(digests) == 2
