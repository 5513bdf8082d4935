"""Where a row stands, and a list of everything wrong with a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from framing.errors import DataError, counted

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row was read.

    Attributes:
        file: Path, or "stdin".
        row: One-based number of the row, header not counted; 0 for the file as a whole.
        line: One-based line of the file where the row begins; None in binary formats.
    """

    file: str
    row: int
    line: int | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.file}:{self.line}"
        return f"{self.file}, row {self.row}"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, in the place of what it should have given.

    Attributes:
        place: Where it stands; row 0 for a file that cannot be read, or not to its end.
        reason: What was expected and found.
        raw: The row as it stands in the file, as far as that is text; "" for whole files.
    """

    place: Place
    reason: str
    raw: str = ""

    def error(self) -> DataError:
        """The error where rows must not be bad."""
        # What is said of whole files names them already.
        return DataError(f"{self.place}: {self.reason}" if self.place.row else self.reason)


class Problems:
    """Collects problems, so that all of them are told at once, and equal ones once."""

    def __init__(self) -> None:
        self.count = 0
        self._first: dict[str, str] = {}
        self._again: Counter[str] = Counter()

    def add(self, place: Place | None, text: str) -> None:
        """Note one problem.

        Args:
            place: Where it was found, None for records that come from no file.
            text: What was expected and found.
        """
        self.count += 1
        if text in self._first:
            self._again[text] += 1
        elif len(self._first) < SHOWN:
            self._first[text] = text if place is None else f"{place}: {text}"

    def raise_any(self, heading: str) -> None:
        """Raise what was collected.

        Args:
            heading: What was being checked.

        Raises:
            DataError: There was at least one problem; the first 20 different ones are shown.
        """
        if not self.count:
            return
        lines = [f"{heading}: {counted(self.count, 'problem')}"]
        lines += [f"  - {line}{self._further(text)}" for text, line in self._first.items()]
        more = self.count - len(self._first) - self._again.total()
        raise DataError("\n".join([*lines, f"  and {more:,} more"] if more else lines))

    def _further(self, text: str) -> str:
        again = self._again[text]
        return f" (the same in {counted(again, 'further place')})" if again else ""
