from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import ByteLevel, RobertaProcessing, TemplateProcessing

from framing import encoding
from framing.encoding import (
    InputSettings,
    TokenizedSentence,
    first_segment,
    load_tokenizer,
    pad,
    second_segment,
    tokenize,
)
from framing.errors import ArtifactError, DataError
from framing.records import Sentence
from tests.tiny import save_tiny_encoder

WORDS = [f"w{k}" for k in range(20)] + ["p1", "p2", "p3"]
CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = save_tiny_encoder(tmp_path_factory.mktemp("encoder"), WORDS)
    return load_tokenizer(str(folder / "tokenizer.json"))


def names(tokenizer, row: TokenizedSentence) -> str:
    return " ".join(tokenizer.id_to_token(i) for i in row.ids)


def test_first_segment_joins_in_a_fixed_order() -> None:
    sentence = Sentence("1", "t", "d", previous="P", target="X", metadata={"title": "T"})
    assert first_segment(sentence, InputSettings(("previous", "target", "title"))) == "X T P"
    assert first_segment(sentence, InputSettings(("previous",))) == "P"
    assert first_segment(sentence, InputSettings()) == ""
    assert first_segment(Sentence("1", "t", "d"), InputSettings(("title", "target"))) == ""


def test_pairs_and_single_sentences(tokenizer) -> None:
    sentence = Sentence("1", "w1 w2", "d", previous="p1 p2")
    (pair,) = tokenize(tokenizer, [sentence], InputSettings(("previous",), 16))
    assert names(tokenizer, pair) == "[CLS] p1 p2 [SEP] w1 w2 [SEP]"
    assert pair.type_ids == (0, 0, 0, 0, 1, 1, 1)
    (alone,) = tokenize(tokenizer, [sentence], InputSettings((), 16))
    assert names(tokenizer, alone) == "[CLS] w1 w2 [SEP]"


def test_pairs_of_tokenizers_that_number_no_segments(tokenizer) -> None:
    roberta = Tokenizer.from_str(tokenizer.to_str())
    roberta.post_processor = RobertaProcessing(("[SEP]", SEP), ("[CLS]", CLS))
    sentence = Sentence("1", "w1 w2", "d", previous="p1 p2")
    (pair,) = tokenize(roberta, [sentence], InputSettings(("previous",), 16))
    assert names(roberta, pair) == "[CLS] p1 p2 [SEP] [SEP] w1 w2 [SEP]"
    assert pair.type_ids == (0, 0, 0, 0, 0, 1, 1, 1)
    (empty,) = tokenize(roberta, [Sentence("1", "", "d")], InputSettings(("previous",), 16))
    assert empty.type_ids == (0, 0, 0, 1)
    (alone,) = tokenize(roberta, [sentence], InputSettings((), 16))
    assert alone.type_ids == (0, 0, 0, 0)


def test_context_loses_its_beginning_before_the_sentence_loses_anything(tokenizer) -> None:
    sentence = Sentence("1", "w1 w2 w3", "d", previous="p1 p2 p3")
    settings = InputSettings(("previous",), 8)
    (row,) = tokenize(tokenizer, [sentence], settings)
    assert names(tokenizer, row) == "[CLS] p2 p3 [SEP] w1 w2 w3 [SEP]"


def test_too_long_sentence_keeps_its_beginning(tokenizer) -> None:
    sentence = Sentence("1", " ".join(f"w{k}" for k in range(12)), "d", previous="p1")
    (row,) = tokenize(tokenizer, [sentence], InputSettings(("previous",), 8))
    assert names(tokenizer, row) == "[CLS] [SEP] w0 w1 w2 w3 w4 [SEP]"
    assert len(row.ids) == 8


def test_without_context_text_the_pair_form_stays(tokenizer) -> None:
    (row,) = tokenize(tokenizer, [Sentence("1", "w1", "d")], InputSettings(("previous",), 8))
    assert names(tokenizer, row) == "[CLS] [SEP] w1 [SEP]"


def test_empty_text(tokenizer) -> None:
    (row,) = tokenize(tokenizer, [Sentence("1", "", "d")], InputSettings((), 8))
    assert row.ids == (CLS, SEP)


