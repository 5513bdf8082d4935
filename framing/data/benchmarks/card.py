"""The card of a benchmark: what it is, how to get it, how it is scored, what was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from framing.codebook import Codebook, load_codebook
from framing.corpora import BENCHMARKS, CORPUS, benchmark_folder
from framing.errors import DataError, unknown_name


@dataclass(frozen=True, slots=True)
class BenchmarkFile:
    """One file of a benchmark as its authors published it.

    Attributes:
        path: Below the root that a user names.
        rows: Texts or table rows in it, the header not counted.
        sha256: Of its bytes.
    """

    path: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Published:
    """A published result on the same figure.

    Attributes:
        system: Its name.
        value: In the figure's scale.
        parameters: Size of the model as its source states it, "" where it does not.
        source: Where the value is from.
    """

    system: str
    value: float
    source: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class OfficialFigure:
    """A figure by which a benchmark's systems are compared.

    Attributes:
        name: For people.
        metric: Key of `framing.metrics.OFFICIAL_METRICS`.
        variable: Variable of the codebook.
        n: Test sentences that the protocol counts.
        protocol: In a sentence or two, exactly.
        labels: Labels averaged over; () for all of the variable.
        where: Metadata field -> value of the test sentences counted; {} for all.
        scale: 1, or 100 where results are published so.
        published: Results to compare with.
    """

    name: str
    metric: str
    variable: str
    n: int
    protocol: str
    labels: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    scale: int = 1
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How a benchmark is divided.

    Attributes:
        protocol: In a sentence or two.
        column: Metadata field that decides, "" where documents are drawn.
        values: Split -> values of it.
        dev_share: Share of the training sentences drawn for development, 0 where the benchmark
            has a development split.
        fractions: Split -> share of the sentences, where documents are drawn.
        seed: Of whatever is drawn.
    """

    protocol: str
    column: str = ""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dev_share: float = 0.0
    fractions: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Card:
    """A benchmark's card.

    Attributes:
        name: Its name.
        title: For people.
        unit: What is coded.
        language: ISO 639-1 code.
        licence: As the authors state it.
        origin: Who made it of what; where the copy that the hashes are of was taken.
        reference: The paper.
        repository: Where the files are.
        commit: Whose files have these hashes.
        folder: Folder of the repository to name as root, "" for its top.
        hub: Name of a copy on the Hugging Face Hub, "" where none is known.
        hub_revision: Its commit, "" where not known.
        obtain: How to get the files.
        files: All that are read.
        counts: "sentences", "documents" and the sentences of each split.
        splits: How it is divided.
        official: The figures reported on it.
        limits: What to know before reading scores.
        codebook: What was coded.
    """

    name: str
    title: str
    unit: str
    language: str
    licence: str
    origin: str
    reference: str
    repository: str
    commit: str
    folder: str
    hub: str
    hub_revision: str
    obtain: tuple[str, ...]
    files: tuple[BenchmarkFile, ...]
    counts: Mapping[str, int]
    splits: SplitPlan
    official: tuple[OfficialFigure, ...]
    limits: tuple[str, ...]
    codebook: Codebook

    @property
    def description(self) -> str:
        """Origin, licence and limits, for reports."""
        return " ".join([self.origin, f"Licence: {self.licence}.", *self.limits])

    @property
    def how_to_get(self) -> str:
        """The way to the files in one paragraph."""
        below = f", folder {self.folder}" if self.folder else ""
        return f"{self.repository} at commit {self.commit}{below}. {' '.join(self.obtain)}".strip()


def load_card(name: str) -> Card:
    """Read the card of a benchmark.

    Args:
        name: One of `framing.corpora.BENCHMARKS`.

    Raises:
        DataError: There is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise DataError(unknown_name("benchmark", name, BENCHMARKS))
    folder = benchmark_folder(name)
    value = yaml.safe_load((folder / CORPUS.card).read_text(encoding="utf-8"))
    return _card(value, load_codebook(folder / CORPUS.codebook))


def _card(value: Mapping[str, Any], codebook: Codebook) -> Card:
    made = {
        "obtain": tuple(value["obtain"]),
        "limits": tuple(value["limits"]),
        "files": tuple(BenchmarkFile(**item) for item in value["files"]),
        "splits": _split_plan(value["splits"]),
        "official": tuple(_official(item) for item in value["official"]),
        "codebook": codebook,
    }
    texts = {key: item for key, item in value.items() if key not in made}
    return Card(**{**texts, **made})


def _split_plan(value: Mapping[str, Any]) -> SplitPlan:
    values = {split: tuple(found) for split, found in value.get("values", {}).items()}
    return SplitPlan(**{**value, "values": values})


def _official(value: Mapping[str, Any]) -> OfficialFigure:
    made = {
        "labels": tuple(value.get("labels", ())),
        "published": tuple(Published(**item) for item in value.get("published", ())),
    }
    return OfficialFigure(**{**value, **made})
