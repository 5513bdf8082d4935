from __future__ import annotations

import datetime

import pytest

from framing.codebook import Codebook
from framing.data.columns import ColumnMapping, VariableColumns, as_text
from framing.errors import ConfigError


def test_from_dict_with_shorthands() -> None:
    mapping = ColumnMapping.from_dict(
        {
            "text": "headline",
            "doc_id": None,
            "ignore": "html",
            "missing_doc_id": "file",
            "variables": {
                "topics": ["theme1", "theme2"],
                "speaker": {
                    "coders": ["w1", "w2"],
                    "values": {1: "government", False: "opposition"},
                },
            },
        }
    )
    assert mapping.named() == {"text": "headline"}
    assert mapping.ignore == ("html",)
    assert mapping.missing_doc_id == "file"
    assert mapping.variables["topics"].column == ("theme1", "theme2")
    speaker = mapping.variables["speaker"]
    assert speaker.coders == {"w1": "w1", "w2": "w2"}
    assert speaker.values == {"1": "government", "false": "opposition"}
    assert ColumnMapping.from_dict({}) == ColumnMapping()


def test_from_dict_tells_all_mistakes() -> None:
    with pytest.raises(ConfigError) as caught:
        ColumnMapping.from_dict(
            {
                "txt": "a",
                "id": ["a"],
                "missing_doc_id": "none",
                "variables": {
                    "topics": {"colum": "x"},
                    "view": {"column": "a", "counts": {"good": "b"}},
                    "speaker": {"columns": "x"},
                    "other": {"column": "x", "separator": ""},
                },
            }
        )
    message = str(caught.value)
    assert "unknown key 'txt'" in message
    assert "Did you mean 'text'?" in message
    assert "id: expected text, found ['a']" in message
    assert "missing_doc_id: expected sentence or file, found 'none'" in message
    assert "variables.topics: unknown key 'colum'" in message
    assert "variables.view: expected exactly one of column, columns, coders, counts" in message
    assert "variables.speaker.columns: expected `name: value` entries, found 'x'" in message
    assert "variables.other.separator: expected at least one character" in message
    with pytest.raises(ConfigError, match="variables: expected `name: value` entries"):
        ColumnMapping.from_dict({"variables": ["topics"]})


def test_variables_must_fit_the_codebook(book: Codebook) -> None:
    entries = {
        "topic": VariableColumns(column=("a",)),
        "topics": VariableColumns(counts={"prices": "n"}),
        "view": VariableColumns(coders={"A": "a"}, values={"1": "goood"}),
        "speaker": VariableColumns(columns={"government": "g"}),
    }
    with pytest.raises(ConfigError) as caught:
        ColumnMapping(variables=entries).check_variables(book)
    message = str(caught.value)
    assert "unknown variable 'topic'" in message
    assert "topics: `counts` is for single_label variables" in message
    assert "view: `coders` cannot hold a `per` variable" in message
    assert "view.values: unknown label 'goood'" in message
    assert "speaker: `columns` is for multi_label and `per` variables" in message
    ColumnMapping(variables={"view": VariableColumns(columns={"jobs": "v"})}).check_variables(book)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (True, "true"),
        (2.0, "2"),
        (2.5, "2.5"),
        (7, "7"),
        (datetime.date(2022, 1, 3), "2022-01-03"),
        (datetime.datetime(2022, 1, 3, 4, 5), "2022-01-03T04:05:00"),
        (["é", 1], '["é", 1]'),
        ("Café".encode(), "Café"),
    ],
)
def test_as_text(value: object, text: str) -> None:
    assert as_text(value) == text
