"""Where a row stands, and a list of everything wrong with a file."""

from __future__ import annotations

from dataclasses import dataclass

from framing.errors import DataError, all_problems

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row was read.

    Attributes:
        file: Path, or "stdin".
        row: One-based number of the row, header not counted.
        line: One-based line of the file where the row begins; None in binary formats.
    """

    file: str
    row: int
    line: int | None = None

    def __str__(self) -> str:
        if self.line is None:
            return f"{self.file}, row {self.row}"
        return f"{self.file}:{self.line}"


class Problems:
    """Collects problems, so that all of them are told at once."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, place: Place | None, text: str) -> None:
        """Note one problem.

        Args:
            place: Where it was found, None for records that come from no file.
            text: What was expected and found.
        """
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(text if place is None else f"{place}: {text}")

    def raise_any(self, heading: str) -> None:
        """Raise what was collected.

        Args:
            heading: What was being checked.

        Raises:
            DataError: There was at least one problem; the first 20 are shown.
        """
        if not self.count:
            return
        message = all_problems(heading, self._shown)
        more = self.count - len(self._shown)
        raise DataError(message + (f"\n  and {more} more" if more else ""))
