"""From sentences to token ids: one code for training and inference.

The sentence itself is always the last segment. What helps to understand it (its target, the
document's title, the sentence before) goes before it as the first segment of a pair. When a
pair is too long the first segment loses its beginning, since words near the sentence help most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framing.errors import ArtifactError, DataError
from framing.records import Sentence

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

#: Parts that the first segment may be made of, in the order in which they are joined.
CONTEXT_PARTS = ("target", "title", "previous")
#: Metadata fields that say where in the sentence its target is mentioned, in characters.
TARGET_START, TARGET_END = "target_start", "target_end"
#: What stands around the mention that is meant; rare in English text.
MARKS = ("\u00ab", "\u00bb")


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How a sentence becomes model input.

    Attributes:
        context: Which of `CONTEXT_PARTS` make the first segment, empty for the sentence alone.
        max_length: Tokens a sequence may have, special tokens included.
        mark_target: Whether the mention of the target stands between `MARKS`.
    """

    context: tuple[str, ...] = ()
    max_length: int = 128
    mark_target: bool = False


@dataclass(frozen=True, slots=True)
class TokenizedSentence:
    """Token ids of one sentence with its context, special tokens included.

    Attributes:
        ids: Token ids.
        type_ids: 0 for the first segment, 1 for the second. Whether the encoder reads them or
            not, they tell the sentence from its context.
    """

    ids: tuple[int, ...]
    type_ids: tuple[int, ...]


def first_segment(sentence: Sentence, settings: InputSettings) -> str:
    """The text that goes before the sentence, or ""."""
    parts = {
        "target": sentence.target,
        "title": sentence.metadata.get("title", ""),
        "previous": sentence.previous,
    }
    return " ".join(
        parts[name] for name in CONTEXT_PARTS if name in settings.context and parts[name]
    )


def second_segment(sentence: Sentence, settings: InputSettings) -> str:
    """The sentence itself, with its target marked if the settings ask for it and it is known.

    Raises:
        DataError: The target's place is not a place in the sentence.
    """
    fields = (sentence.metadata.get(TARGET_START, ""), sentence.metadata.get(TARGET_END, ""))
    if not settings.mark_target or fields == ("", ""):
        return sentence.text
    if not all(field.isdecimal() for field in fields):
        raise DataError(f"{_place_of_target(sentence)} whole numbers, found {fields}")
    start, end = map(int, fields)
    text = sentence.text
    if not start < end <= len(text):
        raise DataError(f"{_place_of_target(sentence)} a place in its text, found {start} to {end}")
    before, after = MARKS
    return f"{text[:start]}{before} {text[start:end]} {after}{text[end:]}"


def _place_of_target(sentence: Sentence) -> str:
    return f"sentence {sentence.id!r}: {TARGET_START} and {TARGET_END}: expected"


def load_tokenizer(path: str) -> Tokenizer:
    """Read a ``tokenizer.json``.

    Raises:
        ArtifactError: The file is missing or no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # noqa: BLE001 - the Rust library raises bare Exception
        raise ArtifactError(f"{path}: not a readable tokenizer.json: {error}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def tokenize(
    tokenizer: Tokenizer, sentences: Sequence[Sentence], settings: InputSettings
) -> list[TokenizedSentence]:
    """Tokenize sentences with their context.

    Args:
        tokenizer: Without padding or truncation of its own, as `load_tokenizer` gives it.
        sentences: What to encode.
        settings: Context and length.

    Returns:
        One entry a sentence, at most ``settings.max_length`` tokens each.
    """
    texts = tokenizer.encode_batch(
        [second_segment(s, settings) for s in sentences], add_special_tokens=False
    )
    if not settings.context:
        return [_join(tokenizer, None, text, settings.max_length) for text in texts]
    firsts = tokenizer.encode_batch(
        [first_segment(s, settings) for s in sentences], add_special_tokens=False
    )
    return [
        _join(tokenizer, first, text, settings.max_length)
        for first, text in zip(firsts, texts, strict=True)
    ]


def _join(
    tokenizer: Tokenizer, first: Encoding | None, text: Encoding, max_length: int
) -> TokenizedSentence:
    pair = first is not None
    room = max_length - tokenizer.num_special_tokens_to_add(pair)
    text.truncate(min(room, len(text.ids)) or 1)
    if first is None:
        joined = tokenizer.post_process(text)
    else:
        keep = room - len(text.ids)
        # truncate(0) would empty the overflow too: an empty first segment needs no cut.
        if len(first.ids) > keep:
            first.truncate(keep, direction="left")
        joined = tokenizer.post_process(first, text)
    return TokenizedSentence(tuple(joined.ids), _type_ids(joined, pair))


def numbers_segments(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer numbers the segments of a pair.

    An encoder whose tokenizer does not was pretrained on one segment, even where its table has
    two.
    """
    return any(tokenizer.encode("a", "b").type_ids)


def _type_ids(joined: Encoding, pair: bool) -> tuple[int, ...]:
    """The tokenizer's own, or where it does not number the segments of a pair, ours."""
    if not pair or any(joined.type_ids):
        return tuple(joined.type_ids)
    count = len(joined.ids)
    # Of an empty sentence only the closing token is left.
    start = next((k for k, part in enumerate(joined.sequence_ids) if part == 1), count - 1)
    return (0,) * start + (1,) * (count - start)


def pad(
    batch: Iterable[TokenizedSentence], pad_id: int, multiple: int = 1
) -> dict[str, NDArray[np.int64]]:
    """Pad a batch to its longest sequence.

    Args:
        batch: Tokenized sentences.
        pad_id: Token id of padding.
        multiple: Lengths are rounded up to a multiple of this.

    Returns:
        ``input_ids``, ``attention_mask`` and ``token_type_ids``, each of shape (n, length).
    """
    rows = list(batch)
    longest = max((len(row.ids) for row in rows), default=0)
    length = -(-longest // multiple) * multiple
    ids = np.full((len(rows), length), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    types = np.zeros((len(rows), length), dtype=np.int64)
    for k, row in enumerate(rows):
        n = len(row.ids)
        ids[k, :n] = row.ids
        mask[k, :n] = 1
        types[k, :n] = row.type_ids
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
