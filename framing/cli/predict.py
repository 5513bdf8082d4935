"""`framing predict --model RUN INPUT ...`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from framing.artifacts import refuse_existing, writing
from framing.cli.reading import add_reading, column_fields
from framing.errors import ConfigError, DataError, OutputError, counted
from framing.inference.writers import FORMATS, Format, format_of

if TYPE_CHECKING:
    from framing.codebook import Codebook
    from framing.data.page import Page
    from framing.inference.bundle import Bundle
    from framing.inference.job import Engine, Job, Plan
    from framing.inference.labeller import Labeller
    from framing.inference.parts import InputPart, PartSummary, Watch
    from framing.inference.sources import SourceSettings
    from framing.inference.summary import Summary
    from framing.records import Prediction, Sentence

ENGINES = ("local", "ray")
_STDIN_FORMATS = ("text", "jsonl", "csv", "tsv")
_STDOUT = "standard output"
#: Bad rows told on standard error where there is no side file.
_SHOWN = 20
#: Bytes of an input that takes a while.
_LARGE = 2**16
#: Bytes that names of files beside an output have more than it.
_NAME_ROOM = 24
#: Share of rows that could not be read, above which counts are said to be of the others.
_MUCH_UNREAD = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="article (.txt), sentences (.jsonl, .csv, .tsv, .parquet), each also compressed, a "
        "folder of these, a pattern such as 'data/*.csv', or - for standard input",
    )
    parser.add_argument(
        "--model", type=Path, required=True, metavar="RUN", help="folder of a run or of a bundle"
    )
    _add_output(parser.add_argument_group("output"))
    _add_reading(parser.add_argument_group("reading"))
    _add_engine(parser.add_argument_group("engine"))


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write .jsonl, .csv or .parquet; the same command continues what was stopped. "
        "Without it: a table on a terminal, else JSON lines",
    )
    group.add_argument("--format", choices=FORMATS, help="instead of what --out ends in")
    group.add_argument(
        "--html", type=Path, metavar="FILE", help="write a view of the articles with their labels"
    )
    group.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="write counts of labels and estimates of their true shares, as JSON",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace existing outputs and other unfinished work",
    )


def _add_reading(group: argparse._ArgumentGroup) -> None:
    add_reading(group)
    group.add_argument(
        "--stdin-format",
        choices=_STDIN_FORMATS,
        help="what standard input holds (default: JSON lines if it starts with {, else an article)",
    )
    group.add_argument(
        "--strict", action="store_true", help="stop at the first row that cannot be read"
    )


def _add_engine(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="ray: on several machines or processes; needs --out and the extra [scale]",
    )
    group.add_argument(
        "--screen",
        type=float,
        metavar="RECALL",
        help="dismiss sentences by a fast linear model first, and keep this share (such as 0.99) "
        "of those that the model would label; needs a bundle of framing export",
    )
    group.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="a GPU, as torch names it (cuda, cuda:1, mps, ...): the run's torch model labels, in "
        "float16; needs a run's folder and the extra [train] (default: cpu)",
    )
    group.add_argument("--address", help="of a Ray cluster (default: start one on this machine)")
    group.add_argument(
        "--workers", type=int, metavar="N", help="processes that label with Ray (default: 2)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    kind = _checked_outputs(args)
    _check_engine(args)
    from framing.inference.bundle import bundle_folder, load_bundle
    from framing.inference.job import Job, Plan
    from framing.inference.sources import find_inputs

    further = [path for path in (args.summary, args.html) if path is not None]
    job = None if args.out is None else Job(args.out, kind, args.overwrite, further)
    _check_apart(args, job)
    _refuse_existing(args, job, further)
    bundle_folder(args.model)
    settings = _source_settings(args)
    files = find_inputs(args.inputs, further if job is None else job.outputs)
    bundle = load_bundle(args.model)
    settings = replace(settings, mark_target=bundle.settings.mark_target)
    plan = Plan(files, settings, bundle.hash, args.screen, args.device)
    _check_development(bundle, plan)
    labeller = _labeller(args, bundle)
    ending = _Ending(args, bundle)
    if job is not None:
        if _finish_joined(job, plan, labeller, ending):
            return 0
        # The file of a job that was stopped in its last step is an output like any other now.
        job.refuse_existing()
    if labeller.screen is not None:
        print(labeller.screen.promise(args.screen), file=sys.stderr)
    if job is not None:
        return _run_job(job, plan, labeller, ending)
    return _run_stream(kind, plan, labeller, ending)


def _labeller(args: argparse.Namespace, bundle: Bundle) -> Labeller:
    if args.device == "cpu":
        from framing.inference.labeller import Labeller

        return Labeller(bundle, recall=args.screen)
    # Imports torch.
    from framing.device import device_labeller

    return device_labeller(bundle, args.model, args.device, args.screen)


def _refuse_existing(args: argparse.Namespace, job: Job | None, further: Iterable[Path]) -> None:
    if job is not None:
        job.refuse_existing()
        return
    for path in further:
        refuse_existing(path, args.overwrite)


@dataclass
class _Kept:
    """Keeps what is shown at the end: the sentences of articles, not of streams."""

    pages: list[Page] = field(default_factory=list)
    labelled: list[tuple[Sentence, Prediction]] = field(default_factory=list)

    def watch(self, part: InputPart, predictions: Sequence[Prediction]) -> None:
        if not part.number:
            # Work that begins again shows nothing twice.
            self.pages.clear()
            self.labelled.clear()
        self.pages += part.pages
        self.labelled += zip(part.sentences, predictions, strict=True)


class _Ending:
    """What comes after the last sentence: summary and view are written if wanted, and told.

    Args:
        args: Of the command.
        bundle: What labels.

    Attributes:
        kept: What the view shows; None where nothing is shown.
    """

    def __init__(self, args: argparse.Namespace, bundle: Bundle) -> None:
        self.args = args
        self.bundle = bundle
        self.summary: Summary | None = None
        self.kept = None if args.html is None else _Kept()

    @property
    def watch(self) -> Watch | None:
        """Sees labelled parts as they pass; None where nothing of them is shown."""
        return None if self.kept is None else self.kept.watch

    def finish(self, totals: PartSummary) -> None:
        """Make the summary of all that was labelled, and write what is wanted."""
        from framing.inference.summary import summarize_work, write_summary

        args = self.args
        self.summary = summarize_work(totals, self.bundle, args.screen)
        if args.summary is not None:
            write_summary(args.summary, self.summary, args.overwrite)
        if self.kept is not None and args.html is not None:
            self._write_view(self.kept)

    def _write_view(self, kept: _Kept) -> None:
        from framing.inference.article_view import write_view

        book, run = self.bundle.codebook, self.bundle.settings.run
        labelled, overwrite = kept.labelled, self.args.overwrite
        write_view(self.args.html, kept.pages, labelled, book, run, overwrite=overwrite)

    def tell(self, bad: str, *, table: bool = False) -> None:
        """Say what was done.

        Args:
            bad: File of rows that could not be read; "" where there is none.
            table: The counts stand below a table already.
        """
        from framing.inference.summary import estimate_lines

        if self.summary is None:
            return
        if not table:
            _report(self.args, self.summary, bad)
        elif self.args.summary is not None:
            _tell([f"summary -> {self.args.summary}"])
        _tell(estimate_lines(self.summary))


def _checked_outputs(args: argparse.Namespace) -> Format:
    """The format to write; everything that can be wrong with outputs is told before work."""
    kind: Format = args.format or (format_of(args.out) if args.out else "jsonl")
    if args.out is None and kind == "parquet":
        raise OutputError("--format parquet: Parquet goes to a file only; name it with --out")
    for path in _named_outputs(args).values():
        check_place(path)
    return kind


def _named_outputs(args: argparse.Namespace) -> dict[str, Path]:
    """Option -> the file that it names."""
    outputs = {f"--{name}": getattr(args, name) for name in ("out", "html", "summary")}
    return {name: path for name, path in outputs.items() if path is not None}


def _check_apart(args: argparse.Namespace, job: Job | None) -> None:
    """Stop before work begins where one output would be written over another."""
    outputs = _named_outputs(args)
    for first, second in itertools.combinations(outputs, 2):
        if _real(outputs[first]) == _real(outputs[second]):
            raise OutputError(f"{first} and {second} both name {outputs[first]}; name two files")
    if job is None:
        return
    bad, folder = _real(job.bad), _real(job.folder)
    for name, path in outputs.items():
        if _real(path) == bad:
            raise OutputError(f"{name}: {path} is for the bad rows of --out; name another file")
        if _real(path).is_relative_to(folder):
            raise OutputError(
                f"{name}: {path} is for the unfinished work of --out; name another file"
            )


def _real(path: Path) -> Path:
    """What a path leads to; `Path.resolve` raises where links lead in a circle."""
    return Path(os.path.realpath(path))


def _check_development(bundle: Bundle, plan: Plan) -> None:
    """Stop before work begins where estimates would fail at its end."""
    # Of little input nothing is lost then, and an article starts sooner.
    large = plan.size is None or plan.size >= _LARGE
    if large and bundle.codebook.multi_label_logits:
        _ = bundle.development


def check_place(path: Path) -> None:
    """Stop before work begins where a file cannot be written, or would take another's place."""
    try:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file in it")
        if path.is_symlink():
            raise OutputError(f"{path}: is a link; name the file that it leads to")
        if path.exists() and not path.is_file():
            raise OutputError(
                f"{path}: is a device or pipe, no file; name a file, or leave out --out to write "
                "to standard output"
            )
        above = path.absolute().parents
        folder = next(parent for parent in above if parent.exists() or parent.is_symlink())
        if not folder.is_dir():
            raise OutputError(f"{path}: cannot write here: {folder} is no folder")
        # Rights alone do not tell: file systems may be read-only.
        with tempfile.TemporaryFile(dir=folder):
            pass
        longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
        # Below 1 where there is no limit.
        if 0 < longest < (length := len(os.fsencode(path.name))) + _NAME_ROOM:
            raise OutputError(
                f"{path}: the name has {length} bytes, and files beside it have up to {_NAME_ROOM} "
                f"more, where {longest} are the limit; take a shorter one"
            )
    except OSError as error:
        raise OutputError(f"{path}: cannot write here: {error.strerror}") from None


