"""Which of the processes of a torchrun this one is, known before torch joins them."""

from __future__ import annotations

import os
import time
from pathlib import Path

#: Seconds between two looks for a file.
_LOOKS = 1.0

# Where accelerate looks, in its order: torchrun and `accelerate launch` set the first.
_RANK = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
_SIZE = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def process_count() -> int:
    """Processes that train together; 1 without torchrun."""
    return max(1, _first_number(_SIZE, 1))


def is_main_process() -> bool:
    """Whether this process is the one that writes and speaks."""
    return process_count() == 1 or _first_number(_RANK, 0) == 0


def part_company() -> None:
    """End the processes' group: none of them waits for another from here on."""
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def wait_for(path: Path) -> None:
    """Wait until the main process has written a file, all of which comes into place at once.

    torchrun ends the others when the main process fails, so that none waits for ever.
    """
    while not path.is_file():
        time.sleep(_LOOKS)


def _first_number(names: tuple[str, ...], otherwise: int) -> int:
    for name in names:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return otherwise
