"""Run and bundle layouts, atomic writes and hashes: the only module that knows file names."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framing.errors import ArtifactError, DiskError, OutputError
from framing.records import Prediction


@dataclass(frozen=True, slots=True)
class _RunNames:
    config: str = "config.yaml"
    record: str = "run.json"
    seen: str = "seen.txt"
    checkpoint: str = "checkpoint"
    trainer: str = "trainer"
    teacher: str = "teacher.parquet"
    bundle: str = "bundle"
    baselines: str = "baselines"
    predictions: str = "predictions"
    evaluations: str = "evaluations"
    scores: str = "scores.json"
    report_html: str = "report.html"
    report_markdown: str = "report.md"
    card: str = "README.md"
    manifest: str = "MANIFEST.sha256"


@dataclass(frozen=True, slots=True)
class _BundleNames:
    graph: str = "model.onnx"
    reading: str = "reading.onnx"
    tokenizer: str = "tokenizer.json"
    codebook: str = "codebook.json"
    decisions: str = "decisions.json"
    settings: str = "bundle.json"
    screen: str = "screen.npz"
    development: str = "development.npz"
    manifest: str = "MANIFEST.sha256"


@dataclass(frozen=True, slots=True)
class _BaselineNames:
    table: str = "table.json"
    arrays: str = "linear.npz"
    decisions: str = "decisions.json"
    encoder: str = "encoder.onnx"


@dataclass(frozen=True, slots=True)
class _SeedsNames:
    folder: str = "seeds"
    summary: str = "summary.json"
    report: str = "summary.md"


@dataclass(frozen=True, slots=True)
class _CurveNames:
    folder: str = "curve"
    documents: str = "documents.txt"


@dataclass(frozen=True, slots=True)
class _FoldNames:
    """Endings of what stands for one training whose predictions alone are kept."""

    training: str = "training"
    predictions: str = "predictions.jsonl"


@dataclass(frozen=True, slots=True)
class _ReviewNames:
    folder: str = "review"
    table: str = "review.csv"

    def splits(self, number: int) -> str:
        return f"fold-{number}.json"


@dataclass(frozen=True, slots=True)
class _JobNames:
    """Of the folder beside an output in which the parts of unfinished work stand."""

    folder_suffix: str = ".parts"
    bad_suffix: str = ".bad.jsonl"
    record: str = "job.json"
    lock: str = "lock"
    joined: str = "joined"
    bad: str = "bad"
    done: str = "done"

    def part(self, number: int) -> str:
        return f"part-{number:06d}.jsonl"

    def number(self, name: str) -> int | None:
        """Of the part that a file holds; None for other files."""
        found = re.fullmatch(r"part-([0-9]{6,})\.jsonl", name)
        return int(found[1]) if found else None

    def is_own(self, name: str) -> bool:
        """Whether a file is one of these, or one that `atomic_path` is to make one of them."""
        if name.startswith("."):
            name = name[1:].rpartition(".")[0]
        fixed = (self.record, self.lock, self.joined, self.bad, self.done)
        return name in fixed or self.number(name) is not None


RUN = _RunNames()
JOB = _JobNames()
CURVE = _CurveNames()
FOLD = _FoldNames()
REVIEW = _ReviewNames()
SEEDS = _SeedsNames()
BUNDLE = _BundleNames()
BASELINE = _BaselineNames()


def printable(path: Path | str) -> str:
    r"""A path as text that can be shown and stored: bytes that are not UTF-8 stand as ``\xe9``."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(where: Path | str) -> Iterator[None]:
    """Tell what the system refuses while something is written, such as for a full disk.

    Args:
        where: What is written, for the message.

    Raises:
        DiskError: The system refused. A pipe whose reader has gone is no matter of the disk.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DiskError(f"{printable(where)}: cannot write: {error.strerror or error}") from None


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it there when the block succeeds.

    A reader sees the old file or the whole new one, never half of it; after a failure the
    temporary file is removed and `path` is as it was.

    Args:
        path: Where the file shall stand in the end.

    Yields:
        Where to write it.

    Raises:
        OutputError: The folder cannot be written.
        DiskError: The file cannot be written to its end.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OutputError(f"{path}: cannot write here: {error.strerror}") from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        with writing(path):
            yield temporary
            # mkstemp makes files private; an output should have the usual permissions.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with line feeds on every platform."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_output(path: Path, text: str, overwrite: bool) -> None:
    """Write text as an output; one that stands there with the same content stays.

    Raises:
        OutputError: Another file stands there and may not be overwritten, or it cannot be written.
    """
    if path.is_file() and path.read_bytes() == text.encode():
        return
    refuse_existing(path, overwrite)
    write_text(path, text)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ArtifactError: It is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path}: not valid JSON: {error}") from None


def check_above(folder: Path) -> None:
    """Stop before work begins where a folder could not be made.

    Raises:
        OutputError: It, or what would be above it, is no folder.
    """
    above = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise OutputError(f"{folder}: cannot be a folder: {above} is a file; name another place")


def make_folder(path: Path) -> None:
    """Make a folder with those above it, if it is not there.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot make this folder: {error.strerror}; name another place"
        ) from None