def _check_engine(args: argparse.Namespace) -> None:
    if args.engine == "local":
        for name in ("address", "workers"):
            if getattr(args, name) is not None:
                raise OutputError(f"--{name} is for --engine ray only")
        return
    if args.device != "cpu":
        raise ConfigError(
            "--engine ray labels on processors; leave out --device, or label without Ray"
        )
    if args.out is None or args.html is not None:
        raise OutputError("--engine ray writes to --out FILE only, and no --html view")
    if "-" in args.inputs:
        raise DataError("--engine ray: other processes cannot read standard input; name files")
    if args.workers is not None and args.workers < 1:
        raise OutputError(f"--workers: expected at least 1, found {args.workers}")


def _source_settings(args: argparse.Namespace) -> SourceSettings:
    from framing.data.columns import ColumnMapping
    from framing.inference.sources import SourceSettings

    columns = column_fields(args.column, args.text_column)
    return SourceSettings(
        args.plain, args.segment, ColumnMapping.from_dict(columns), args.stdin_format, args.strict
    )


def _finish_joined(job: Job, plan: Plan, labeller: Labeller, ending: _Ending) -> bool:
    """Finish a job that was stopped when its labels stood already; tells whether it was one."""
    from framing.inference.job import LocalEngine
    from framing.inference.progress import Progress

    progress = Progress(sys.stderr, plan.size)
    watch = ending.watch
    # The view shows sentences, which nobody has kept.
    again = None if watch is None else (LocalEngine(labeller, watch), progress)
    try:
        done = job.finish_joined(plan, ending.finish, again)
    finally:
        progress.close()
    if done:
        _tell([f"{job.out}: was done already"])
        ending.tell(str(job.bad))
    return done


