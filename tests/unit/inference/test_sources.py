from __future__ import annotations

import gzip
import io
import json
import os
import sys
from pathlib import Path

import pytest

from framing.data.columns import ColumnMapping
from framing.data.compression import Meter
from framing.data.page import Page
from framing.data.problems import BadRow
from framing.errors import DataError, OutputError
from framing.inference.sources import (
    SourceSettings,
    _unique,
    decode,
    find_inputs,
    read_inputs,
)
from framing.records import Sentence

PAGE = "The envoys left. Nobody waved.\n\nOpen in App\n\nThe hall was dark by six that night."


def _read(*inputs: object, **settings: object) -> list[Page | Sentence]:
    files = find_inputs(str(i) for i in inputs)
    return list(read_inputs(files, SourceSettings(strict=True, **settings)))  # type: ignore[arg-type]


def _texts(items: list[Page | Sentence]) -> list[str]:
    return [
        sentence.text
        for item in items
        for sentence in (item.sentences if isinstance(item, Page) else [item])
    ]


def _standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)), encoding="latin-1")  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", stream)


def test_an_article_file(tmp_path: Path) -> None:
    file = tmp_path / "talks.txt"
    file.write_text(PAGE)
    (page,) = _read(file)
    assert isinstance(page, Page)
    assert page.doc_id == "talks"
    assert _texts([page]) == [
        "The envoys left.",
        "Nobody waved.",
        "The hall was dark by six that night.",
    ]
    assert "Open in App" in _texts(_read(file, plain=True))


