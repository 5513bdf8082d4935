from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import lzma
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framing.data.compression import Meter
from framing.data.problems import BadRow
from framing.data.tables import Row, iter_rows, read_rows, source_stem
from framing.errors import DataError, DependencyError


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def values(path: Path) -> list[dict[str, object]]:
    return [dict(row.values) for row in iter_rows(path)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_delimited(tmp_path: Path, ending: str, delimiter: str, newline: str) -> None:
    lines = ["id;text", 'a;"One; two"";', 'three."', "", "b;Four"]
    text = newline.join(lines).replace(";", delimiter)
    rows = list(iter_rows(write(tmp_path / f"x.{ending}", "\ufeff" + text)))
    assert [r.values["id"] for r in rows] == ["a", "b"]
    assert rows[0].values["text"] == f'One{delimiter} two"{delimiter}{newline}three.'
    assert [(r.place.row, r.place.line) for r in rows] == [(1, 2), (2, 5)]
    assert str(rows[1].place).endswith(f"x.{ending}:5")


def test_index_column_without_name_is_dropped(tmp_path: Path) -> None:
    assert values(write(tmp_path / "x.csv", ",text\n0,One\n")) == [{"text": "One"}]


def test_very_long_field(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "text\n" + "a" * 300_000 + "\n")
    assert len(str(values(path)[0]["text"])) == 300_000


def test_ragged_row_names_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'id,text\na,"One\ntwo"\nb,Three,four\n')
    message = r"x\.csv:4: expected 2 cells as in the header, found 3, divided by commas;"
    with pytest.raises(DataError, match=message):
        values(path)
    write(path, "id;text\na\n")
    with pytest.raises(DataError, match="found 1, divided by semicolons"):
        values(path)
    with pytest.raises(DataError, match="found 1, divided by tabs"):
        values(write(tmp_path / "x.tsv", "id\ttext\na\n"))


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ('id;text;"Note (K, D, O, X)"', ["id", "text", "Note (K, D, O, X)"]),
        ('"Note ""K, D, O"" (X, Y)";text', ['Note "K, D, O" (X, Y)', "text"]),
        ('id,text,"a;b;c;d"', ["id", "text", "a;b;c;d"]),
        # A mark within a cell that is not quoted is a mark.
        ('5" screen;text', ['5" screen', "text"]),
        ('id;"Note\n(K, D, O)";text', ["id", "Note\n(K, D, O)", "text"]),
    ],
)
def test_delimiters_within_quotation_marks_do_not_divide(
    tmp_path: Path, header: str, columns: list[str]
) -> None:
    delimiter = "," if header.startswith("id,") else ";"
    row = delimiter.join("x" for _ in columns)
    (found,) = values(write(tmp_path / "x.csv", f"{header}\n{row}\n"))
    assert list(found) == columns


def test_unclosed_quotation_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'id,text\na,One\nb,"Two\nc,Three\n')
    with pytest.raises(DataError, match=r"x\.csv:3: broken row: .*must be doubled"):
        values(path)


def _lines_of(rows: list[Row | BadRow]) -> tuple[list[object], list[tuple[int | None, str]]]:
    sound = [row.values["id"] for row in rows if isinstance(row, Row)]
    return sound, [(row.place.line, row.raw) for row in rows if isinstance(row, BadRow)]


def test_an_unclosed_quotation_mark_costs_one_line(tmp_path: Path) -> None:
    rest = "".join(f"{k},It rose.\n" for k in range(50))
    for end in ("", 'z,"closed"\n'):
        path = write(tmp_path / "x.csv", f'id,text\na,One\nb,"Two\n{rest}c,Caf\xe9\n{end}')
        rows = list(read_rows(path))
        sound, bad = _lines_of(rows)
        assert sound == ["a", *map(str, range(50)), "c", *(["z"] if end else [])]
        assert bad == [(3, 'b,"Two')]
        assert [row.place.row for row in rows] == list(range(1, len(rows) + 1))
        assert [row.place.line for row in rows] == list(range(2, len(rows) + 2))
    reason = next(row.reason for row in rows if isinstance(row, BadRow))
    assert "every opened one closed. The row seemed to go on for 52 lines more; only its" in reason