def _run_job(job: Job, plan: Plan, labeller: Labeller, ending: _Ending) -> int:
    """Label to a file."""
    from framing.inference.progress import Progress

    args, bundle = ending.args, labeller.bundle
    progress = Progress(sys.stderr, plan.size)
    try:
        engine = _engine(args, labeller, ending.watch)
        job.run(plan, engine, bundle.codebook, progress, ending.finish)
    finally:
        progress.close()
    ending.tell(str(job.bad))
    return 0


def _engine(args: argparse.Namespace, labeller: Labeller, watch: Watch | None) -> Engine:
    if args.engine == "ray":
        from framing.inference.ray_engine import RayEngine

        folder = labeller.bundle.folder
        return RayEngine(folder, args.address, args.workers or 2, args.screen)
    from framing.inference.job import LocalEngine

    return LocalEngine(labeller, watch)


def _run_stream(kind: Format, plan: Plan, labeller: Labeller, ending: _Ending) -> int:
    """Label to standard output: rows as they come, or a table at the end."""
    from framing.inference.parts import label_part, read_bad, read_summary, total

    args, bundle = ending.args, labeller.bundle
    table = args.format is None and args.html is None and sys.stdout.isatty()
    silent = table or (args.html is not None and args.format is None)
    if table:
        ending.kept = _Kept()
    summaries: list[PartSummary] = []
    rows_out = _rows_out(kind, silent, bundle.codebook, summaries)
    with contextlib.closing(_Meanwhile(plan, silent)) as meanwhile, rows_out as write:
        for part in plan.parts():
            text = label_part(labeller, part, ending.watch)
            file = io.StringIO(text, newline="\n")
            summaries.append(read_summary(file))
            read_bad(file, summaries[-1])
            write(file.read())
            meanwhile.tell(part, text)
    totals = total(summaries)
    if ending.kept is not None and table:
        _print_table(ending.kept, bundle.codebook, totals.left_out)
    ending.finish(totals)
    ending.tell("", table=table)
    return 0