def test_a_file_without_an_ending_is_an_article(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("It did not.")
    assert _texts(_read(tmp_path / "README")) == ["It did not."]


def test_tables_of_sentences(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,doc_id,text,outlet\n1,d,Open in App,X\n2,d,Nobody waved. None.,Y\n")
    first, second = _read(table)
    assert isinstance(first, Sentence)
    assert isinstance(second, Sentence)
    assert (first.text, first.metadata) == ("Open in App", {"outlet": "X"})
    assert (second.text, second.previous) == ("Nobody waved. None.", "Open in App")


def test_rows_that_are_articles(tmp_path: Path) -> None:
    table = tmp_path / "a.jsonl"
    table.write_text(json.dumps({"id": "x", "body": PAGE, "outlet": "X"}) + "\n")
    (page,) = _read(table, segment=True, columns=ColumnMapping(text="body"))
    assert isinstance(page, Page)
    assert [s.id for s in page.sentences] == ["x.0", "x.1", "x.2"]
    assert page.sentences[0].metadata == {"outlet": "X"}


def test_articles_keep_the_document_and_target_of_their_row(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text(
        "id,doc_id,target,text\nx,d1,a tax,One came. Two left.\n,d2,,Three stayed.\n,d2,,So on.\n"
        "y,,,Four.\nz,z,,Five.\n"
    )
    columns: dict[str, None] = {}
    files = find_inputs([str(table)])
    items = read_inputs(files, SourceSettings(segment=True, strict=True), columns=columns)
    pages = [page for page in items if isinstance(page, Page)]
    assert [page.doc_id for page in pages] == ["x", "d2", "d2", "y", "z"]
    found = [s for page in pages for s in page.sentences]
    assert [(s.id, s.doc_id, s.target, dict(s.metadata)) for s in found] == [
        ("x.0", "x", "a tax", {"doc_id": "d1"}),
        ("x.1", "x", "a tax", {"doc_id": "d1"}),
        ("a-2.0", "d2", "", {}),
        ("a-3.0", "d2", "", {}),
        ("y.0", "y", "", {}),
        ("z.0", "z", "", {}),
    ]
    assert list(columns) == ["target", "doc_id"]


def test_places_of_a_row_say_nothing_of_its_article(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("text,position,span,previous\nOne came. Two left.,front,p. 3,Before.\n")
    (page,) = _read(table, segment=True)
    assert isinstance(page, Page)
    assert [(s.position, s.previous) for s in page.sentences] == [(0, ""), (1, "One came.")]
    assert page.sentences[1].metadata == {
        "position": "front",
        "span": "p. 3",
        "previous": "Before.",
    }
    (page,) = _read(table, segment=True, columns=ColumnMapping(position="span"))
    assert isinstance(page, Page)
    assert page.sentences[0].metadata["span"] == "p. 3"


def test_columns_of_tables_are_told_before_their_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("b,text,a,ignored\n,One.,,\n,Two.,x,\n")
    (tmp_path / "b.jsonl").write_text('{"text": "Three.", "c": "x"}\n')
    columns: dict[str, None] = {}
    settings = SourceSettings(columns=ColumnMapping(ignore=("ignored",)))
    items = read_inputs(find_inputs([str(tmp_path)]), settings, columns=columns)
    assert columns == {}
    next(items)
    assert list(columns) == ["b", "a"]
    # Lines of JSON may differ, so that theirs are known from the sentences alone.
    assert len(list(items)) == 2
    assert list(columns) == ["b", "a"]


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.txt").write_text("In a folder.")
    (tmp_path / "x.txt").write_text("Below.")
    (tmp_path / "a.csv").write_text("text\nA row.\n")
    (tmp_path / "picture.png").write_bytes(b"\0")
    (tmp_path / ".hidden.txt").write_text("Hidden.")
    items = _read(tmp_path)
    assert _texts(items) == ["A row.", "In a folder.", "Below."]
    assert [item.doc_id for item in items[1:]] == ["b/x", "x"]


def test_a_folder_with_a_corpus_is_its_sentences(tmp_path: Path) -> None:
    (tmp_path / "sentences.jsonl").write_text('{"id": "1", "text": "A row."}\n')
    (tmp_path / "annotations.jsonl").write_text('{"id": "1", "coder": "A"}\n')
    assert _texts(_read(tmp_path)) == ["A row."]


def test_documents_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text("It did not.")
    items = _read(tmp_path / "a" / "x.txt", tmp_path / "b" / "x.txt")
    assert [item.doc_id for item in items] == ["x", "x-2"]


def test_rows_without_ids_of_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    for name in ("a/x.csv", "b/x.csv", "part.2020.csv", "part.2021.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\nOne.\n")
    ids = [item.id for item in _read(tmp_path) if isinstance(item, Sentence)]
    assert ids == ["a/x-1", "b/x-1", "part.2020-1", "part.2021-1"]
    items = _read(tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv")
    assert [(s.id, s.doc_id) for s in items if isinstance(s, Sentence)] == [
        ("x-1", "x-1"),
        ("x-2-1", "x-2-1"),
    ]
    pages = _read(tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv", segment=True)
    assert [page.doc_id for page in pages if isinstance(page, Page)] == ["x-1", "x-2-1"]


def test_numbers_of_names_are_those_of_a_search_from_two_on() -> None:
    def searched(name: str, taken: set[str]) -> str:
        found, number = name, 1
        while found in taken:
            number += 1
            found = f"{name}-{number}"
        taken.add(found)
        return found

    names = ["x", "x-2", "x", "x", "x-2", "x-2-2", "y-3", "y", "y", "y", "x-2", "x"] * 3
    taken: dict[str, int] = {}
    slow: set[str] = set()
    assert [_unique(name, taken) for name in names] == [searched(name, slow) for name in names]


def test_many_files_of_one_name_are_numbered_in_no_time() -> None:
    class Counting(dict[str, int]):
        looked = 0

        def __contains__(self, key: object) -> bool:
            self.looked += 1
            return super().__contains__(key)

    taken = Counting()
    assert [_unique("x", taken) for _ in range(1000)][-1] == "x-1000"
    assert taken.looked <= 3000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the names of files are text")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"b\xfc")
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("One came.")
    (folder / os.fsdecode(b"caf\xe9.csv")).write_text("text\nTwo left.\nThree,four\n")
    (folder / os.fsdecode(b"z\xe9.txt")).write_bytes(b"caf\xe9")
    (tmp_path / "d.txt").write_text("Five.")
    items = list(read_inputs(find_inputs([str(tmp_path)]), SourceSettings()))
    assert _texts([i for i in items if not isinstance(i, BadRow)]) == [
        "Two left.",
        "One came.",
        "Five.",
    ]
    first, bad, page, unread, _ = items
    assert isinstance(first, Sentence)
    assert first.id == r"b\xfc/caf\xe9-1"
    assert isinstance(page, Page)
    assert page.doc_id == r"b\xfc/caf\xe9"
    assert isinstance(bad, BadRow)
    assert bad.place.file == rf"{tmp_path}/b\xfc/caf\xe9.csv"
    assert isinstance(unread, BadRow)
    assert unread.reason.startswith(rf"{tmp_path}/b\xfc/z\xe9.txt: expected UTF-8")


def test_outputs_are_no_inputs(tmp_path: Path) -> None:
    out, bad = tmp_path / "out.jsonl", tmp_path / "out.jsonl.bad.jsonl"
    for folder, file in (("other.csv.parts", "job.json"), ("out.jsonl.parts", "lock")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
        (tmp_path / folder / "part-000000.jsonl").touch()
    # A folder that is only called so.
    (tmp_path / "spare.parts").mkdir()
    for name in ("a.txt", "spare.parts/b.txt", "out.jsonl", "out.jsonl.bad.jsonl"):
        (tmp_path / name).write_text("It did not.")

    def found(name: Path) -> list[str]:
        files = find_inputs([str(name)], (out, bad))
        return [Path(file.path).relative_to(tmp_path).as_posix() for file in files]

    assert found(tmp_path) == ["a.txt", "spare.parts/b.txt"]
    for pattern in ("*", "**/*"):
        assert found(tmp_path / pattern) == ["a.txt", "spare.parts/b.txt"]
    with pytest.raises(DataError, match="no file or folder fits this pattern"):
        found(tmp_path / "*.parts" / "*.jsonl")
    with pytest.raises(OutputError, match=r"out\.jsonl: is an input and would be written"):
        found(tmp_path / "spare.parts" / ".." / "out.jsonl")
    # Without an output of its own, a finished one is an input.
    assert len(find_inputs([str(tmp_path)])) == 4


def test_places_of_targets_are_checked_where_they_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = ["It rose.,0,2", "It fell.,a,2", "It fell.,3,99", f"It fell.,{'9' * 5000},2", "So.,,"]
    path.write_text("text,target_start,target_end\n" + "".join(f"{row}\n" for row in rows))

    def items(**settings: bool) -> list[object]:
        return list(read_inputs(find_inputs([str(path)]), SourceSettings(**settings)))

    assert not any(isinstance(item, BadRow) for item in items())
    found = items(mark_target=True)
    assert [isinstance(item, BadRow) for item in found] == [False, True, True, True, False]
    bad = found[2]
    assert isinstance(bad, BadRow)
    assert (bad.place.line, "a place in its text, found 3 to 99" in bad.reason) == (4, True)
    assert "It fell." in bad.raw
    article = items(mark_target=True, segment=True)[0]
    assert isinstance(article, BadRow)
    assert "target_start is a place in a sentence, but this row is a whole" in article.reason


def test_standard_input_as_article(monkeypatch: pytest.MonkeyPatch) -> None:
    _standard_input(monkeypatch, "“It did not.” He left.".encode())
    assert _texts(_read("-")) == ["“It did not.”", "He left."]


def test_standard_input_as_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    _standard_input(monkeypatch, b'\n {"text": "One. Two."}\n{"text": "Three."}\n')
    assert _texts(_read("-")) == ["One. Two.", "Three."]


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    _standard_input(monkeypatch, b"")
    with pytest.raises(DataError, match="stdin: expected the text of an article, found nothing"):
        _read("-")


def test_standard_input_of_a_named_format(monkeypatch: pytest.MonkeyPatch) -> None:
    _standard_input(monkeypatch, b"id,text\n1,One came. Two left.\n")
    assert _texts(_read("-", stdin="csv")) == ["One came. Two left."]
    _standard_input(monkeypatch, b"{One} came. Two left.")
    assert _texts(_read("-", stdin="text")) == ["{One} came.", "Two left."]


def test_patterns(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b.txt", "a.txt", "b/c.txt", "a[1].txt"):
        (tmp_path / name).write_text(f"From {name.replace('.', ' ')}.")
    assert _texts(_read(tmp_path / "?.txt")) == ["From a txt.", "From b txt."]
    assert len(_read(tmp_path / "**" / "*.txt")) == 4
    assert _texts(_read(tmp_path / "b*")) == ["From b txt.", "From b/c txt."][::-1]
    assert _texts(_read(tmp_path / "a[1].txt")) == ["From a[1] txt."]
    with pytest.raises(DataError, match=r"x\*: no file or folder fits this pattern"):
        _read(tmp_path / "x*")


@pytest.mark.parametrize("name", ["in", "in/**/*.txt", "in/*"])
def test_links_that_lead_nowhere_are_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.txt").write_text("One.")
    (tmp_path / "in" / "a.txt").symlink_to("gone.txt")
    (tmp_path / "in" / "c.txt").symlink_to("c.txt")
    files = find_inputs([str(tmp_path / name)], [tmp_path / "out.csv"])
    first, page, last = read_inputs(files, SourceSettings())
    assert isinstance(page, Page)
    assert isinstance(first, BadRow)
    assert first.reason.endswith("in/a.txt: cannot read: No such file or directory")
    assert isinstance(last, BadRow)
    assert "in/c.txt: cannot read: Too many" in last.reason


@pytest.mark.parametrize("name", ["in", "in/**/*.txt", "i*/**"])
def test_folders_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    closed = tmp_path / "in" / "more" / "closed"
    for folder in (closed, tmp_path / "in" / ".hidden"):
        folder.mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("One.")
    scandir = os.scandir

    def refusing(path: str) -> object:
        # Tests may run as root, who may read everything.
        if Path(os.fspath(path)).name in (closed.name, ".hidden"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"more/closed: cannot read: Permission denied$"):
        find_inputs([str(tmp_path / name)])


def test_files_named_twice_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("One.")
    (tmp_path / "b.txt").symlink_to("a.txt")
    monkeypatch.chdir(tmp_path)
    for names in (["a.txt", "./a.txt"], [".", str(tmp_path / "a.txt")], ["a*", "*.txt"]):
        with pytest.raises(DataError, match=r"a\.txt: is named twice, .*; name it once"):
            find_inputs(names)
    with pytest.raises(DataError, match=r"^-: is named twice"):
        find_inputs(["-", "-"])
    assert [file.path for file in find_inputs(["a.txt", "b.txt"])] == ["a.txt", "b.txt"]


def test_compressed_articles(tmp_path: Path) -> None:
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(b"One came. Two left."))
    (page,) = _read(tmp_path / "x.txt.gz")
    assert (page.doc_id, len(_texts([page]))) == ("x", 2)
    (tmp_path / "x.txt.gz").write_bytes(b"One")
    with pytest.raises(DataError, match=r"x\.txt\.gz: not a whole gzip file"):
        _read(tmp_path)


def test_what_cannot_be_read_stands_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    (tmp_path / "b.csv").write_text("text\nOne.\nTwo,two.\n")
    (tmp_path / "c.csv").write_text("body\nOne.\n")
    (tmp_path / "d.parquet").write_bytes(b"no")
    (tmp_path / "e.txt").write_text("Three.")
    meter = Meter()
    items = list(read_inputs(find_inputs([str(tmp_path)]), SourceSettings(), meter))
    assert _texts([item for item in items if not isinstance(item, BadRow)]) == ["One.", "Three."]
    bad = [(Path(i.place.file).name, i.place.row) for i in items if isinstance(i, BadRow)]
    assert bad == [("a.txt", 0), ("b.csv", 2), ("c.csv", 0), ("d.parquet", 0)]
    assert meter.position == sum(path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b" \n", r"a\.txt: expected the text of an article, found nothing"),
        ("a.txt", b"caf\xe9", r"found byte 0xe9 at offset 3; save the file as UTF-8"),
        ("a.txt", "x".encode("utf-16"), r"expected UTF-8, found UTF-16"),
        ("a.txt", b"%PDF\0", r"found a zero byte at offset 4; save the article as plain text"),
        ("a.docx", b"x", r"unknown format '\.docx'; known: \.txt"),
        ("a.jsonl", b'{"text": "x"}\n{"text\n', r"a\.jsonl:2"),
        ("a.csv", b"id,body\n1,x\n", r"no column text \(or sentence\) here; found: id, body"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        _read(tmp_path / name)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        _read(tmp_path / "none.txt")
    with pytest.raises(DataError, match=r"expected files that end in \.txt"):
        _read(tmp_path)
    with pytest.raises(DataError, match="cannot read: File name too long"):
        _read("The text itself. " * 20)


def test_an_unknown_text_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,body\n1,x\n")
    with pytest.raises(DataError, match=r"unknown column 'bodi'; known: id, body. Did you mean"):
        _read(tmp_path / "a.csv", columns=ColumnMapping(text="bodi"))


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode("\ufeffIt did not.".encode(), "x") == "It did not."


def test_files_that_only_begin_as_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "sentences.2024.jsonl").write_text('{"text": "One."}\n', encoding="utf-8")
    (tmp_path / "sentences.d").mkdir()
    (tmp_path / "sentences.txt").write_text("Two.\n", encoding="utf-8")
    assert len(find_inputs([str(tmp_path)])) == 2
    (tmp_path / "sentences.csv").write_text("text\nThree.\n", encoding="utf-8")
    (found,) = find_inputs([str(tmp_path)])
    assert found.path.endswith("sentences.csv")


@pytest.mark.parametrize(
    ("name", "ending"), [("x.json.gz", ".json.gz"), ("x.tar.xz", ".tar.xz"), ("x.pdf", ".pdf")]
)
def test_unknown_formats_are_told_whole(tmp_path: Path, name: str, ending: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=f"unknown format '{ending}'"):
        find_inputs([str(tmp_path / name)])


def test_json_in_a_file_without_an_ending_is_no_article(tmp_path: Path) -> None:
    (tmp_path / "fd63").write_text('\n {"text": "One."}\n', encoding="utf-8")
    (bad,) = read_inputs(find_inputs([str(tmp_path / "fd63")]), SourceSettings())
    assert isinstance(bad, BadRow)
    assert "found JSON; call it .jsonl, or pass it through standard input" in bad.reason


def test_how_much_comes_through_a_pipe_is_not_known(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jsonl")
    (found,) = find_inputs([str(tmp_path / "x.jsonl")])
    assert found.size is None
