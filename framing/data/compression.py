"""Compressed files as open bytes, and how many bytes of the input were read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from framing.errors import DataError

#: Endings of compressed files -> the name of the format in messages.
COMPRESSED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
#: What zstd says of a file for which it would need more memory than it takes by default.
_WINDOW = "too much memory"
#: What reading a damaged compressed file raises.
DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error)


def without_compression(name: str) -> str:
    """A file name without the ending of a compressed file, if it has one."""
    ending = _ending(name)
    return name[: -len(ending)] if ending else name


def format_name(name: str) -> str:
    """The compression that a file name says, or ""."""
    return COMPRESSED.get(_ending(name), "")


def _ending(name: str) -> str:
    return next((ending for ending in COMPRESSED if name.lower().endswith(ending)), "")


class Meter:
    """How many bytes of files were read, before decompression."""

    def __init__(self) -> None:
        self._before = 0
        self._inside: Callable[[], int] = _nothing

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._before + self._inside()

    def follow(self, inside: Callable[[], int]) -> None:
        """Ask `inside` for the bytes read of the file that is open now."""
        self._inside = inside

    def finish(self, size: int) -> None:
        """Count a whole file of `size` bytes as read."""
        self._inside = _nothing
        self._before += size


def _nothing() -> int:
    return 0


@contextmanager
def open_bytes(path: Path, meter: Meter | None = None) -> Iterator[IO[bytes]]:
    """Open a file for reading; one whose name ends in a key of `COMPRESSED` is decompressed.

    Args:
        path: The file.
        meter: Follows how much of it was read.

    Yields:
        Its bytes. Reading damaged ones raises one of `DAMAGED`.

    Raises:
        DataError: It cannot be opened.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}") from None
    with raw:
        # A pipe has no place that could be told.
        if meter is not None and raw.seekable():
            meter.follow(lambda: 0 if raw.closed else raw.tell())
        with _decompressed(raw, _ending(path.name)) as file:
            yield file


def _decompressed(raw: BinaryIO, ending: str) -> IO[bytes]:
    openers: dict[str, Callable[[Any], Any]] = {
        ".gz": lambda file: gzip.GzipFile(fileobj=file),
        ".bz2": bz2.BZ2File,
        ".xz": lzma.LZMAFile,
        ".zst": _zstd,
    }
    opened: IO[bytes] = openers[ending](raw) if ending else raw
    return opened


def _zstd(raw: BinaryIO) -> IO[bytes]:
    # The standard library has it from Python 3.14 only.
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
    return io.BufferedReader(stream)


def damage(path: Path | str, error: Exception) -> DataError:
    """The error for a file whose reading raised one of `DAMAGED`."""
    kind = format_name(str(path))
    if not kind:
        return DataError(f"{path}: cannot read: {error}")
    if _WINDOW in str(error):
        return DataError(
            f"{path}: was compressed with a longer window than can be read here ({error}); unpack "
            "it (zstd -d --long=31), or pass it through standard input (zstd -dc --long=31 FILE | "
            "framing predict - --stdin-format ...)"
        )
    return DataError(f"{path}: not a whole {kind} file: {error}; get it again")
