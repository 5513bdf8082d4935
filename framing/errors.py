"""Every deliberate error of the package.

The command line prints these without a traceback and exits with code 2. A message says what
was expected, what was found, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

#: Known names shown in one message.
_MOST_NAMES = 50


class FramingError(Exception):
    """Base of all errors that a user can cause and mend."""


class ConfigError(FramingError):
    """A run config that cannot be used."""


class CodebookError(FramingError):
    """A codebook that cannot be used."""


class DataError(FramingError):
    """Input data that cannot be read or does not fit its codebook."""


class ArtifactError(FramingError):
    """A run or a bundle that is missing, incomplete or altered."""


class OutputError(FramingError):
    """An output that exists already or cannot be written."""


class DiskError(OutputError):
    """An output that the system does not take, such as on a full disk."""


class DependencyError(FramingError):
    """An optional dependency that a command needs is not installed."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which names are known and which is nearest.

    Args:
        kind: What the name stands for, such as ``"label"``.
        name: The name found.
        known: The names that would have been accepted.

    Returns:
        One sentence for an error message.
    """
    names = [str(k) for k in known]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    shown = ", ".join(names[:_MOST_NAMES]) or "(none)"
    return f"unknown {kind} {name!r}; known: {shown}{more}.{hint}"


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as "1 row" or "2,000 rows"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def all_problems(heading: str, problems: Sequence[str]) -> str:
    """Join several problems below one heading, one a line.

    Args:
        heading: What was being checked.
        problems: The problems found, each one line.

    Returns:
        The heading with the number of problems, then the problems indented.
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{heading}: {count}", *(f"  - {p}" for p in problems)])
