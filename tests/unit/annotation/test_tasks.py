from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from framing.annotation.choice import AT_RANDOM, Chosen
from framing.annotation.tasks import labelling_screen, task_files, write_tasks
from framing.codebook import Codebook, parse_codebook
from framing.data.readers import read_corpus
from framing.errors import OutputError
from framing.records import Sentence

CHOSEN = [
    Chosen(
        Sentence("a", 'He said: "no", twice.', "d", 3, "Before.", "taxes", {"source": "Post"}),
        "topics=jobs",
    ),
    Chosen(Sentence("b", "Größer.", "e", metadata={"date": "May", "topics": "jobs"}), AT_RANDOM),
]


def test_a_sheet_that_coders_fill_in_is_a_corpus(book: Codebook, tmp_path: Path) -> None:
    path = tmp_path / "tasks.csv"
    write_tasks(path, CHOSEN, book, overwrite=False)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("id", "doc_id", "position", "source", "previous", "text", "target", "date", "chosen"),
        *("coder", "topics", "view.prices", "view.jobs", "speaker"),
    ]
    # Neither codes that the sentence had nor the decision in doubt.
    assert [row["topics"] for row in rows] == ["", ""]
    assert [row["chosen"] for row in rows] == ["unsure", "random"]
    rows[0] |= {"coder": "Ana", "topics": "jobs", "view.jobs": "bad", "speaker": "opposition"}
    rows[1] |= {"coder": "Ana", "speaker": "government"}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    corpus = read_corpus(path, book)
    assert [dict(a.values) for a in corpus.annotations] == [
        {"topics": ("jobs",), "view.jobs": ("bad",), "speaker": ("opposition",)},
        {"topics": (), "speaker": ("government",)},
    ]
    first, second = corpus.sentences
    assert first == Sentence(
        *("a", 'He said: "no", twice.', "d", 3, "Before.", "taxes"),
        {"source": "Post", "chosen": "unsure"},
    )
    assert second.metadata == {"date": "May", "chosen": "random"}


def test_tasks_for_label_studio(book: Codebook, tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks.json", CHOSEN, book, overwrite=False)
    first, second = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert first == {
        "data": {
            "id": "a",
            "doc_id": "d",
            "position": 3,
            "source": "Post",
            "previous": "Before.",
            "text": 'He said: "no", twice.',
            "target": "taxes",
            "chosen": "unsure",
        }
    }
    assert second["data"]["text"] == "Größer."
    screen = ElementTree.parse(tmp_path / "tasks.xml").getroot()
    shown = {text.get("value") for text in screen.iter("Text")}
    assert shown == {"$previous", "$text", "$target"}
    # Label Studio refuses a screen that names what a task lacks.
    assert {"previous", "text", "target"} <= set(second["data"])


def test_the_screen_has_a_control_for_each_head(book: Codebook) -> None:
    screen = ElementTree.fromstring(labelling_screen(book))
    controls = {c.get("name"): c for c in screen.iter("Choices")}
    assert list(controls) == [head.name for head in book.heads]
    topics, prices = controls["topics"], controls["view.prices"]
    assert (topics.get("choice"), topics.get("required")) == ("multiple", "false")
    assert (prices.get("choice"), prices.get("required")) == ("single-radio", "true")
    assert [(c.get("value"), c.get("alias")) for c in topics] == [
        ("Prices", "prices"),
        ("Jobs", "jobs"),
    ]
    conditions = {v.get("whenChoiceValue"): v for v in screen.iter("View") if v.get("visibleWhen")}
    assert list(conditions) == ["prices", "jobs"]
    assert conditions["prices"].get("whenTagName") == "topics"
    assert conditions["prices"].find("Choices") is prices
    assert "$target" not in labelling_screen(book)


def test_definitions_and_names_that_stand_twice() -> None:
    book = parse_codebook(
        "name: x\nvariables: [{id: v, kind: multi_label, definition: What <it> says., rules: [R1],"
        "labels: [{id: a, name: Same, definition: D1, include: [I1], exclude: [E1]}, "
        "{id: b, name: Same}]}]"
    )
    screen = ElementTree.fromstring(labelling_screen(book))
    choices = list(screen.iter("Choice"))
    assert [c.get("value") for c in choices] == ["Same (a)", "Same (b)"]
    assert [c.get("hint") for c in choices] == ["D1", None]
    headers = [h.get("value") for h in screen.iter("Header")]
    assert "What <it> says." in headers
    (panel,) = screen.iter("Panel")
    assert [h.get("value") for h in panel.iter("Header")] == ["Same: D1", "+ I1", "- E1", "R1"]


def test_files(tmp_path: Path, book: Codebook) -> None:
    assert task_files(Path("x.csv")) == [Path("x.csv")]
    assert task_files(Path("x.JSON")) == [Path("x.JSON"), Path("x.xml")]
    with pytest.raises(OutputError, match=r"x\.xlsx: expected a name that ends in \.csv .*'\.xlsx"):
        task_files(Path("x.xlsx"))
    (tmp_path / "x.xml").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"x\.xml: exists already"):
        write_tasks(tmp_path / "x.json", CHOSEN, book, overwrite=False)
    assert not (tmp_path / "x.json").exists()
