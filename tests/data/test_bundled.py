"""The bundled corpora: their hashes, splits and cards say what the data say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framing.codebook import load_codebook
from framing.corpora import BUNDLED, CORPUS, corpus_folder
from framing.data import bundled
from framing.data.bundled import load_bundled, load_bundled_splits, load_card
from framing.data.corpus import Corpus
from framing.errors import DataError
from tests.data import seal

AGAIN = "; if the change is meant, run: python -m tests.data.seal"


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_bundled("security_talks")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundled corpus that is read in its place."""
    folder = tmp_path / "security_talks"
    shutil.copytree(corpus_folder("security_talks"), folder)
    monkeypatch.setattr(bundled, "corpus_folder", lambda name: tmp_path / name)
    return folder


def test_every_folder_is_listed() -> None:
    found = {p.name for p in corpus_folder("").iterdir() if (p / CORPUS.sentences).is_file()}
    assert found == set(BUNDLED)
    for name in found:
        assert load_codebook(corpus_folder(name) / CORPUS.codebook).name == name


def test_manifest_names_every_file() -> None:
    for name in BUNDLED:
        folder = corpus_folder(name)
        named = [x.split("  ")[1] for x in (folder / CORPUS.manifest).read_text().splitlines()]
        files = {p.name for p in folder.iterdir()} - {CORPUS.manifest, ".gitattributes"}
        assert set(named) == files, AGAIN
        assert "LICENSE" in files


@pytest.mark.parametrize("name", BUNDLED)
def test_card_and_splits_are_what_the_data_say(name: str) -> None:
    corpus, card = load_bundled(name), load_card(name)
    splits = load_bundled_splits(name, corpus)
    assert splits == seal.splits_of(corpus), AGAIN
    path = corpus_folder(name) / CORPUS.card
    text = path.read_text(encoding="utf-8")
    assert text == seal.card_text(text, corpus, splits), AGAIN
    assert path.with_name("README.md").read_text(encoding="utf-8") == seal.readme(card), AGAIN
    assert card["facts"]["hash"] == corpus.hash == splits.corpus


@pytest.mark.parametrize("name", BUNDLED)
def test_card_tells_origin_licence_and_limits(name: str) -> None:
    card = load_card(name)
    assert card["name"] == name
    for key in ("title", "licence", "origin", "coding", "limits", "use"):
        assert card[key], key


def test_card_of_security_talks_says_what_kind_of_text_it_is() -> None:
    card = load_card("security_talks")
    assert card["licence"] == "CC-BY-4.0"
    assert "language models" in card["origin"]
    assert any("flatter" in limit for limit in card["limits"])
    licence = (corpus_folder("security_talks") / "LICENSE").read_text(encoding="utf-8")
    assert "creativecommons.org/licenses/by/4.0" in licence


def test_security_talks(corpus: Corpus) -> None:
    assert (len(corpus.sentences), len(corpus.documents)) == (24568, 1983)
    assert corpus.coders == ("A", "B", "adjudicator")
    for s in corpus.sentences:
        assert s.metadata["part"] == s.id.split("-")[0]
        assert s.metadata["genre"]
        assert (s.previous == "") == (s.position == 0)


def test_splits_have_like_shares(corpus: Corpus) -> None:
    splits = load_bundled_splits("security_talks", corpus)
    labels = ("security_guarantees", "deescalation_demand", "nato_concerns")
    for key in ("sentences", *(f"frames.{label}" for label in labels)):
        total = sum(counts[key] for counts in splits.counts.values())
        found = {name: counts[key] / total for name, counts in splits.counts.items()}
        assert found == pytest.approx(dict(splits.fractions), abs=0.01)


@pytest.mark.parametrize(
    "file", [CORPUS.sentences, CORPUS.annotations, CORPUS.codebook, CORPUS.splits, CORPUS.card]
)
def test_altered_file(copy: Path, file: str) -> None:
    with (copy / file).open("ab") as stream:
        stream.write(b"\n")
    for read in (load_bundled, load_card):
        with pytest.raises(DataError, match=rf"{file}: hash differs.*Install the package again"):
            read("security_talks")


def test_missing_file(copy: Path) -> None:
    assert load_card("security_talks")["name"] == "security_talks"
    (copy / CORPUS.annotations).unlink()
    with pytest.raises(DataError, match=r"annotations\.jsonl: named in .*, but missing\. Install"):
        load_bundled("security_talks")


def test_splits_of_another_corpus(corpus: Corpus) -> None:
    part = corpus.subset(s.id for s in corpus.sentences[:100])
    with pytest.raises(DataError, match="made for other sentences"):
        load_bundled_splits("security_talks", part)


def test_unknown_name() -> None:
    message = "unknown bundled corpus 'security_talk'; known: security_talks. Did you mean"
    with pytest.raises(DataError, match=message):
        load_bundled("security_talk")


def test_reading_loads_no_heavy_package() -> None:
    script = (
        "import json, sys\n"
        "from framing.data.bundled import load_bundled\n"
        "load_bundled('security_talks')\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "transformers", "datasets", "evaluate", "sklearn", "pandas", "matplotlib"}
    assert heavy.isdisjoint(json.loads(done.stdout))


@pytest.mark.shared
def test_same_content_as_the_source(corpus: Corpus, shared: Path) -> None:
    text = (shared / "security_talks" / "sentences.jsonl").read_text(encoding="utf-8")
    sources = [json.loads(line) for line in text.splitlines()]
    # Parts w16 and later were composed afterwards.
    for sentence, source in zip(corpus.sentences[: len(sources)], sources, strict=True):
        assert (sentence.id, sentence.text) == (source["id"], source["text"])
        assert (sentence.doc_id, sentence.previous) == (source["doc_id"], source["previous"])