def read_seen(run: Path) -> frozenset[str] | None:
    """Hashes of the texts that a run has learnt from; bundles, and older runs, keep none."""
    path = run / RUN.seen
    if not path.is_file():
        return None
    return frozenset(path.read_text(encoding="utf-8", errors="replace").split())


def refuse_existing(path: Path, overwrite: bool = False) -> None:
    """Stop before work begins when an output is there already.

    Raises:
        OutputError: `path` exists and may not be overwritten.
    """
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path}: exists already; name another output, or pass --overwrite to replace it"
        )


def check_run(folder: Path) -> None:
    """Check that a folder is a run whose model is trained.

    Raises:
        ArtifactError: It is another folder, or an unfinished run.
    """
    if (folder / RUN.record).is_file():
        return
    if (folder / RUN.config).is_file():
        raise ArtifactError(
            f"{folder}: this run is unfinished; run its training command again to complete it"
        )
    raise ArtifactError(f"{folder}: not a run's folder (no {RUN.record} in it)")


def write_manifest(folder: Path, name: str, leave_out: Iterable[str] = ()) -> str:
    """Write ``sha256  path`` lines for every file of a folder, in order of path.

    Args:
        folder: What to describe.
        name: The manifest's own name, which is left out of it.
        leave_out: First path segments that are not described.

    Returns:
        SHA-256 of the manifest: it changes when any file changes.
    """
    skip = {name, *leave_out}
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines = [
        f"{sha256_file(p)}  {p.relative_to(folder).as_posix()}\n"
        for p in files
        if p.relative_to(folder).parts[0] not in skip
    ]
    text = "".join(lines)
    write_text(folder / name, text)
    return hashlib.sha256(text.encode()).hexdigest()


def update_manifest(folder: Path, name: str, files: Iterable[str]) -> None:
    """Give files that were written again their new hashes in a manifest.

    Args:
        folder: What the manifest describes.
        name: The manifest's name.
        files: Paths relative to the folder; lines of other files stay as they are.
    """
    path = folder / name
    pairs = (line.partition("  ")[::2] for line in path.read_text(encoding="utf-8").splitlines())
    hashes = {relative: found for found, relative in pairs}
    hashes |= {relative: sha256_file(folder / relative) for relative in files}
    # The order of paths, as in `write_manifest`.
    ordered = sorted(hashes, key=Path)
    write_text(path, "".join(f"{hashes[relative]}  {relative}\n" for relative in ordered))


def check_manifest(folder: Path, name: str) -> str:
    """Check every file that a manifest names.

    Args:
        folder: Where the manifest and its files stand.
        name: The manifest's name.

    Returns:
        SHA-256 of the manifest.

    Raises:
        ArtifactError: A file is missing or its hash differs.
    """
    path = folder / name
    if not path.is_file():
        raise ArtifactError(f"{folder}: no {name} here, so this is not a complete folder")
    text = path.read_text(encoding="utf-8")
    for line in text.splitlines():
        expected, _, relative = line.partition("  ")
        file = folder / relative
        if not file.is_file():
            raise ArtifactError(f"{file}: named in {name}, but missing")
        found = sha256_file(file)
        if found != expected:
            raise ArtifactError(
                f"{file}: hash differs from {name}: expected {expected[:12]}..., found "
                f"{found[:12]}...; the file was altered or copied incompletely, get it again"
            )
    return hashlib.sha256(text.encode()).hexdigest()


def prediction_dict(prediction: Prediction) -> dict[str, Any]:
    """A prediction as it stands in ``predictions/<split>.jsonl``."""
    return {
        "id": prediction.sentence_id,
        "labels": {head: list(labels) for head, labels in prediction.labels.items()},
        "probabilities": {
            head: [round(p, 6) for p in values] for head, values in prediction.probabilities.items()
        },
        "bundle": prediction.bundle,
    }


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write predictions as JSON lines, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for prediction in predictions:
            file.write(json.dumps(prediction_dict(prediction), ensure_ascii=False) + "\n")


def read_predictions(path: Path) -> list[Prediction]:
    """Read what `write_predictions` wrote.

    Raises:
        ArtifactError: The file is missing or a line of it is not a prediction.
    """
    out = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                out.append(_prediction(line, f"{path}:{number}"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such predictions file") from None
    return out


def _prediction(line: str, where: str) -> Prediction:
    try:
        fields: Mapping[str, Any] = json.loads(line)
        return Prediction(
            sentence_id=fields["id"],
            probabilities={k: tuple(v) for k, v in fields["probabilities"].items()},
            labels={k: tuple(v) for k, v in fields["labels"].items()},
            bundle=fields["bundle"],
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(f"{where}: not a prediction: {error!r}") from None
