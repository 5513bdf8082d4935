"""From sentences to token ids: one code for training and inference.

The sentence itself is always the last segment. What helps to understand it (its target, the
document's title, the sentence before) goes before it as the first segment of a pair. When a
pair is too long the first segment loses its beginning, since words near the sentence help most.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framing.errors import ArtifactError, DataError
from framing.records import Sentence

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Parts that the first segment may be made of, in the order in which they are joined.
CONTEXT_PARTS = ("target", "title", "previous")
#: Metadata fields that say where in the sentence its target is mentioned, in characters.
TARGET_START, TARGET_END = "target_start", "target_end"
#: What stands around the mention that is meant; rare in English text.
MARKS = ("\u00ab", "\u00bb")
#: The input of graphs that compute the own tokens alone in their upper layers.
OWN_PLACES = "own_places"
#: What a batch of pairs can give a graph.
PAIR_INPUTS = ("input_ids", "attention_mask", "token_type_ids", OWN_PLACES)
#: Characters that are tokenized together: their tokens take some thirty times the memory.
_MOST_CHARACTERS = 2**20
#: Characters of one segment of which tokens are made: far more than any encoder takes.
_MOST_OF_ONE = 2**17
#: Of a place in a text.
_MOST_DIGITS = 18


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
    if max(map(len, fields)) > _MOST_DIGITS:
        raise DataError(
            f"{_place_of_target(sentence)} a place in its text, found a number of too many digits"
        )
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

    Raises:
        DataError: A text holds half of a character, or a target's place is none.
    """
    pairs = [(first_segment(s, settings), second_segment(s, settings)) for s in sentences]
    try:
        return [row for group in _groups(pairs) for row in _tokenized(tokenizer, group, settings)]
    except (TypeError, UnicodeEncodeError):
        _refuse_halves(sentences, pairs)
        raise


def _refuse_halves(sentences: Sequence[Sentence], pairs: Sequence[tuple[str, str]]) -> None:
    for sentence, pair in zip(sentences, pairs, strict=True):
        try:
            "".join(pair).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"sentence {sentence.id!r}: expected text, found half of a character (a lone "
                "surrogate such as \\ud800); write the text again from its source"
            ) from None


