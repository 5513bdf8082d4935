from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framing.data.segmentation import paragraphs, split_sentences


def _split(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. J. R. Biden, Jr. said he would call.", "Nobody answered."],
        ["He flew back to the U.S. on Monday.", "She stayed."],
        ["That is for the U.S.", "They will not decide it."],
        ["Article No. 5 is clear.", "No. 6 is not."],
        ["He has one answer: no.", "Nobody asked twice."],
        ["On Dec. 3 they met.", "It was cold."],
        ["The date is Jan. 21.", "Then comes the break."],
        ["It fell 1.5 per cent to 74.25.", "Shares lost 3.2."],
        ['"We will not sign.', 'We will not wait," he said.'],
        ['"Will they come?" he asked.', '"I doubt it."'],
        ["“Who asked them?” the minister said.", "“Not us.”"],
        ['"Well, I hope so ...', 'He told me of his fears," she said.'],
        ["Really?!", "Yes, really."],
        ["The talks — such as they were — ended.", "Nobody cheered."],
        ["Gen. Mark A. Tolliver met Lt. Col. R. Dane in Brussels.", "They spoke."],
        ["The minister agreed. (AGENCY)", "The talks go on."],
        ["MOSCOW, December 10. /WIRE/. The minister came.", "He left late."],
        ["The fleet sailed to the west.", "It was a warning to the West.", "Few heard it."],
        ["She gave him a call.", "Then the bank.", "They met.", "It was cold."],
    ],
)
def test_one_paragraph(sentences: list[str]) -> None:
    assert _split(" ".join(sentences)) == sentences


def test_paragraphs_end_sentences() -> None:
    text = "A headline without a stop\n\nThe first sentence. The second\nA third\r\nA fourth"
    assert _split(text) == [
        "A headline without a stop",
        "The first sentence.",
        "The second",
        "A third",
        "A fourth",
    ]


PROSE = (
    "Ministers met for the third time this week in the old customs house by the river. Nobody "
    "who came out of the building that night wanted to say what had been agreed, and those who "
    "had stayed inside said still less. Mr. Arne Holt, who had asked for the meeting, left by a "
    "side door. He did not stop for questions."
)


@pytest.mark.parametrize("width", [50, 60, 72, 80])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_lines_of_wrapped_text_are_joined(width: int, gap: str) -> None:
    text = gap.join([textwrap.fill(PROSE, width)] * 2)
    found = _split(text)
    assert len(found) == 8
    assert [" ".join(s.split()) for s in found[:4]] == [
        "Ministers met for the third time this week in the old customs house by the river.",
        "Nobody who came out of the building that night wanted to say what had been agreed, and "
        "those who had stayed inside said still less.",
        "Mr. Arne Holt, who had asked for the meeting, left by a side door.",
        "He did not stop for questions.",
    ]


def test_lists_and_verses_are_not_joined() -> None:
    lines = [
        "Twelve things to know before the first round opens in the city",
        "How the old memorandum came about",
        "Gas price falls for the third day",
        "Late goal saves the cup for the home side",
    ]
    assert _split("\n".join(lines)) == lines


def test_nothing_gives_nothing() -> None:
    assert split_sentences("") == []
    assert split_sentences(" \n\t\n ") == []
    assert paragraphs("\n\n") == []


def test_text_without_any_stop_is_one_sentence() -> None:
    assert _split("  no stop at all here  ") == ["no stop at all here"]


_PIECES = (
    'A b.|Mr. X|"No.|no.|...|…|(AGENCY)| |  |\n|\n\n|\r\n|\t|U.S.|Dec.|3|?!|”|\u2028|\u00a0|'
    "MOSCOW.|é|🙂|/W/.|(A|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)
PIECES = st.sampled_from(_PIECES.split("|"))


@given(st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join))
def test_spans_are_in_order_and_leave_out_only_blanks(text: str) -> None:
    position = 0
    for start, end in split_sentences(text):
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


def test_many_numbers_in_one_sentence() -> None:
    # Each joins what stands before it, which takes minutes where all of that is looked at again.
    assert split_sentences("No. 5 " * 8000) == [(0, 47_999)]
