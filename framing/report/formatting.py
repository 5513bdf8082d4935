"""How numbers and texts look in every report; the only place that rounds."""

from __future__ import annotations

import unicodedata

from framing.evaluation.schema import Comparison, Score

UNDEFINED = "n/a"
_MINUS = "\N{MINUS SIGN}"


def number(value: float | None) -> str:
    """A figure with three decimals, ``n/a`` where it is undefined."""
    if value is None:
        return UNDEFINED
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(value, 3) + 0.0:.3f}".replace("-", _MINUS)


def signed(value: float) -> str:
    """A difference with its sign; what rounds to zero has none."""
    text = number(value)
    return f"+{text}" if round(value, 3) > 0 else text


def interval(low: float | None, high: float | None) -> str:
    """``[0.702, 0.758]``, or "" where there is no interval."""
    if low is None or high is None:
        return ""
    return f"[{number(low)}, {number(high)}]"


def estimate(score: Score | None) -> str:
    """``0.731 [0.702, 0.758]``; ``n/a`` for a figure that is missing or undefined."""
    if score is None:
        return UNDEFINED
    return f"{number(score.value)} {interval(score.low, score.high)}".rstrip()


def scaled_estimate(
    value: float | None, low: float | None, high: float | None, *, scale: int
) -> str:
    """A figure with its interval; ``72.9 [70.1, 75.8]`` where 1 is written as 100."""
    if scale == 1:
        return f"{number(value)} {interval(low, high)}".rstrip()
    ends = "" if low is None or high is None else f" [{low:.1f}, {high:.1f}]"
    return UNDEFINED if value is None else f"{value:.1f}{ends}"


def difference(comparison: Comparison) -> str:
    """``+0.209 [+0.180, +0.240]``."""
    ends = f"[{signed(comparison.low)}, {signed(comparison.high)}]"
    return f"{signed(comparison.difference)} {ends}"


def p_value(value: float, *, equals: str = "") -> str:
    """A p-value with three decimals.

    Args:
        value: Between 0 and 1.
        equals: What goes before a value that is not too small to print.

    Returns:
        Such as ``0.002``, or ``< 0.001``.
    """
    return "< 0.001" if value < 0.001 else f"{equals}{value:.3f}"


def count(value: int) -> str:
    """A whole number with commas between thousands."""
    return f"{value:,}"


def percent(share: float) -> str:
    """A confidence level, such as ``95%``."""
    return f"{100 * share:g}%"


def things(n: int, noun: str) -> str:
    """``1 label``, ``3 labels``."""
    return f"{count(n)} {noun}" + ("" if n == 1 else "s")


def listed(names: list[str] | tuple[str, ...]) -> str:
    """``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def plain(text: str) -> str:
    """Text of the data without control characters, in one line.

    Control characters are forbidden in XML, and direction overrides would reorder what stands
    beside the text, so both become visible replacement characters.
    """
    return " ".join("".join(map(_visible, text)).split())


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    override = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    if override or unicodedata.category(character) in ("Cc", "Cs"):
        return "\N{REPLACEMENT CHARACTER}"
    return character


def titled(name: str) -> str:
    """An identifier for people: ``training_time`` becomes ``Training time``."""
    text = plain(name).replace("_", " ").replace(".", ": ")
    return text[:1].upper() + text[1:]