def test_an_unclosed_quotation_mark_before_a_bad_byte(tmp_path: Path) -> None:
    rows = list(read_rows(write(tmp_path / "x.csv", b'id,text\na,"One\nb,Caf\xe9\nc,Three\n')))
    assert _lines_of(rows) == (["c"], [(2, 'a,"One'), (3, "b,Caf\ufffd")])
    reasons = [row.reason for row in rows if isinstance(row, BadRow)]
    assert "expected UTF-8, found byte 0xe9 at offset 20" in reasons[1]


def test_lines_are_not_read_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line opens a quotation mark that the end of the file alone closes."""
    monkeypatch.setattr("framing.data.tables._LONGEST_ROW", 1000)
    text = "id,text\n" + "".join(f'{k}","It rose.\n' for k in range(10_000))
    rows = list(read_rows(write(tmp_path / "x.csv", text)))
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert len(bad) == len(rows) < 10_000
    assert "row larger than the limit (1000)" in bad[0].reason
    taken = [row for row in bad if "Left out with it: " in row.reason]
    assert 0 < len(taken) < len(bad)
    assert sum(row.raw.count("\n") + 1 for row in bad) == 10_000
    assert max(len(row.raw) for row in bad) < 1100


def test_a_row_of_too_many_cells_tells_its_lines(tmp_path: Path) -> None:
    (bad,) = read_rows(write(tmp_path / "x.csv", 'id,text\na,"One\ntwo",three\n'))
    assert isinstance(bad, BadRow)
    assert "expected 2 cells as in the header, found 3 in 2 lines, divided" in bad.reason


def test_column_that_stands_twice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv:1: column 'id' stands twice"):
        values(write(tmp_path / "x.csv", "id,id\na,b\n"))


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl"])
@pytest.mark.parametrize("text", ["", "\n"])
def test_empty_file(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(DataError, match=f"{name}: expected at least one row, found none"):
        values(write(tmp_path / name, text))


def test_header_only(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least one row, found none"):
        values(write(tmp_path / "x.csv", "id,text\n"))


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_other_encoding_names_byte_and_line(tmp_path: Path, name: str) -> None:
    data = "id,text\na,Fine\nb,Caf\xe9\n".encode("latin-1")
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    message = r"x\.csv(\.gz)?:3: expected UTF-8, found byte 0xe9 at offset 20; save the file as"
    with pytest.raises(DataError, match=message):
        values(path)


def test_utf16_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,text\na,Fine\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"x\.csv:1: expected UTF-8, found byte 0xff at offset 0"):
        values(path)


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "One"}\n'))
    assert values(path) == [{"text": "One"}]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="not a whole gzip file"):
        values(path)
    path.write_bytes(b"{}")
    with pytest.raises(DataError, match="not a whole gzip file"):
        values(path)


def test_json_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '\ufeff{"a": 1}\r\n\r\n{"b": ["x\u2028y"]}')
    rows = list(iter_rows(path))
    assert [dict(r.values) for r in rows] == [{"a": 1}, {"b": ["x\u2028y"]}]
    assert rows[1].place.line == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": }', r"x\.jsonl:2: not JSON: Expecting value at character 7"),
        ("[1]", r"x\.jsonl:2: expected an object .* found list"),
        ('{"a": "\\ud83d"}', r"x\.jsonl:2: holds half of a character"),
        ("[" * 100_000, r"x\.jsonl:2: not usable JSON: nested too deeply"),
        ('{"n": ' + "9" * 5000 + "}", r"x\.jsonl:2: not usable JSON: a number of too many digits"),
    ],
)
def test_broken_json_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        values(write(tmp_path / "x.jsonl", '{"a": "\\ud83d\\ude00"}\n' + line))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO('{"text": "Café"}\n'.encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw, encoding="ascii"))
    assert [dict(r.values) for r in iter_rows(Path("-"))] == [{"text": "Café"}]
    assert not raw.closed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="ascii"))
    with pytest.raises(DataError, match="stdin:1: expected UTF-8, found byte 0xff at offset 0"):
        list(iter_rows(Path("-")))


def test_open_text() -> None:
    rows = list(iter_rows(io.StringIO('{"text": "One"}\n')))
    assert [str(r.place) for r in rows] == ["stdin:1"]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"text": [f"t{k}" for k in range(5000)], "n": list(range(5000))})
    pq.write_table(table, path)
    rows = list(iter_rows(path))
    assert len(rows) == 5000
    assert dict(rows[4999].values) == {"text": "t4999", "n": 4999}
    assert str(rows[4999].place).endswith("x.parquet, row 5000")
    path.write_bytes(b"no parquet here")
    with pytest.raises(DataError, match=r"x\.parquet: not a readable Parquet file"):
        values(path)


def test_parquet_cells_that_python_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    offsets, text = pa.array([0, 3, 6, 10], pa.int32()), pa.py_buffer(b"OneTwoCaf\xe9")
    strings = pa.StringArray.from_buffers(3, offsets.buffers()[1], text)
    days = pa.array([0, 2**31 - 1, 1], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"text": strings, "day": days}), path)
    first, second, third = read_rows(path)
    assert isinstance(first, Row)
    assert dict(first.values) == {"text": "One", "day": datetime.date(1970, 1, 1)}
    assert isinstance(second, BadRow)
    assert second.reason.startswith("column 'day': holds what cannot be read: ")
    assert (str(second.place), second.raw) == (f"{path}, row 2", '{"text": "Two"}')
    assert isinstance(third, BadRow)
    assert third.reason.startswith("column 'text': holds what cannot be read: 'utf-8' codec")


def test_nanoseconds_are_read_without_pandas(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    kinds = {
        "at": pa.timestamp("ns"),
        "took": pa.duration("ns"),
        "time": pa.time64("ns"),
    }
    pq.write_table(
        pa.table({name: pa.array([1_234_567], kind) for name, kind in kinds.items()}), path
    )
    code = (
        "import sys; from pathlib import Path; from framing.data.tables import iter_rows; "
        "(row,) = iter_rows(Path(sys.argv[1])); "
        "print('pandas' in sys.modules, *row.values.values())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split(" ", 1) == [
        "False",
        "1970-01-01 00:00:00.001234 0:00:00.001234 00:00:00.001234\n",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the names of files are text")
@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"caf\xe9.jsonl", b"caf\xe9.parquet"])
def test_names_that_are_not_utf8(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    if path.suffix == ".parquet":
        plain = tmp_path / "x.parquet"
        pq.write_table(pa.table({"text": ["One"]}), plain)
        plain.rename(path)
    else:
        write(path, "text\nOne\n" if path.suffix == ".csv" else '{"text": "One"}\n')
    (row,) = iter_rows(path)
    assert row.values["text"] == "One"
    assert Path(row.place.file).stem == r"caf\xe9"
    assert source_stem(path) == r"caf\xe9"


def test_saved_dataset_with_class_names(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "speaker": datasets.ClassLabel(names=["government", "opposition"]),
        }
    )
    part = datasets.Dataset.from_dict(
        {"text": ["One", "Two"], "speaker": [1, -1]}, features=features
    )
    part.save_to_disk(tmp_path / "one")
    assert values(tmp_path / "one") == [
        {"text": "One", "speaker": "opposition"},
        {"text": "Two", "speaker": None},
    ]
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(tmp_path / "two")
    assert [r["split"] for r in values(tmp_path / "two")] == ["train", "train", "test", "test"]


def test_saved_dataset_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "dataset_info.json", "{}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DependencyError, match=r"pip install 'framing\[train\]'"):
        values(tmp_path)


def test_wrong_paths(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"y\.csv: no such file"):
        values(tmp_path / "y.csv")
    with pytest.raises(DataError, match=r"unknown format '\.xlsx'; known: \.csv, \.tsv"):
        values(write(tmp_path / "x.xlsx", "x"))
    with pytest.raises(DataError, match="found another folder"):
        values(tmp_path)


def test_csv_oracle(tmp_path: Path) -> None:
    rows = [["id", "text"], ["1", 'a "b", c'], ["2", "x\ny"], ["3", ""]]
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    assert [list(r.values()) for r in values(tmp_path / "x.csv")] == rows[1:]


def _zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data).to_pybytes()


@pytest.mark.parametrize(
    ("ending", "compress", "name"),
    [
        (".gz", gzip.compress, "gzip"),
        (".bz2", bz2.compress, "bzip2"),
        (".xz", lzma.compress, "xz"),
        (".zst", _zstd, "zstd"),
    ],
)
def test_compressed(
    tmp_path: Path, ending: str, compress: Callable[[bytes], bytes], name: str
) -> None:
    csv_data = b"id,text\n" + b"".join(b"%d,One more\n" % k for k in range(3000))
    path = write(tmp_path / f"x.csv{ending}", compress(csv_data))
    meter = Meter()
    rows = list(read_rows(path, meter))
    assert [r.values["id"] for r in rows if isinstance(r, Row)] == [str(k) for k in range(3000)]
    meter.finish(path.stat().st_size)
    assert meter.position == path.stat().st_size
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=rf"x\.csv\{ending}: not a whole {name} file: .*get it"):
        values(path)
    path.write_bytes(b"{}")
    with pytest.raises(DataError, match=rf"not a whole {name} file"):
        values(path)


def test_parts_of_a_compressed_file(tmp_path: Path) -> None:
    """Tools that compress in parallel, and `cat`, write files of several members."""
    for ending, compress in ((".gz", gzip.compress), (".bz2", bz2.compress), (".zst", _zstd)):
        data = compress(b'{"a": 1}\n') + compress(b'{"a": 2}\n')
        assert values(write(tmp_path / f"x.jsonl{ending}", data)) == [{"a": 1}, {"a": 2}]


def test_bad_rows_do_not_end_a_csv(tmp_path: Path) -> None:
    data = b'id,text\na,One\nb,Caf\xe9\nc\nd,"x"y\n\ne,"Two\nlines"\nf,Three,four\ng,Five\n'
    rows = list(read_rows(write(tmp_path / "x.csv", data)))
    sound = [r.values["id"] for r in rows if isinstance(r, Row)]
    assert sound == ["a", "e", "g"]
    bad = [(r.place.row, r.place.line, r.raw) for r in rows if isinstance(r, BadRow)]
    assert bad == [(2, 3, "b,Caf\ufffd"), (3, 4, "c"), (4, 5, 'd,"x"y'), (6, 9, "f,Three,four")]
    assert [r.place.row for r in rows] == [1, 2, 3, 4, 5, 6, 7]


def test_bad_rows_do_not_end_json_lines(tmp_path: Path) -> None:
    data = b'{"a": 1}\n{"a": "\xe9"}\n{\n\n[]\n{"a": 2}\n'
    rows = list(read_rows(write(tmp_path / "x.jsonl", data)))
    assert [dict(r.values) for r in rows if isinstance(r, Row)] == [{"a": 1}, {"a": 2}]
    reasons = [str(r.error()) for r in rows if isinstance(r, BadRow)]
    assert f"{tmp_path}/x.jsonl:2: expected UTF-8, found byte 0xe9 at offset 16;" in reasons[0]
    assert [r.place.line for r in rows if isinstance(r, BadRow)] == [2, 3, 5]


def test_delimited_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id;text\n1;One\n2\n")))
    rows = list(read_rows(Path("-"), ending=".csv"))
    assert [str(r.place) for r in rows] == ["stdin:2", "stdin:3"]
    assert isinstance(rows[1], BadRow)


def test_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    arrays = [pa.array(["One"]), pa.array(["Two"])]
    pq.write_table(pa.Table.from_arrays(arrays, names=["text", "text"]), path)
    with pytest.raises(DataError, match=r"x\.parquet: column 'text' stands twice; rename one"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("dataset_info.json", b"{", "JSONDecodeError"),
        ("dataset_info.json", b"[]", "AttributeError"),
        ("state.json", b"{}", "KeyError: '_data_files'"),
        ("data-00000-of-00001.arrow", None, "OSError: Expected to be able to read"),
    ],
)
def test_damaged_folders_of_datasets(
    tmp_path: Path, file: str, content: bytes | None, message: str
) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    datasets.Dataset.from_dict({"text": [f"One {k}." for k in range(500)]}).save_to_disk(folder)
    damaged = folder / file
    damaged.write_bytes(damaged.read_bytes()[:4000] if content is None else content)
    with pytest.raises(DataError, match=f"set: not a readable folder of `datasets`: {message}"):
        list(iter_rows(folder))


def test_blank_lines_before_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "\ufeff\n \r\nid;text\na;One\n")
    (row,) = iter_rows(path)
    assert row.values == {"id": "a", "text": "One"}
    assert row.place.line == 4


def test_memory_does_not_grow_with_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    # 24 MB that compress to nothing less, in groups of half a MB.
    texts = [os.urandom(500).hex() for _ in range(24_000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=500, compression="none")
    # Arrow reads an open file through bytes of Python.
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == len(texts)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 15e6


def test_nanoseconds_and_bytes_within_other_values(tmp_path: Path) -> None:
    # For a time zone Arrow would load pandas too, but can do without.
    moment = pa.timestamp("ns")
    columns = {
        "text": pa.array(["One"]),
        "times": pa.array([[1_000]], pa.list_(moment)),
        "pair": pa.array([[1_000, 2_000]], pa.list_(pa.time64("ns"), 2)),
        "where": pa.array([{"at": [7_000]}], pa.struct([("at", pa.large_list(moment))])),
        "took": pa.array([[("a", 3_000)]], pa.map_(pa.string(), pa.duration("ns"))),
        "names": pa.array([["\u00e4".encode()]], pa.list_(pa.binary())),
    }
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from framing.data.readers import iter_sentences\n"
        "(s,) = iter_sentences(Path(sys.argv[1]))\n"
        "print(s.metadata['names'], s.metadata['times'], s.metadata['where'], sep='|')\n"
        "assert 'pandas' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    )
    names, times, where = done.stdout.strip().split("|")
    assert names == '["\u00e4"]'
    assert times == '["1970-01-01 00:00:00.000001"]'
    assert where == '{"at": ["1970-01-01 00:00:00.000007"]}'


def test_a_pipe_of_many_rows(tmp_path: Path) -> None:
    pipe = tmp_path / "x.jsonl"
    os.mkfifo(pipe)
    rows = "".join(f'{{"text": "row {k}"}}\n' for k in range(5_000))
    code = "import sys; text = sys.stdin.read(); open(sys.argv[1], 'w').write(text)"
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(pipe)], stdin=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    writer.stdin.write(rows)
    writer.stdin.close()
    meter = Meter()
    found = []
    for row in read_rows(pipe, meter):
        found.append(row)
        assert meter.position == 0
    assert writer.wait() == 0
    assert len(found) == 5_000


def test_a_zstd_file_of_a_long_window(tmp_path: Path) -> None:
    # A frame that announces 2 GiB, as `zstd --long=31` does, with one last block of nothing.
    path = write(tmp_path / "x.jsonl.zst", b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\1\0\0")
    with pytest.raises(DataError, match=r"a longer window .*zstd -dc --long=31 FILE"):
        values(path)


def test_rows_of_nothing_below_a_table(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id;text\na;One\n;\n ; \nb;Two\n;\n")
    rows = list(iter_rows(path))
    assert [(r.values["id"], r.place.row, r.place.line) for r in rows] == [("a", 1, 2), ("b", 2, 5)]
