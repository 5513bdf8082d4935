"""The examples of docs/data.md are read as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from framing.codebook import Codebook, parse_codebook
from framing.data.gold import gold_annotations
from framing.data.leakage import THRESHOLD
from framing.data.readers import ColumnMapping, read_corpus
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
Coded = dict[tuple[str, str], dict[str, tuple[str, ...]]]


def section(heading: str) -> str:
    found = re.search(
        rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found is not None, heading
    return found[1]


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def town_hall() -> Codebook:
    page = (ROOT / "docs" / "codebook.md").read_text(encoding="utf-8")
    return parse_codebook(blocks(page, "yaml")[0])


COST, BOTH, NONE = ("cost",), ("cost", "heritage"), ()
ANA_BEN: Coded = {
    ("m1-1", "Ana"): {"frames": COST, "stance.cost": ("against",), "speaker": ("citizens",)},
    ("m1-1", "Ben"): {
        "frames": BOTH,
        "stance.cost": ("against",),
        "stance.heritage": ("open",),
        "speaker": ("citizens",),
    },
    ("m1-2", "Ana"): {"frames": NONE, "speaker": ("other",)},
}
EXPECTED: dict[str, Coded] = {
    "Nothing to explain": ANA_BEN,
    "A row for each coder, with other names and values": {
        ("1", "Ana"): {"frames": COST, "stance.cost": ("against",), "speaker": ("citizens",)},
        ("1", "Ben"): {
            "frames": BOTH,
            "stance.cost": ("against",),
            "stance.heritage": ("open",),
            "speaker": ("citizens",),
        },
        ("2", "Ana"): {
            "frames": ("heritage",),
            "stance.heritage": ("favor",),
            "speaker": ("council",),
        },
    },
    "A column for each coder": {
        ("m1-1", "Ana"): {"frames": COST, "speaker": ("citizens",)},
        ("m1-1", "Ben"): {"frames": BOTH, "speaker": ("citizens",)},
        ("m1-2", "Ana"): {"frames": ("heritage",), "speaker": ("council",)},
        ("m1-3", "Ana"): {"frames": NONE, "speaker": ("other",)},
        ("m1-3", "Ben"): {"frames": NONE, "speaker": ("other",)},
    },
    "Aggregated labels": {
        ("coded-1", "gold"): {"frames": COST, "speaker": ("citizens",)},
        ("coded-2", "gold"): {"frames": BOTH, "speaker": ("council",)},
        ("coded-3", "gold"): {"frames": NONE, "speaker": ("other",)},
    },
    "A 0/1 column for each label": {
        ("m1-1", "gold"): {"frames": COST},
        ("m1-2", "gold"): {"frames": ("heritage",)},
        ("m1-3", "gold"): {"frames": NONE},
    },
    "Counts of coders": {
        ("m1-1", "1"): {"speaker": ("council",)},
        **{("m1-1", str(k)): {"speaker": ("citizens",)} for k in range(2, 6)},
        **{("m1-2", str(k)): {"speaker": ("council",)} for k in range(1, 4)},
        **{("m1-2", str(k)): {"speaker": ("citizens",)} for k in range(4, 6)},
    },
    "JSON lines": {**ANA_BEN, ("m1-2", "Ana"): {"frames": NONE}},
}


def test_every_shape_of_the_page_is_expected_here() -> None:
    shapes = re.search(r"^## Shapes of tables\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    assert shapes is not None
    headings = re.findall(r"^### (.*)$", shapes[1], re.MULTILINE)
    assert headings == [*EXPECTED, "Values", "Empty cells"]


@pytest.mark.parametrize("heading", EXPECTED)
def test_shapes(heading: str, town_hall: Codebook, tmp_path: Path) -> None:
    text = section(heading)
    kind, ending = ("json", "jsonl") if heading == "JSON lines" else ("csv", "csv")
    path = tmp_path / f"coded.{ending}"
    path.write_text(blocks(text, kind)[0], encoding="utf-8")
    mappings = blocks(text, "yaml")
    columns = ColumnMapping.from_dict(yaml.safe_load(mappings[0])) if mappings else None
    corpus = read_corpus(path, town_hall, columns)
    assert {(a.sentence_id, a.coder): dict(a.values) for a in corpus.annotations} == EXPECTED[
        heading
    ]
    assert "Remarks" not in corpus.sentences[0].metadata
    if heading != "Aggregated labels":
        assert corpus.sentences[1].previous == corpus.sentences[0].text
        assert len(corpus.documents) == 1
    else:
        assert corpus.documents == ("coded",)


def test_empty_cells_that_mean_not_coded(town_hall: Codebook, tmp_path: Path) -> None:
    text = section("Empty cells")
    (tmp_path / "coded.csv").write_text(blocks(text, "csv")[0], encoding="utf-8")
    columns = ColumnMapping.from_dict(yaml.safe_load(blocks(text, "yaml")[0]))
    corpus = read_corpus(tmp_path / "coded.csv", town_hall, columns)
    assert {(a.sentence_id, a.coder): a.values["frames"] for a in corpus.annotations} == {
        ("m1-1", "Ana"): COST,
        ("m1-2", "Ben"): ("heritage",),
        ("m1-3", "Ana"): NONE,
        ("m1-3", "Cem"): NONE,
    }
    gold = gold_annotations(corpus.annotations, town_hall)
    assert [a.values["frames"] for a in gold] == [COST, ("heritage",), NONE]


def test_two_files(town_hall: Codebook, tmp_path: Path) -> None:
    for name, text in zip(
        ("sentences", "annotations"), blocks(section("Two files"), "csv"), strict=True
    ):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    corpus = read_corpus(tmp_path, town_hall)
    assert {(a.sentence_id, a.coder): dict(a.values) for a in corpus.annotations} == {
        key: {head: labels for head, labels in values.items() if head != "speaker"}
        for key, values in ANA_BEN.items()
    }


def test_mapping_of_the_columns_section(town_hall: Codebook, tmp_path: Path) -> None:
    mapping = ColumnMapping.from_dict(yaml.safe_load(blocks(section("Columns"), "yaml")[0]))
    path = tmp_path / "coded.csv"
    path.write_text(
        "id,Sentence,Coded by,frames,Remarks,outlet\n"
        "a,It costs too much.,Ana,cost,x,Post\na,It costs too much.,Ben,,,Post\n"
    )
    corpus = read_corpus(path, town_hall, mapping)
    assert corpus.coders == ("Ana", "Ben")
    assert len(corpus.sentences) == 1
    assert corpus.sentences[0].metadata == {"outlet": "Post"}


def test_threshold_of_the_page() -> None:
    assert f"at least {THRESHOLD:g} between" in PAGE
