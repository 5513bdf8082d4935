"""Readers, one for the form of each benchmark's files.

Each takes the folder with the files and the codebook, and gives sentences and annotations. What a
reader leaves out or adds is said in the benchmark's card.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlparse

from framing.codebook import Codebook
from framing.data.columns import as_text
from framing.data.tables import Row, iter_rows
from framing.encoding import TARGET_END, TARGET_START
from framing.errors import DataError, unknown_name
from framing.records import GOLD, Annotation, Sentence

Records = tuple[list[Sentence], list[Annotation]]


def _cell(row: Row, column: str) -> str:
    """A cell of a row as text.

    Raises:
        DataError: There is no such column; with the place.
    """
    if column not in row.values:
        raise DataError(f"{row.place}: {unknown_name('column', column, row.values)}")
    return as_text(row.values[column]).strip()


def _code(codes: Mapping[str, str], found: str, where: object) -> str:
    """The label that a code stands for.

    Raises:
        DataError: It is none of the codes; with the place.
    """
    if found not in codes:
        raise DataError(f"{where}: {unknown_name('code', found, codes)}")
    return codes[found]


# TweetEval stance: a folder a target, a text file and a label file a split, a line a tweet.

#: Folder -> the target as the shared task words it.
TWEETEVAL_TARGETS = {
    "abortion": "Legalization of Abortion",
    "atheism": "Atheism",
    "climate": "Climate Change is a Real Concern",
    "feminist": "Feminist Movement",
    "hillary": "Hillary Clinton",
}
_TWEETEVAL_SPLITS = ("train", "val", "test")
_TWEETEVAL_CODES = {"0": "none", "1": "against", "2": "favor"}


def read_tweeteval_stance(root: Path, book: Codebook) -> Records:
    """Read the five stance sets of TweetEval."""
    head = book.heads[0].name
    sentences, annotations = [], []
    for folder, target in TWEETEVAL_TARGETS.items():
        for split in _TWEETEVAL_SPLITS:
            path = root / folder / f"{split}_labels.txt"
            texts, codes = _lines(root / folder / f"{split}_text.txt"), _lines(path)
            if len(texts) != len(codes):
                raise DataError(
                    f"{path}: expected {len(texts)} labels, one a tweet, found {len(codes)}"
                )
            metadata = {"target": folder, "split": split}
            for k, (text, code) in enumerate(zip(texts, codes, strict=True)):
                name = f"{folder}-{split}-{k}"
                label = _code(_TWEETEVAL_CODES, code, f"{path}:{k + 1}")
                sentences.append(Sentence(name, text, name, target=target, metadata=metadata))
                annotations.append(Annotation(name, GOLD, {head: (label,)}))
    return sentences, annotations


def _lines(path: Path) -> list[str]:
    """The lines of a text file, without white space at their ends.

    Raises:
        DataError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read: {error}") from None
    # Not splitlines(): a tweet may hold characters that it takes for line ends.
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


# NewsMTSC: JSON lines, a sentence each, with any number of targets that were coded one by one.

_NEWSMTSC_FILES = {"train": "train.jsonl", "rw": "devtest_rw.jsonl", "mt": "devtest_mt.jsonl"}
_NEWSMTSC_CODES = {"2": "negative", "4": "neutral", "6": "positive"}
_NEWSMTSC_ID = re.compile(r"(?P<article>(?P<source>allsides)_\d+_\d+|(?P<other>polusa)_v1_\d+)_")


def read_newsmtsc(root: Path, book: Codebook) -> Records:
    """Read NewsMTSC; each target of a sentence becomes a sentence of its own."""
    head = book.heads[0].name
    sentences, annotations = [], []
    for part, name in _NEWSMTSC_FILES.items():
        for row in iter_rows(root / name):
            text = as_text(row.values.get("sentence_normalized"))
            for target in row.values.get("targets") or ():
                sentence = _mention(replace(row, values=target), text, part)
                code = _code(_NEWSMTSC_CODES, as_text(target.get("polarity")), row.place)
                sentences.append(sentence)
                annotations.append(Annotation(sentence.id, GOLD, {head: (code,)}))
    return sentences, annotations


