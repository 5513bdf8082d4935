"""Labelling that survives being stopped: parts, each written whole, joined in the end.

Beside the output ``FILE`` stands ``FILE.parts/`` while the work goes on. It says what the job is
(``job.json``) and holds a file for every part that is done. A job that was killed reads its input
again, which is fast, and labels only what is missing. That the input is still the same is checked
part by part.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from framing import __version__
from framing.artifacts import (
    JOB,
    atomic_path,
    printable,
    read_json,
    refuse_existing,
    write_json,
)
from framing.codebook import Codebook
from framing.errors import ArtifactError, DiskError, FramingError, OutputError
from framing.inference.labeller import CHUNK, Labeller
from framing.inference.parts import (
    InputPart,
    PartSummary,
    Watch,
    label_part,
    read_bad,
    read_parts,
    read_summary,
    total,
)
from framing.inference.sources import InputFile, SourceSettings
from framing.inference.writers import Format, TableShape, write_csv, write_parquet

_SHOWN = 3
_START_AFRESH = "pass --overwrite to give up the unfinished work and start afresh"


@dataclass(frozen=True)
class Plan:
    """What is to be labelled and how: the same plan always gives the same output.

    Attributes:
        files: What is read.
        settings: How it is read.
        bundle: Hash of the model.
        recall: Of the screen; None without one.
        device: Where the model computes; digits may depend on it.
    """

    files: tuple[InputFile, ...]
    settings: SourceSettings
    bundle: str
    recall: float | None = None
    device: str = "cpu"

    def parts(self) -> Iterator[InputPart]:
        """The input, part by part."""
        return read_parts(self.files, self.settings)

    @property
    def size(self) -> int | None:
        """Bytes of the input; None where they are not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in ``job.json``."""
        settings = asdict(self.settings)
        # Whether a job stops at bad rows changes nothing in what it has labelled; whether targets
        # are marked stands in the bundle.
        del settings["strict"], settings["mark_target"]
        settings["columns"] = {name: value for name, value in settings["columns"].items() if value}
        fields = {
            "version": __version__,
            "bundle": self.bundle,
            "screen": self.recall,
            "device": self.device,
            "sentences a part": CHUNK,
            "reading": settings,
            # What they hold is checked part by part.
            "inputs": [printable(file.path) for file in self.files],
        }
        # As it will be read: JSON knows no tuples.
        plain: dict[str, Any] = json.loads(json.dumps(fields))
        return plain


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine says of one part.

    Attributes:
        number: Of the part.
        digest: Of its input.
        sentences: How many it has.
        position: Bytes of the input read so far.
        text: The part's file; None for a part that was done before.
    """

    number: int
    digest: str
    sentences: int
    position: int
    text: str | None


class Engine(Protocol):
    """Runs a plan. Outcomes come in any order, one for every part of the input."""

    def run(self, plan: Plan, done: frozenset[int]) -> Generator[Outcome, None, None]:
        """Label the parts that are not among those `done`."""


class LocalEngine:
    """Labels one part after the other in this process.

    Args:
        labeller: The model.
        watch: Called with every part and its predictions; then parts that are done are labelled
            again.
    """

    def __init__(self, labeller: Labeller, watch: Watch | None = None) -> None:
        self.labeller = labeller
        self.watch = watch

    def run(self, plan: Plan, done: frozenset[int]) -> Generator[Outcome, None, None]:
        """Label the parts that are not among those `done`."""
        for part in plan.parts():
            wanted = self.watch is not None or part.number not in done
            text = label_part(self.labeller, part, self.watch) if wanted else None
            yield Outcome(part.number, part.digest, len(part.sentences), part.position, text)


class Watcher(Protocol):
    """Is told how far a job has come."""

    def advance(self, outcome: Outcome) -> None:
        """One more part is done."""

    def restart(self) -> None:
        """Nothing is done any more: the work begins again."""


#: Writes what is made from the totals of a job.
Finish = Callable[[PartSummary], None]


def _nothing(_: PartSummary) -> None:
    """Write nothing."""


class _InputChangedError(OutputError):
    """A part that is done was made from another input than the one that is read now."""


