"""Files of named arrays: those of a bundle that are neither text nor a graph."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framing.artifacts import atomic_path
from framing.errors import ArtifactError


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to one compressed file, atomically."""
    contents: dict[str, Any] = dict(arrays)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **contents)


def load_arrays(
    path: Path, names: Sequence[str], what: str, optional: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote.

    Args:
        path: The file.
        names: Of the arrays that must be in it.
        what: Of what they are, for messages.
        optional: Of those that files of earlier versions lack; empty where they are missing.

    Returns:
        Just these arrays.

    Raises:
        ArtifactError: The file holds something else, or is damaged.
    """
    # NumPy's own words on other files are advice to unpickle them, which nobody should follow.
    problem = "it is no archive of arrays"
    if zipfile.is_zipfile(path):
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in names}
                rest = {name: file[name] for name in optional if name in file}
                return found | dict.fromkeys(optional, np.empty(0)) | rest
        except KeyError as error:
            problem = str(error.args[0])
        except (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error):
            problem = "its arrays are damaged"
    raise ArtifactError(f"{path}: not {what}: {problem}; export the run again")
