"""How far a job has come, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from framing.inference.job import Outcome

#: Seconds between lines in a log; a terminal's line changes with every part.
LOG_EVERY = 30.0
#: Seconds before the first word: short work needs none.
_QUIET = 1.0


class Progress:
    """Tells sentences, their rate and the time left.

    Args:
        stream: Where to write.
        total: Bytes of the input; None where they are not known.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        stream: TextIO,
        total: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream
        self.total = total
        self.clock = clock
        self.terminal = stream.isatty()
        self._width = 0
        self._next = clock() + (_QUIET if self.terminal else LOG_EVERY)
        self.restart()

    def restart(self) -> None:
        """Nothing is done any more: the work begins again."""
        self.sentences = 0
        self.skipped = 0
        self._skipped_bytes = 0
        self._start = self.clock()

    def advance(self, outcome: Outcome) -> None:
        """One more part is done."""
        self.sentences += outcome.sentences
        now = self.clock()
        if outcome.text is None:
            # What was done before says nothing about the rate.
            self.skipped += outcome.sentences
            self._skipped_bytes = outcome.position
            self._start = now
        elif now >= self._next:
            self._show(self._line(now, outcome.position))
            self._next = now if self.terminal else now + LOG_EVERY

    def _line(self, now: float, position: int) -> str:
        seconds = max(now - self._start, 1e-9)
        rate = (self.sentences - self.skipped) / seconds
        parts = [f"{self.sentences:,} sentences", f"{rate:,.0f}/s"]
        read = position - self._skipped_bytes
        if self.total and read > 0:
            left = max(self.total - position, 0) * seconds / read
            parts += [f"{min(position / self.total, 1):.0%}", f"{duration(left)} left"]
        return " · ".join(parts)

    def _show(self, line: str) -> None:
        if self.terminal:
            self.stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the terminal's line empty for what follows."""
        if self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()


def duration(seconds: float) -> str:
    """Seconds in words, such as ``3 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