class _Meanwhile:
    """What is said while rows are labelled: bad rows, and progress where it stands alone.

    Args:
        plan: What is labelled.
        silent: Whether nothing goes to standard output meanwhile.
    """

    def __init__(self, plan: Plan, silent: bool) -> None:
        from framing.inference.progress import Progress

        alone = silent or not sys.stdout.isatty()
        seen = alone and sys.stderr.isatty()
        self._progress = Progress(sys.stderr, plan.size) if seen else None
        self._told = 0

    def tell(self, part: InputPart, text: str) -> None:
        """One more part is labelled."""
        from framing.inference.job import Outcome

        bad = part.bad[: _SHOWN - self._told]
        if bad:
            self.close()
        _tell(f"left out: {row.error()}" for row in bad)
        self._told += len(bad)
        if self._progress is not None:
            sentences = len(part.sentences)
            outcome = Outcome(part.number, part.digest, sentences, part.position, text)
            self._progress.advance(outcome)

    def close(self) -> None:
        """Leave the line of the progress empty for what follows."""
        if self._progress is not None:
            self._progress.close()


@contextlib.contextmanager
def _rows_out(
    kind: Format, silent: bool, book: Codebook, summaries: Sequence[PartSummary]
) -> Iterator[Callable[[str], None]]:
    """Writes lines of JSON. CSV appears at the end, since its columns are known only then."""
    from framing.inference.parts import total
    from framing.inference.writers import TableShape, write_csv

    if silent:
        yield lambda _: None
    elif kind == "jsonl":
        yield functools.partial(_write, _data_out(), _STDOUT)
    else:
        with (
            writing("temporary file"),
            tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as rows,
        ):
            yield functools.partial(_write, rows, "temporary file")
            rows.seek(0)
            with writing(_STDOUT):
                write_csv(_data_out(), rows, TableShape(book, total(summaries).columns))


def _write(file: IO[str], where: str, text: str) -> None:
    with writing(where):
        file.write(text)
        file.flush()


def _data_out() -> IO[str]:
    """Standard output; where it is no terminal UTF-8 with line feeds, whatever the locale says."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and not out.isatty():
        out.reconfigure(encoding="utf-8", errors="strict", newline="\n")
    return out


def _print_table(kept: _Kept, book: Codebook, left_out: int) -> None:
    from rich.console import Console

    from framing.inference.readout import read_out
    from framing.inference.table import print_table

    readouts = [read_out(sentence, prediction, book) for sentence, prediction in kept.labelled]
    print_table(readouts, book, Console(highlight=False), left_out)


def _report(args: argparse.Namespace, summary: Summary, bad: str) -> None:
    """Say what was done."""
    from framing.inference.summary import count_lines

    files = [str(path) for path in (args.out, args.html, args.summary) if path is not None]
    parts = [f"labelled {counted(summary.sentences, 'sentence')}"]
    if summary.left_out:
        parts.append(f"left out {summary.left_out:,} other lines of pages")
    where = f" -> {', '.join(files)}" if files else ""
    _tell([", ".join(parts) + where])
    unread = [
        counted(count, noun)
        for count, noun in ((summary.bad_rows, "row"), (summary.bad_files, "file"))
        if count
    ]
    if unread:
        see = f"; see {bad}" if bad else ""
        _tell([f"could not read {' and '.join(unread)}{see}"])
    share = summary.bad_rows / max(summary.bad_rows + summary.sentences, 1)
    if share > _MUCH_UNREAD:
        _tell(
            [
                f"warning: {share:.0%} of the rows could not be read, so that what is counted here "
                "is of the others alone; look at the reasons"
            ]
        )
    _tell(count_lines(summary))


def _tell(lines: Iterable[str]) -> None:
    """Say something on standard error, so that standard output stays data."""
    for line in lines:
        print(line, file=sys.stderr)
