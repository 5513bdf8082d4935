"""Bundle: everything that offline inference needs, checked by hash when it is opened."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framing.artifacts import BUNDLE, RUN, check_manifest, read_json
from framing.codebook import Codebook
from framing.decisions import Decisions
from framing.encoding import InputSettings, load_tokenizer
from framing.errors import ArtifactError
from framing.inference.graphs import GRAPH_INPUTS, GRAPH_OUTPUT, JOINED_INPUTS, READ_OUTPUT, Graphs
from framing.inference.screen import Screen, load_screen

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from framing.inference.development import Outcomes

#: Format of ``bundle.json``; raised when older code could misread it.
FORMAT = 1
#: What onnxruntime shall not fuse: the operation that adds and normalises in one takes nearly four
#: times as long on CPUs as the two that it replaces.
UNFUSED = ("SkipLayerNormFusion",)


@dataclass(frozen=True, slots=True)
class Parity:
    """What a bundle keeps of the torch model, on the development split.

    Attributes:
        sentences: How many were compared.
        agreement: Share of the sentences whose decided labels are all the same.
        largest_difference: Of any probability.
        macro_f1: Variable -> macro-F1 of the bundle.
        macro_f1_torch: Variable -> macro-F1 of the torch model.
    """

    sentences: int
    agreement: float
    largest_difference: float
    macro_f1: dict[str, float]
    macro_f1_torch: dict[str, float]

    @property
    def points_lost(self) -> float:
        """Macro-F1 lost on the mean over the variables, in points; negative for a gain."""
        lost = [self.macro_f1_torch[name] - score for name, score in self.macro_f1.items()]
        return 100 * sum(lost) / max(len(lost), 1)


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """What stands in ``bundle.json``.

    Attributes:
        run: Name of the run that made the bundle.
        context: Parts of the first segment, see `framing.encoding.CONTEXT_PARTS`.
        max_length: Tokens a sequence may have.
        pad_id: Token id of padding.
        inputs: Names of the graph's inputs.
        version: Of the package that wrote it.
        codebook_hash: Of the codebook beside it.
        mark_target: Whether the mention of the target is marked.
        precision: Of the graph's weights: float32 or int8.
        parity: What the export measured; None for the bundle that a training writes.
    """

    run: str
    context: tuple[str, ...]
    max_length: int
    pad_id: int
    inputs: tuple[str, ...]
    version: str
    codebook_hash: str
    mark_target: bool = False
    precision: str = "float32"
    parity: Parity | None = None

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = BUNDLE.settings) -> BundleSettings:
        """Read what `to_json` wrote.

        Args:
            text: JSON.
            where: File name for messages.

        Returns:
            The settings.

        Raises:
            ArtifactError: The text is no settings of this format.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            found = fields["format"]
            if found != FORMAT:
                raise ArtifactError(
                    f"{where}: expected bundle format {FORMAT}, found {found!r}; export the run "
                    "again, or use the version of framing that wrote it"
                )
            return cls(
                run=str(fields["run"]),
                context=tuple(fields["context"]),
                max_length=int(fields["max_length"]),
                pad_id=int(fields["pad_id"]),
                inputs=tuple(fields["inputs"]),
                version=str(fields["version"]),
                codebook_hash=str(fields["codebook_hash"]),
                # Bundles of earlier versions do not name it, and mark nothing.
                mark_target=bool(fields.get("mark_target", False)),
                precision=str(fields.get("precision", "float32")),
                parity=None if fields.get("parity") is None else Parity(**fields["parity"]),
            )
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where}: not the settings of a bundle: {error!r}") from None


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        folder: Where it stands.
        hash: SHA-256 of its manifest.
        settings: From ``bundle.json``.
        codebook: The codebook it was trained for.
        decisions: Calibration and thresholds.
        tokenizer: Without padding or truncation of its own.
        graphs: The model's graph or graphs, ready to run.
    """

    folder: Path
    hash: str
    settings: BundleSettings
    codebook: Codebook
    decisions: Decisions
    tokenizer: Tokenizer
    graphs: Graphs

    @functools.cached_property
    def screen(self) -> Screen | None:
        """Dismisses sentences that the graph would not label; None where the bundle has none."""
        path = self.folder / BUNDLE.screen
        return load_screen(path) if path.is_file() else None

    @functools.cached_property
    def development(self) -> Outcomes | None:
        """Labels of the development split; None in bundles of earlier versions."""
        # Labelling itself needs no metrics.
        from framing.inference.development import load_outcomes

        path = self.folder / BUNDLE.development
        return load_outcomes(path, self.codebook) if path.is_file() else None

    @property
    def input_settings(self) -> InputSettings:
        """How sentences become token ids."""
        settings = self.settings
        return InputSettings(settings.context, settings.max_length, settings.mark_target)


def load_bundle(path: Path | str) -> Bundle:
    """Open a bundle and check every file of it.

    Args:
        path: The folder of a bundle, or of a run that has one.

    Returns:
        The bundle.

    Raises:
        ArtifactError: There is no bundle, a file is missing or altered, or the files do not fit
            each other.
    """
    folder = bundle_folder(Path(path))
    digest = check_manifest(folder, BUNDLE.manifest)
    settings = _settings(folder)
    codebook = _codebook(folder, settings)
    decisions = _decisions(folder, codebook)
    tokenizer = load_tokenizer(str(folder / BUNDLE.tokenizer))
    graphs = open_graphs(folder, settings.inputs, settings.pad_id)
    _check_output(graphs.session, folder / BUNDLE.graph, codebook)
    return Bundle(folder, digest, settings, codebook, decisions, tokenizer, graphs)


def bundle_folder(path: Path) -> Path:
    """The folder of the bundle that a path means.

    Args:
        path: The folder of a bundle or of a run.

    Returns:
        The bundle's folder; its content is not looked at yet.

    Raises:
        ArtifactError: Neither is there.
    """
    if not path.exists():
        raise ArtifactError(f"{path}: no such folder; name a finished run or a bundle")
    if not path.is_dir():
        raise ArtifactError(f"{path}: expected the folder of a run or a bundle, found a file")
    for folder in (path, path / RUN.bundle):
        if (folder / BUNDLE.settings).is_file():
            return folder
    if (path / RUN.config).is_file():
        raise ArtifactError(
            f"{path}: this run has no {RUN.bundle}/ yet; it is unfinished, run its training "
            "command again to complete it"
        )
    raise ArtifactError(
        f"{path}: neither a run nor a bundle: expected {RUN.bundle}/{BUNDLE.settings} or "
        f"{BUNDLE.settings} in it, found {_listing(path)}"
    )


def _listing(folder: Path, most: int = 4) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "an empty folder"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _required(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ArtifactError(f"{folder}: the bundle has no {name}; export the run again") from None


def _settings(folder: Path) -> BundleSettings:
    where = folder / BUNDLE.settings
    settings = BundleSettings.from_json(_required(folder, BUNDLE.settings), str(where))
    strange = [name for name in settings.inputs if name not in GRAPH_INPUTS]
    if strange:
        raise ArtifactError(
            f"{where}: the graph wants the inputs {', '.join(strange)}; known: "
            f"{', '.join(GRAPH_INPUTS)}"
        )
    return settings


def _codebook(folder: Path, settings: BundleSettings) -> Codebook:
    where = folder / BUNDLE.codebook
    try:
        codebook = Codebook.from_dict(read_json(where))
    except (AttributeError, KeyError, TypeError) as error:
        raise ArtifactError(f"{where}: not a codebook: {error!r}") from None
    if codebook.hash != settings.codebook_hash:
        raise ArtifactError(
            f"{where}: expected the codebook {settings.codebook_hash[:12]}... named in "
            f"{BUNDLE.settings}, found {codebook.hash[:12]}...; export the run again"
        )
    return codebook


def _decisions(folder: Path, codebook: Codebook) -> Decisions:
    where = folder / BUNDLE.decisions
    try:
        decisions = Decisions.from_json(_required(folder, BUNDLE.decisions))
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{where}: not calibration and thresholds: {error!r}") from None
    lengths = {len(decisions.scale), len(decisions.bias), len(decisions.threshold)}
    if lengths != {codebook.n_logits}:
        raise ArtifactError(
            f"{where}: expected {codebook.n_logits} entries, one a logit of the codebook, found "
            f"{', '.join(map(str, sorted(lengths)))}"
        )
    return decisions


def threads() -> int:
    """Threads for the graph: the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def open_session(graph: Path) -> InferenceSession:
    """Open a graph on the CPU with the threads that this process may use.

    Raises:
        ArtifactError: The file is no graph that can be run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    # Errors reach the user as exceptions; warnings of the optimiser help nobody.
    options.log_severity_level = 3
    with refusals_told(graph):
        return onnxruntime.InferenceSession(
            str(graph),
            sess_options=options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(UNFUSED),
        )


@contextlib.contextmanager
def refusals_told(graph: Path) -> Iterator[None]:
    """Tell what onnxruntime refuses as an error of a graph's file.

    Raises:
        ArtifactError: The file is no graph that can be run.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    try:
        yield
    except (
        native.Fail,
        native.InvalidArgument,
        native.InvalidGraph,
        native.InvalidProtobuf,
        native.NoSuchFile,
        native.NotImplemented,
    ) as error:
        raise ArtifactError(f"{graph}: not a graph that can be run: {error}") from None