class Recorder:
    """A tokenizer that notes how many characters it is given at a time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.characters: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.tokenizer, name)

    def encode_batch(self, texts: list[str], **options: bool) -> object:
        self.characters.append(sum(map(len, texts)))
        return self.tokenizer.encode_batch(texts, **options)


@pytest.mark.parametrize("context", [(), ("previous",)])
def test_long_texts_are_not_all_tokenized_at_once(
    tokenizer, monkeypatch: pytest.MonkeyPatch, context: tuple[str, ...]
) -> None:
    monkeypatch.setattr(encoding, "_MOST_CHARACTERS", 10_000)
    sentences = [
        Sentence(str(k), "w1 w2 " * n, "d", previous="p1 p2 " * n)
        for k, n in enumerate([5, 600, 2000, 3, 0, 2000, 7, 900])
    ]
    settings = InputSettings(context, 16)
    recorder = Recorder(tokenizer)
    together = tokenize(recorder, sentences, settings)
    assert together == [tokenize(tokenizer, [s], settings)[0] for s in sentences]
    assert max(recorder.characters) <= 12_000
    recorder.characters.clear()
    assert len(tokenize(recorder, sentences[:1] * 100, settings)) == 100
    assert len(recorder.characters) == 1 + bool(context)


def test_a_long_text_with_a_long_context(tokenizer) -> None:
    # Takes seconds where what is cut off is kept in pieces, each joined with each of the other's.
    sentence = Sentence("1", "w1 " * 6_000, "d", previous="p1 " * 6_000 + "p2")
    (row,) = tokenize(tokenizer, [sentence], InputSettings(("previous",), 8))
    assert names(tokenizer, row) == "[CLS] [SEP] w1 w1 w1 w1 w1 [SEP]"
    sentence = replace(sentence, text="w1")
    (row,) = tokenize(tokenizer, [sentence], InputSettings(("previous",), 8))
    assert names(tokenizer, row) == "[CLS] p1 p1 p1 p2 [SEP] w1 [SEP]"


@pytest.mark.parametrize("pair", [False, True])
def test_segments_are_joined_as_the_tokenizer_joins_them(tokenizer, pair: bool) -> None:
    roberta, bare = (Tokenizer.from_str(tokenizer.to_str()) for _ in range(2))
    roberta.post_processor = RobertaProcessing(("[SEP]", SEP), ("[CLS]", CLS))
    bare.post_processor = ByteLevel()
    sentence = Sentence("1", "w1 w2 w3", "d", previous="p1 p2 p3")
    for kind in (tokenizer, roberta, bare):
        room = kind.num_special_tokens_to_add(pair)
        for length in range(room + 1, room + 9):
            settings = InputSettings(("previous",) if pair else (), length)
            (row,) = tokenize(kind, [sentence], settings)
            text = kind.encode(sentence.text, add_special_tokens=False)
            text.truncate(min(length - room, 3))
            keep = length - room - len(text.ids)
            first = kind.encode(sentence.previous, add_special_tokens=False)
            first.truncate(min(keep, 3), direction="left")
            joined = kind.post_process(first, text) if pair else kind.post_process(text)
            assert list(row.ids) == joined.ids


def test_padding() -> None:
    rows = [TokenizedSentence((5, 6, 7), (0, 0, 1)), TokenizedSentence((8,), (0,))]
    batch = pad(rows, pad_id=9)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert pad(rows, 0, multiple=4)["input_ids"].shape == (2, 4)
    assert pad([], 0)["input_ids"].shape == (0, 0)
    assert batch["input_ids"].dtype == np.int64


def test_unreadable_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"not a readable tokenizer.json"):
        load_tokenizer(str(tmp_path / "tokenizer.json"))


def test_the_mention_of_the_target_is_marked() -> None:
    place = {"target_start": "3", "target_end": "5"}
    sentence = Sentence("1", "He he left.", "d", target="he", metadata=place)
    settings = InputSettings(("target",), 16, mark_target=True)
    assert second_segment(sentence, settings) == "He \u00ab he \u00bb left."
    assert second_segment(sentence, InputSettings(("target",), 16)) == "He he left."
    assert second_segment(Sentence("1", "He left.", "d"), settings) == "He left."


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("3", "", "expected whole numbers"),
        ("-1", "2", "expected whole numbers"),
        ("3", "3", "a place in its text, found 3 to 3"),
        ("3", "12", "a place in its text, found 3 to 12"),
        ("9" * 5000, "9" * 5001, "a place in its text, found a number of too many digits"),
    ],
)
def test_a_target_must_stand_in_the_sentence(start: str, end: str, message: str) -> None:
    place = {"target_start": start, "target_end": end}
    sentence = Sentence("1", "He he left.", "d", metadata=place)
    with pytest.raises(DataError, match=f"sentence '1'.*{message}"):
        second_segment(sentence, InputSettings((), 16, mark_target=True))


def test_a_tokenizer_that_does_not_know_every_letter() -> None:
    # What this model has no piece for it leaves out.
    tokenizer = Tokenizer(BPE({"[SEP]": 0, "x": 1, "y": 2}, []))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="$A [SEP]", pair="$A [SEP] $B:1 [SEP]:1", special_tokens=[("[SEP]", 0)]
    )
    sentence = Sentence("s", "x y", "d", previous="x")
    (found,) = tokenize(tokenizer, [sentence], InputSettings(("previous",), 16))
    assert found == TokenizedSentence((1, 0, 1, 2, 0), (0, 0, 1, 1, 1))


def test_a_text_of_enormous_length(tokenizer) -> None:
    settings = InputSettings(("previous",), 8)
    sentence = Sentence("1", "w1 w2 " + "w3 " * 400_000, "d", 0, "p1 " * 400_000 + "p2 p3")
    recorder = Recorder(tokenizer)
    (row,) = tokenize(recorder, [sentence], settings)
    assert names(tokenizer, row) == "[CLS] [SEP] w1 w2 w3 w3 w3 [SEP]"
    assert max(recorder.characters) < 200_000