def _mention(row: Row, text: str, part: str) -> Sentence:
    name, mention = _cell(row, "Input.gid"), as_text(row.values.get("mention"))
    start, end = int(_cell(row, "from")), int(_cell(row, "to"))
    if text[start:end] != mention:
        raise DataError(
            f"{row.place}: expected {mention!r} at characters {start} to {end}, found "
            f"{text[start:end]!r}"
        )
    found = _NEWSMTSC_ID.match(name)
    if found is None:
        raise DataError(f"{row.place}: expected an id of an article and a place, found {name!r}")
    metadata = {
        "set": part,
        "source": found["source"] or found["other"],
        TARGET_START: str(start),
        TARGET_END: str(end),
    }
    # The sets share articles but not sentences, and no document may stand in two splits.
    return Sentence(name, text, f"{part}-{found['article']}", target=mention, metadata=metadata)


# GWSD: a table with a column a worker.

_GWSD_WORKERS = tuple(f"worker_{k}" for k in range(8))
_GWSD_CODES = {"agrees": "agree", "neutral": "neutral", "disagrees": "disagree"}


def read_gwsd(root: Path, book: Codebook) -> Records:
    """Read GWSD: eight workers' codes, and as gold the most probable consensus label."""
    head = book.heads[0]
    sentences, annotations = [], []
    for row in iter_rows(root / "GWSD.tsv"):
        # Five sentences with known answers recur in every batch to screen workers.
        if _cell(row, "sent_id").startswith("s"):
            continue
        name, text = _cell(row, "guid"), _cell(row, "sentence")
        held_out = _cell(row, "in_held_out_test").lower()
        metadata = {"round": _cell(row, "round"), "held_out": held_out}
        sentences.append(Sentence(name, text, name, metadata=metadata))
        for worker in _GWSD_WORKERS:
            label = _code(_GWSD_CODES, _cell(row, worker), row.place)
            annotations.append(Annotation(name, worker, {head.name: (label,)}))
        consensus = max(head.labels, key=lambda label: float(_cell(row, label)))
        annotations.append(Annotation(name, GOLD, {head.name: (consensus,)}))
    return _one_document_a_text(sentences), annotations


def _one_document_a_text(sentences: Iterable[Sentence]) -> list[Sentence]:
    """Give sentences of one text one document, so that no split holds a copy of another's."""
    first: dict[str, str] = {}
    return [
        replace(s, doc_id=first.setdefault(" ".join(s.text.lower().split()), s.doc_id))
        for s in sentences
    ]


# GVFC: a table with two columns of frames.

_GVFC_NONE = "99"
_GVFC_THEMES = ("Q3 Theme1", "Q3 Theme2")


def read_gvfc(root: Path, book: Codebook) -> Records:
    """Read GVFC: headlines with the frames of both columns, and which of them was named first."""
    frames, first = book.variable("frames"), book.variable("first_frame")
    codes = {str(k): label for k, label in enumerate(frames.label_ids, start=1)}
    sentences, annotations = [], []
    for row in iter_rows(root / "GVFC_extension_multimodal.csv"):
        name = f"gvfc-{_cell(row, 'id')}"
        source = urlparse(_cell(row, "article_url")).netloc.removeprefix("www.")
        sentences.append(Sentence(name, _cell(row, "headline"), name, metadata={"source": source}))
        found = [_cell(row, column) for column in _GVFC_THEMES]
        given = [_code(codes, code, row.place) for code in found if code != _GVFC_NONE]
        if not given:
            raise DataError(f"{row.place}: expected at least one frame, found none")
        ordered = tuple(label for label in frames.label_ids if label in given)
        values = {frames.id: ordered, first.id: (given[0],)}
        annotations.append(Annotation(name, GOLD, values))
    return _one_document_a_text(sentences), annotations


# UNSCon: a table with a row a sentence; speech, speaker and paragraph stand in the file's name.