class Job:
    """Work whose output is one file.

    Args:
        out: The file.
        kind: Its format.
        overwrite: Replace the file, or other unfinished work, where it is there already.
        further: Files that `finish` of `run` and `finish_joined` writes.
    """

    def __init__(
        self, out: Path, kind: Format, overwrite: bool, further: Sequence[Path] = ()
    ) -> None:
        self.out = out
        self.kind = kind
        self.overwrite = overwrite
        self.further = tuple(further)
        self.folder = out.with_name(out.name + JOB.folder_suffix)
        self.bad = out.with_name(out.name + JOB.bad_suffix)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """What the job writes beside its folder."""
        return self.out, self.bad, *self.further

    def refuse_existing(self) -> None:
        """Stop before work begins where an output is there that is not of this job's making.

        Raises:
            OutputError: It is there and may not be overwritten, or cannot be looked at; or what
                stands in the place of the job's folder is something else.
        """
        with _told(self.folder):
            self._refuse_other_folder()
            if self._is_joined():
                return
            for path in (self.out, *self.further):
                refuse_existing(path, self.overwrite)
            if not self._is_ours(self.bad):
                refuse_existing(self.bad, self.overwrite)

    def _refuse_other_folder(self) -> None:
        """Stop where the folder is not of a job's making: it is removed in the end."""
        if not self.folder.exists() or self._is_of_a_job():
            return
        raise OutputError(
            f"{self.folder}: expected no such file or folder, or one of unfinished work (with "
            f"{JOB.record} or {JOB.lock} in it), found something else; move it or name another "
            "output"
        )

    def _is_of_a_job(self) -> bool:
        if any((self.folder / name).exists() for name in (JOB.lock, JOB.record)):
            return True
        # A job that was killed in its first or last moment leaves an empty one.
        return self.folder.is_dir() and not any(self.folder.iterdir())

    def finish_joined(
        self,
        plan: Plan,
        finish: Finish = _nothing,
        again: tuple[Engine, Watcher] | None = None,
    ) -> bool:
        """Finish a job that was stopped after its last part: further files, then clean up.

        Args:
            plan: What is to be labelled now.
            finish: As in `run`; called if that job was of the same plan.
            again: What labels all parts once more before that, and is told of them, where `finish`
                needs to have seen them; the output stays as it is.

        Returns:
            Whether that job was of the same plan, so that nothing is left to be done.

        Raises:
            OutputError: Another process is at it, a file cannot be written or removed, or the input
                that is labelled again has changed.
        """
        with _told(self.folder):
            if self.overwrite or not self._is_joined():
                return False
            with _locked(self.folder / JOB.lock):
                same = _read_record(self.folder / JOB.record, lenient=True) == plan.to_dict()
                if same and again is not None:
                    self._label_again(plan, *again)
                if same:
                    finish(PartSummary.from_dict(self._joined()["totals"]))
                self._clean_up()
        return same

    def _label_again(self, plan: Plan, engine: Engine, watcher: Watcher) -> None:
        with closing(engine.run(plan, frozenset())) as outcomes:
            for outcome in outcomes:
                path = self._part(outcome.number)
                # Some are missing where the job was stopped while it cleaned up.
                if path.exists():
                    self._check_same(path, outcome.digest)
                watcher.advance(outcome)

    def _is_joined(self) -> bool:
        return self._is_ours(self.out)

    def _is_ours(self, path: Path) -> bool:
        """Whether an output is the very file that was made from these parts."""
        try:
            inodes: Mapping[str, int] = self._joined().get("inodes", {})
            return inodes.get(path.name) == path.stat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _joined(self) -> Mapping[str, Any]:
        """What was joined: the outputs' inodes, and the totals."""
        found = json.loads((self.folder / JOB.done).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}

    def run(
        self,
        plan: Plan,
        engine: Engine,
        book: Codebook,
        watcher: Watcher,
        finish: Finish = _nothing,
    ) -> PartSummary:
        """Do what is not done yet, then join the parts.

        Args:
            plan: What is to be labelled.
            engine: What labels it.
            book: The codebook of the bundle.
            watcher: Is told of every part.
            finish: Writes further files. It is called when the outputs stand, with the summary of
                all parts, and again when a job is continued that was stopped meanwhile: files with
                the same content must not trouble it.

        Returns:
            The summary of all parts.

        Raises:
            OutputError: An output is there already, other work is unfinished here, another
                process is at it, the input changed, or a file cannot be written.
        """
        with _told(self.folder):
            self._refuse_other_folder()
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / JOB.lock):
                try:
                    self._begin(plan)
                    count = self._label(plan, engine, watcher)
                except FramingError:
                    self._leave_nothing_empty()
                    raise
                summary = self._join(count, book)
                finish(summary)
                self._clean_up()
        return summary

    def _begin(self, plan: Plan) -> None:
        record = self.folder / JOB.record
        wanted = plan.to_dict()
        if self._is_joined():
            self._open_again(wanted)
        # Another process may have finished since this was looked at first.
        self.refuse_existing()
        if self._is_ours(self.bad):
            self.bad.unlink()
        if record.exists():
            differences = list(_differences(_read_record(record, self.overwrite), wanted))
            if differences and self._done() and not self.overwrite:
                raise OutputError(_other_job(self.folder, differences))
            if differences:
                _clear(self.folder)
        for leftover in self.folder.glob(".*"):
            if JOB.is_own(leftover.name):
                leftover.unlink()
        if not record.exists():
            write_json(record, wanted)

    def _open_again(self, wanted: Mapping[str, Any]) -> None:
        """Make unfinished work of a job that was stopped after its last part.

        What it has labelled stays where the plan is the same, as of any unfinished work: that its
        input is the same too is seen when it is read again.
        """
        if _read_record(self.folder / JOB.record, lenient=True) == wanted:
            (self.folder / JOB.done).unlink()
        else:
            _clear(self.folder)

    def _done(self) -> frozenset[int]:
        numbers = (JOB.number(path.name) for path in self.folder.iterdir())
        return frozenset(number for number in numbers if number is not None)

    def _leave_nothing_empty(self) -> None:
        if not self._done():
            self._clean_up()

    def _part(self, number: int) -> Path:
        return self.folder / JOB.part(number)

    def _label(self, plan: Plan, engine: Engine, watcher: Watcher) -> int:
        try:
            return self._label_missing(plan, engine, watcher)
        except _InputChangedError:
            if not self.overwrite:
                raise
        _clear(self.folder)
        write_json(self.folder / JOB.record, plan.to_dict())
        watcher.restart()
        return self._label_missing(plan, engine, watcher)

    def _label_missing(self, plan: Plan, engine: Engine, watcher: Watcher) -> int:
        done = self._done()
        count = 0
        with closing(engine.run(plan, done)) as outcomes:
            for outcome in outcomes:
                count += 1
                path = self._part(outcome.number)
                if outcome.number in done:
                    self._check_same(path, outcome.digest)
                elif outcome.text is not None:
                    _write_durably(path, outcome.text)
                watcher.advance(outcome)
        return count

    def _check_same(self, path: Path, digest: str) -> None:
        with _open_part(path) as file:
            found = read_summary(file).digest
        if found != digest:
            raise _InputChangedError(
                f"{self.folder}: the input has changed since this work began: what is read now "
                f"differs from what stands in {path.name}; {_START_AFRESH}"
            )

    def _join(self, count: int, book: Codebook) -> PartSummary:
        paths = [self._part(number) for number in range(count)]
        summary = total(_summaries(paths))
        joined, bad = self.folder / JOB.joined, self.folder / JOB.bad
        write_joined(joined, self.kind, paths, TableShape(book, summary.columns))
        made = {joined: self.out}
        if summary.bad_rows or summary.bad_files:
            _write_bad(bad, paths)
            made = {bad: self.bad, joined: self.out}
        for path in made:
            _sync(path)
        # A file keeps its inode when it is renamed, so that a kill at any moment leaves no doubt.
        inodes = {to.name: path.stat().st_ino for path, to in made.items()}
        done = {"inodes": inodes, "totals": asdict(summary)}
        _write_durably(self.folder / JOB.done, json.dumps(done))
        if self.bad not in made.values():
            # One of an earlier job with this output.
            self.bad.unlink(missing_ok=True)
        for path, to in made.items():
            path.replace(to)
        _sync_names(self.out.parent)
        return summary

    def _clean_up(self) -> None:
        _clear(self.folder)
        (self.folder / JOB.lock).unlink(missing_ok=True)
        # What somebody else put there stays.
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _clear(folder: Path) -> None:
    """Remove all of a job but the lock; what tells that all is joined, and of what, goes last."""
    last = (JOB.record, JOB.done)
    for path in folder.iterdir():
        if JOB.is_own(path.name) and path.name not in (JOB.lock, *last):
            path.unlink()
    for name in last:
        (folder / name).unlink(missing_ok=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Tell what the system refuses, such as a full disk, as an error; what is done stays."""
    advice = "mend this, then run the same command again: it continues"
    try:
        yield
    except DiskError as error:
        raise OutputError(f"{error}; {advice}") from None
    except OSError as error:
        where = error.filename or folder
        raise OutputError(f"{where}: cannot write: {error.strerror or error}; {advice}") from None


def _sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # It opens no folders.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems have no such call for folders.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _write_durably(path: Path, text: str) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the system takes away from a process that dies."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever finishes removes the lock with the folder.
            free = path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno()))
        except BlockingIOError:
            free = False
        if not free:
            raise OutputError(
                f"{path.parent}: another process is at this work; let it finish, or stop it first"
            )
        yield


def _read_record(path: Path, lenient: bool) -> Mapping[str, Any]:
    """What a job is; nothing where that cannot be read and need not be."""
    try:
        found = read_json(path)
    except ArtifactError as error:
        if lenient:
            return {}
        raise OutputError(f"{error}; {_START_AFRESH}") from None
    return found if isinstance(found, dict) else {}


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in ("version", "bundle", "screen", "device", "sentences a part"):
        if found.get(name) != wanted[name]:
            yield f"{name}: {found.get(name)}, now {wanted[name]}"
    before, now = found.get("reading") or {}, wanted["reading"]
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            yield f"{name}: {before.get(name)}, now {now.get(name)}"
    yield from _other_files(found.get("inputs") or [], wanted["inputs"])


def _other_files(before: list[str], now: list[str]) -> Iterator[str]:
    if before == now:
        return
    added, gone = set(now) - set(before), set(before) - set(now)
    changed = [f"{name} is new" for name in now if name in added]
    changed += [f"{name} was there before" for name in before if name in gone]
    yield from (f"inputs: {text}" for text in changed[:_SHOWN] or ["in another order"])
    if len(changed) > _SHOWN:
        yield f"inputs: {len(changed) - _SHOWN} more"


def _other_job(folder: Path, differences: Iterable[str]) -> str:
    lines = "".join(f"\n  - {difference}" for difference in differences)
    return (
        f"{folder}: holds unfinished work of another command; give that command again to continue "
        f"it, name another output, or {_START_AFRESH}. What differs:{lines}"
    )


@contextmanager
def _open_part(path: Path) -> Iterator[IO[str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        yield file


def _summaries(paths: Iterable[Path]) -> Iterator[PartSummary]:
    for path in paths:
        with _open_part(path) as file:
            yield read_summary(file)


def write_joined(path: Path, kind: Format, parts: Sequence[Path], shape: TableShape) -> None:
    """Write the records of labelled parts to one file.

    Args:
        path: The file.
        kind: Its format.
        parts: Files of labelled parts.
        shape: The columns, for tables.
    """
    if kind == "parquet":
        write_parquet(path, _records(parts), shape)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if kind == "csv":
            write_csv(file, _records(parts), shape)
        else:
            file.writelines(_records(parts))


def _records(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        with _open_part(path) as file:
            read_bad(file, read_summary(file))
            yield from file


def _write_bad(path: Path, parts: Iterable[Path]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        for part in parts:
            with _open_part(part) as file:
                out.write(read_bad(file, read_summary(file)))