def _groups(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Segments whose tokens are held in memory together, before they are cut to length."""
    group: list[tuple[str, str]] = []
    characters = 0
    for first, text in pairs:
        characters += len(first) + len(text)
        if group and characters > _MOST_CHARACTERS:
            yield group
            group, characters = [], len(first) + len(text)
        group.append((first, text))
    yield group


def _tokenized(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], settings: InputSettings
) -> list[TokenizedSentence]:
    frame = _Frame(tokenizer, bool(settings.context), settings.max_length)
    texts = tokenizer.encode_batch(
        [text[:_MOST_OF_ONE] for _, text in pairs], add_special_tokens=False
    )
    if not settings.context:
        return [frame.filled([], text.ids) for text in texts]
    # Of the sentence before, the end counts.
    firsts = tokenizer.encode_batch(
        [first[-_MOST_OF_ONE:] for first, _ in pairs], add_special_tokens=False
    )
    return [frame.filled(a.ids, b.ids) for a, b in zip(firsts, texts, strict=True)]


class _Frame:
    """The special tokens of a tokenizer, and where the segments stand among them.

    Segments are cut and joined here, since the tokenizer's own truncation keeps what it cuts off
    in pieces, and joins each piece of one segment with each of the other.

    Args:
        tokenizer: As for `tokenize`.
        pair: Whether a first segment goes before the sentence.
        max_length: Tokens of a sequence.
    """

    def __init__(self, tokenizer: Tokenizer, pair: bool, max_length: int) -> None:
        word = _known_word(tokenizer)
        first, text = (tokenizer.encode(word, add_special_tokens=False) for _ in range(2))
        count = len(first.ids)
        joined = tokenizer.post_process(first, text) if pair else tokenizer.post_process(first)
        # The first segment comes first; `sequence_ids` of some tokenizers do not tell it.
        numbers = itertools.count()
        segments = [
            None if special else int(next(numbers) >= count)
            for special in joined.special_tokens_mask
        ]
        tokens = zip(segments, joined.type_ids, joined.ids, strict=True)
        #: Segment, None for special tokens; type id; the special tokens' ids.
        self.parts = [
            (segment, type_id, [number for *_, number in run])
            for (segment, type_id), run in itertools.groupby(tokens, key=lambda t: t[:2])
        ]
        self.pair = pair
        self.room = max_length - tokenizer.num_special_tokens_to_add(pair)

    def filled(self, first: list[int], text: list[int]) -> TokenizedSentence:
        """The sequence of two segments, the first of them empty where there is no pair."""
        text = text[: max(self.room, 1)]
        first = first[max(len(first) - max(self.room - len(text), 0), 0) :]
        segments = {0: first, 1: text} if self.pair else {0: text}
        ids: list[int] = []
        types: list[int] = []
        start = 0
        for segment, type_id, special in self.parts:
            if segment == 1:
                start = len(ids)
            part = special if segment is None else segments[segment]
            ids += part
            types += [type_id] * len(part)
        if self.pair and not any(types):
            # The tokenizer does not number segments. Of an empty sentence only the closing token
            # is left.
            start = start if text else len(ids) - 1
            types = [0] * start + [1] * (len(ids) - start)
        return TokenizedSentence(tuple(ids), tuple(types))


def _known_word(tokenizer: Tokenizer) -> str:
    """A text that has tokens: without a token for unknown words, not every letter has one."""

    def known(word: str) -> bool:
        return bool(tokenizer.encode(word, add_special_tokens=False).ids)

    # Only few tokenizers have to be asked for all their words, which takes a while.
    return "a" if known("a") else next(word for word in tokenizer.get_vocab() if known(word))


def numbers_segments(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer numbers the segments of a pair.

    An encoder whose tokenizer does not was pretrained on one segment, even where its table has
    two.
    """
    return any(tokenizer.encode("a", "b").type_ids)


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
    ids, mask = pad_ids([row.ids for row in rows], pad_id, multiple)
    types = np.zeros_like(ids)
    for k, row in enumerate(rows):
        types[k, : len(row.ids)] = row.type_ids
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def pad_ids(
    sequences: Sequence[Sequence[int]], pad_id: int, multiple: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pad token ids to the longest sequence.

    Args:
        sequences: Token ids.
        pad_id: Token id of padding.
        multiple: Lengths are rounded up to a multiple of this.

    Returns:
        Ids, and 1 where they are real, each of shape (n, length).
    """
    longest = max(map(len, sequences), default=0)
    length = -(-longest // multiple) * multiple
    ids = np.full((len(sequences), length), pad_id, dtype=np.int64)
    mask = np.zeros((len(sequences), length), dtype=np.int64)
    for k, sequence in enumerate(sequences):
        ids[k, : len(sequence)] = sequence
        mask[k, : len(sequence)] = 1
    return ids, mask


def parted(sentence: TokenizedSentence) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token ids of a sentence, and of what stands before it."""
    context = len(sentence.ids) - sum(sentence.type_ids)
    return sentence.ids[context:], sentence.ids[:context]


def own_places(arrays: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Where the sentences' own tokens stand in a batch of pairs.

    Args:
        arrays: As `pad` gives them.

    Returns:
        Their places in order, -1 behind the last, shape (n, largest number of own tokens).
    """
    own = (arrays["attention_mask"] == 1) & (arrays["token_type_ids"] == 1)
    count = own.sum(axis=1)
    most = int(count.max(initial=0))
    order = np.argsort(~own, axis=1, kind="stable")[:, :most]
    return np.where(np.arange(most) < count[:, None], order, -1)


def graph_inputs(
    batch: Iterable[TokenizedSentence], pad_id: int, names: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Pad a batch for a graph.

    Args:
        batch: Tokenized sentences.
        pad_id: Token id of padding.
        names: Of the graph's inputs, any of those of `pad` and ``own_places``.

    Returns:
        An array for each of the names.
    """
    arrays = pad(batch, pad_id)
    if OWN_PLACES in names:
        arrays[OWN_PLACES] = own_places(arrays)
    return {name: arrays[name] for name in names}