_UNSCON_FILE = re.compile(
    r"(?P<debate>UNSC_(?P<year>\d{4})_SPV\.\d+)_(?P<speech>spch\d+)_"
    r"(?P<speaker>.+?)(?:_neg|_pos)?(?:_|%20)(?P<paragraph>\d+)(?:_\w+)?\.txt\Z"
)
_UNSCON_ABSENT = "_"
_UNSCON_CODES = {
    "Direct_NegEval": "direct_negative",
    "Indirect_NegEval": "indirect_negative",
    "Challenge": "challenge",
    "Correction": "correction",
}
_UNSCON_COUNTRIES = {
    "-NONE-": "none",
    "russian_federation": "russia",
    "ukraine": "ukraine",
    "united_states_of_america": "united_states",
}
#: Layers of the annotation: column of the code, column of the country it is aimed at.
_UNSCON_LAYERS = (("A0", "A4"), ("B1", "B3"))


@dataclass(frozen=True, slots=True)
class _SpeechRow:
    row: Row
    file: re.Match[str]
    start: int

    @property
    def speech(self) -> str:
        return f"{self.file['debate']}_{self.file['speech']}"

    @property
    def place(self) -> tuple[int, int]:
        """Paragraph of the speech, and offset in it."""
        return int(self.file["paragraph"]), self.start


def read_unscon(root: Path, book: Codebook) -> Records:
    """Read UNSCon's sentences in the order of the speeches."""
    speeches: defaultdict[str, list[_SpeechRow]] = defaultdict(list)
    for row in iter_rows(root / "conflict_annotations_sentences.csv"):
        found = _speech_row(row)
        speeches[found.speech].append(found)
    sentences: list[Sentence] = []
    annotations: list[Annotation] = []
    for rows in speeches.values():
        ordered = sorted(rows, key=lambda r: r.place)
        made = list(_speech(ordered))
        sentences += made
        annotations += [
            Annotation(sentence.id, GOLD, _conflict(found.row, book))
            for sentence, found in zip(made, ordered, strict=True)
        ]
    return sentences, annotations


def _speech_row(row: Row) -> _SpeechRow:
    name, offsets = _cell(row, "file_id"), _cell(row, "sentence_char_offsets")
    file = _UNSCON_FILE.match(name)
    start = offsets.partition("-")[0]
    if file is None or not start.isdigit():
        raise DataError(
            f"{row.place}: expected a name such as UNSC_2014_SPV.1_spch001_Country_00.txt and "
            f"offsets such as 0-120, found {name!r} and {offsets!r}"
        )
    return _SpeechRow(row, file, int(start))


def _speech(rows: Sequence[_SpeechRow]) -> Iterator[Sentence]:
    """The sentences of one speech; the one before is known within and between paragraphs."""
    before: tuple[int, str] | None = None
    for position, found in enumerate(rows):
        paragraph, _ = found.place
        text = " ".join(_cell(found.row, "sentence_text").split())
        follows = before is not None and paragraph - before[0] <= 1
        yield Sentence(
            id=f"{found.speech}-{paragraph}-{found.start}",
            text=text,
            doc_id=found.speech,
            position=position,
            previous=before[1] if before is not None and follows else "",
            metadata={
                "debate": found.file["debate"],
                "speaker": _country(found.file["speaker"]),
                "date": found.file["year"],
            },
        )
        before = paragraph, text


def _country(name: str) -> str:
    """A country's name without the marks of its second and third speech."""
    return re.sub(r"(?<=[a-z])A?\d*\Z", "", name).replace("_", " ").title()


def _conflict(row: Row, book: Codebook) -> dict[str, tuple[str, ...]]:
    given: dict[str, str] = {}
    for column, aimed_at in _UNSCON_LAYERS:
        code = _cell(row, column)
        if code != _UNSCON_ABSENT:
            country = _cell(row, aimed_at)
            label = _code(_UNSCON_CODES, code, row.place)
            given[label] = _UNSCON_COUNTRIES.get(country, "other")
    labels = book.variable("conflict").label_ids
    values = {"conflict": tuple(label for label in labels if label in given)}
    return values | {f"target_country.{label}": (country,) for label, country in given.items()}


#: Benchmark -> reader of its files.
READERS: Mapping[str, Callable[[Path, Codebook], Records]] = {
    "gvfc": read_gvfc,
    "gwsd": read_gwsd,
    "newsmtsc": read_newsmtsc,
    "tweeteval_stance": read_tweeteval_stance,
    "unscon": read_unscon,
}
