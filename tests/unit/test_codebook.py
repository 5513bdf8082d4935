import pytest

from framing.codebook import Codebook, load_codebook, parse_codebook
from framing.errors import CodebookError
from tests.conftest import SMALL_CODEBOOK


def test_heads_and_slices(book: Codebook) -> None:
    heads = [(h.name, h.condition, h.kind, h.start, h.stop) for h in book.heads]
    assert heads == [
        ("topics", None, "multi_label", 0, 2),
        ("view.prices", "prices", "single_label", 2, 5),
        ("view.jobs", "jobs", "single_label", 5, 8),
        ("speaker", None, "single_label", 8, 10),
    ]
    assert book.n_logits == 10


def test_order_comes_from_the_file() -> None:
    text = "name: a\nvariables: [{id: v, kind: single_label, labels: [{id: z}, {id: b}, {id: a}]}]"
    assert parse_codebook(text).variable("v").label_ids == ("z", "b", "a")


def test_round_trip_keeps_content_and_hash(book: Codebook) -> None:
    import json

    again = parse_codebook(json.dumps(book.to_dict()))
    assert again == book
    assert again.hash == book.hash
    assert Codebook.from_dict(json.loads(json.dumps(book.to_dict()))) == book


def test_hash_ignores_layout_but_not_order(book: Codebook) -> None:
    assert parse_codebook("# comment\n" + SMALL_CODEBOOK).hash == book.hash
    swapped = SMALL_CODEBOOK.replace("{id: good}, {id: bad}", "{id: bad}, {id: good}")
    assert parse_codebook(swapped).hash != book.hash


@pytest.mark.parametrize(
    ("language", "english"),
    [
        ("en", True),
        ("en-GB", True),
        ("EN_us", True),
        ("English", True),
        ("de", False),
        ("no", False),
    ],
)
def test_language(language: str, english: bool) -> None:
    text = SMALL_CODEBOOK.replace("version: 2", f"version: 2\nlanguage: {language}")
    found = parse_codebook(text)
    assert found.language == language
    assert found.is_english == english


def test_unknown_variable_names_the_nearest(book: Codebook) -> None:
    with pytest.raises(CodebookError, match=r"unknown variable 'topic'.*Did you mean 'topics'\?"):
        book.variable("topic")


def test_all_mistakes_at_once_with_lines() -> None:
    text = """name: Bad Name
variables:
  - id: a
    kind: multi
    labels: [{id: x}]
  - id: b
    kind: single_label
    per: c
    labels:
      - {id: y}
      - {id: y, definiton: oops}
"""
    with pytest.raises(CodebookError) as caught:
        parse_codebook(text, "book.yaml")
    message = str(caught.value)
    assert "book.yaml: the codebook has mistakes" in message
    assert "line 1: the codebook's name must be lower-case" in message
    assert "line 4: unknown kind 'multi'" in message
    assert "line 6: `per` of 'b': unknown variable 'c'" in message
    assert "line 11: label id 'y' stands on line 10 already" in message
    assert "line 11: in a label: unknown key 'definiton'" in message
    assert "Did you mean 'definition'?" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a codebook as `key: value` lines, found an empty file"),
        ("- a", "found a list"),
        ("name: a", "needs the key 'variables'"),
        ("name: a\nvariables: []", "at least one variable, found none"),
        ("name: [", r"b.yaml:1: not valid YAML"),
        ("name: a\nname: b\nvariables: []", "line 2: key 'name' stands twice"),
        (
            "name: a\nvariables: [{id: text, kind: multi_label, labels: [{id: x}]}]",
            "a variable cannot be named 'text'",
        ),
        (
            "name: a\nvariables: [{id: bürger, kind: multi_label, labels: [{id: x}]}]",
            "id must be lower-case letters from a to z, digits and '_', .*found 'bürger'. "
            "Put the spelling that people read under `name`",
        ),
        (
            "name: Bürger\nvariables: [{id: v, kind: multi_label, labels: [{id: x}]}]",
            "name must be lower-case letters from a to z.*people read under `title`",
        ),
        (
            "name: a\nvariables: [{id: all, kind: multi_label, labels: [{id: x}]}]",
            "a variable cannot have the id 'all', which stands for all variables together in "
            "scores; choose another id and put the word under `name`",
        ),
        ("name: a\nversion: x\nvariables: []", "line 2: version must be a whole number"),
        (
            "name: a\nvariables: [{id: v, kind: single_label, labels: [{id: x}]}]",
            "needs at least 2 label",
        ),
        (
            "name: a\nvariables:\n- {id: v, kind: single_label, labels: [{id: x}, {id: y}]}\n"
            "- {id: w, kind: single_label, per: v, labels: [{id: x}, {id: y}]}",
            "line 4: `per` of 'w' must name a multi_label variable",
        ),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(CodebookError, match=message):
        parse_codebook(text, "b.yaml")


@pytest.mark.parametrize("label", ["macro", "micro", "pairs"])
def test_labels_that_would_be_taken_for_averages(label: str) -> None:
    labels = f"[{{id: x}}, {{id: {label}, name: {label.title()}}}]"
    text = f"name: a\nvariables: [{{id: v, kind: single_label, labels: {labels}}}]"
    message = f"line 2: a label cannot have the id '{label}', which stands for .* in scores; choose"
    with pytest.raises(CodebookError, match=message):
        parse_codebook(text)
    kept = parse_codebook(text.replace(f"id: {label}", f"id: {label}_"))
    assert kept.variable("v").labels[1].name == label.title()


def test_files(tmp_path) -> None:
    with pytest.raises(CodebookError, match="no such codebook file"):
        load_codebook(tmp_path / "none.yaml")
    with pytest.raises(CodebookError, match="cannot read the codebook"):
        load_codebook(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(CodebookError, match="expected UTF-8, found byte 0xe9 at offset 9"):
        load_codebook(tmp_path / "latin.yaml")


def test_flagship_codebook() -> None:
    from framing import corpora

    path = corpora.__path__[0] + "/security_talks/codebook.yaml"
    book = load_codebook(path)
    assert [v.id for v in book.variables] == ["frames", "stance", "holder"]
    assert book.n_logits == 3 + 3 * 3 + 7
    assert all(label.proposition for label in book.variable("frames").labels)


def test_a_file_that_is_no_codebook_is_not_printed_whole() -> None:
    with pytest.raises(CodebookError) as caught:
        parse_codebook("id,text\n" + "1,Prices rose.\n" * 1000)
    assert "expected a codebook as `key: value` lines, found 'id,text 1,Prices" in str(caught.value)
    assert str(caught.value).endswith(" and more")
    assert len(str(caught.value)) < 300
