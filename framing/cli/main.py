"""The `framing` program: parses arguments, loads one command's module, reports errors."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from framing import __version__
from framing.artifacts import writing
from framing.errors import FramingError

#: Command -> what `framing --help` says of it. Each is a module of this package with
#: `add_arguments(parser)` and `run(args) -> int`, imported only when it is called.
COMMANDS = {
    "codebook": "show or check a codebook",
    "data": "audit a corpus, split it, find leakage",
    "train": "fine-tune a model from a run config",
    "evaluate": "score a run on other coded data",
    "curve": "learning curve: what coded sentences of your own are worth",
    "review": "find the codes that coders should look at again",
    "report": "make a run's report again from its scores",
    "export": "make a small, fast bundle of a run",
    "tasks": "choose sentences to code next, for a spreadsheet or Label Studio",
    "predict": "label articles or sentences offline",
}
#: Commands that keep what is done when they are stopped; predict does so with --out.
_CONTINUE = ("train", "curve", "review")
#: A full disk, a quota used up, the largest size of a file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: What writing to a pipe or terminal that nobody reads any more raises.
_NOBODY = (errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL)


class _Parser(argparse.ArgumentParser):
    """A parser of whole option names, whose errors show the usage of the very command.

    Otherwise ``--column`` would pass for ``--columns`` where a command has only the latter.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is not known here, not in the parser above."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The program's parser, with the arguments of one command filled in.

    Args:
        command: The command whose module may be imported, None for none.

    Returns:
        The parser.
    """
    parser = _Parser(
        prog="framing",
        description="Sentence-level framing and stance: train, evaluate, and label offline.",
    )
    parser.add_argument("--version", action="version", version=f"framing {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == command:
            importlib.import_module(f"framing.cli.{name}").add_arguments(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: Command line without the program's name; None takes it from the process.

    Returns:
        Exit status: 0 done, 2 an error that the user can mend, 130 interrupted.
    """
    _replace_closed_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Options before the command take no value, so the first other word is the command.
    command = next((a for a in arguments if not a.startswith("-")), None)
    with lasting_errors():
        return _run(build_parser(command).parse_args(arguments))


def _run(args: argparse.Namespace) -> int:
    try:
        status = importlib.import_module(f"framing.cli.{args.command}").run(args)
        with writing("standard output"):
            sys.stdout.flush()
        return int(status)
    except FramingError as error:
        return _failed(args, str(error))
    except KeyboardInterrupt:
        advice = "; the same command continues the work" if _continues(args) else ""
        print(f"framing: interrupted{advice}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of standard output, such as `head`, has seen enough.
        _drop_unwritten()
        return 0
    except OSError as error:
        # Of these the place is not known, but they are certain to come from writing.
        if error.errno not in _NO_ROOM:
            raise
        where = error.filename or "an output"
        return _failed(args, f"{where}: cannot write: {error.strerror}")


def _replace_closed_streams() -> None:
    """Open something in the place of standard streams that the caller closed.

    Python has None there: what goes to standard error would go to standard output, and files that
    are opened later would take the numbers of the streams.
    """
    nothing = Path(os.devnull)
    if sys.stdin is None:
        sys.stdin = nothing.open(encoding="utf-8")
    if sys.stdout is None:
        # Not for writing: rows that are meant for it are not to be lost in silence.
        sys.stdout = nothing.open(encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = nothing.open("w", encoding="utf-8")


class _LastingErrors:
    """Standard error whose reader may go: from then on nothing is said, and work goes on.

    Args:
        stream: Standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write if anybody reads."""
        with self._heard():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if anybody reads."""
        with self._heard():
            self._stream.flush()

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _NOBODY:
                raise
            # What was not written would be tried again at exit.
            with contextlib.suppress(OSError), Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), self._stream.fileno())


@contextlib.contextmanager
def lasting_errors() -> Iterator[None]:
    """Let work outlast the reader of its messages, such as a terminal that is closed."""
    stream = sys.stderr
    sys.stderr = cast("TextIO", _LastingErrors(stream))
    try:
        yield
    finally:
        sys.stderr = stream


def _failed(args: argparse.Namespace, message: str) -> int:
    print(f"framing {args.command}: {message}", file=sys.stderr)
    _drop_unwritten()
    return 2


def _drop_unwritten() -> None:
    """Forget what standard output does not take: Python would try and complain again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _continues(args: argparse.Namespace) -> bool:
    """Whether the same command goes on where it was stopped."""
    return args.command in _CONTINUE or (args.command == "predict" and args.out is not None)


if __name__ == "__main__":
    sys.exit(main())
