from __future__ import annotations

import io

from framing.inference.job import Outcome
from framing.inference.progress import Progress, duration


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def _run(terminal: bool, total: int | None, done_before: int = 0) -> str:
    now = [0.0]
    stream = Stream(terminal)
    progress = Progress(stream, total, lambda: now[0])
    for number in range(10):
        now[0] += 10.0
        text = None if number < done_before else "x"
        progress.advance(Outcome(number, "", 1000, (number + 1) * 100, text))
    progress.close()
    return stream.getvalue()


def test_a_log_gets_a_line_every_half_minute() -> None:
    assert _run(False, 1000).splitlines() == [
        "3,000 sentences · 100/s · 30% · 1 min left",
        "6,000 sentences · 100/s · 60% · 40 s left",
        "9,000 sentences · 100/s · 90% · 10 s left",
    ]


def test_a_terminal_has_one_line_which_is_cleared() -> None:
    text = _run(True, None)
    assert "\n" not in text
    assert text.split("\r")[1].rstrip() == "1,000 sentences · 100/s"
    assert text.endswith(" \r")


def test_what_was_done_before_does_not_count_as_speed() -> None:
    assert _run(False, 1000, done_before=5).splitlines()[0] == (
        "6,000 sentences · 100/s · 60% · 40 s left"
    )


def test_durations() -> None:
    assert [duration(s) for s in (4, 90, 4000)] == ["4 s", "2 min", "1 h 6 min"]


def test_work_that_begins_again() -> None:
    stream = Stream(False)
    now = [0.0]
    progress = Progress(stream, None, lambda: now[0])
    progress.advance(Outcome(0, "", 1000, 100, None))
    progress.restart()
    now[0] = 40.0
    progress.advance(Outcome(0, "", 1000, 100, "x"))
    assert stream.getvalue() == "1,000 sentences · 25/s\n"