def open_graphs(folder: Path, inputs: Sequence[str], pad_id: int) -> Graphs:
    """Open the graphs in a folder.

    Args:
        folder: Of a bundle.
        inputs: Names of the inputs of the graph that gives logits.
        pad_id: Token id of padding.

    Raises:
        ArtifactError: One is missing, or no graph that can be run.
    """
    session = open_session(folder / BUNDLE.graph)
    if not set(inputs) & set(JOINED_INPUTS):
        return Graphs(session, inputs, pad_id)
    path = folder / BUNDLE.reading
    if not path.is_file():
        raise ArtifactError(f"{folder}: the bundle has no {BUNDLE.reading}; export the run again")
    reading = open_session(path)
    found = [output.name for output in reading.get_outputs()]
    if found != [READ_OUTPUT]:
        raise ArtifactError(
            f"{path}: expected the output {READ_OUTPUT!r}, found {', '.join(found)}"
        )
    return Graphs(session, inputs, pad_id, reading)


def _check_output(session: InferenceSession, graph: Path, codebook: Codebook) -> None:
    outputs = {output.name: output.shape for output in session.get_outputs()}
    if GRAPH_OUTPUT not in outputs:
        raise ArtifactError(
            f"{graph}: expected the output {GRAPH_OUTPUT!r}, found {', '.join(outputs)}"
        )
    width = outputs[GRAPH_OUTPUT][-1]
    # The last axis is a name, not a number, where the exporter left it free.
    if isinstance(width, int) and width != codebook.n_logits:
        raise ArtifactError(
            f"{graph}: gives {width} logits, the codebook {codebook.name!r} needs "
            f"{codebook.n_logits}"
        )
