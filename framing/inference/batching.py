"""Which sentences go through the graph together."""

from __future__ import annotations

from collections.abc import Sequence

#: Tokens of a batch, padding included. Larger batches no longer gain speed on two cores.
TOKEN_BUDGET = 2048


def batches(lengths: Sequence[int], token_budget: int = TOKEN_BUDGET) -> list[list[int]]:
    """Group sequences of like length, so that little is padded.

    Args:
        lengths: Tokens of each sequence.
        token_budget: Most tokens of a batch when all are padded to its longest. A sequence that
            is longer than this is a batch of its own.

    Returns:
        Indices into `lengths`, each once, shortest sequences first. The grouping depends on
        nothing but the arguments.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    out: list[list[int]] = []
    for index in order:
        # Lengths rise, so this one is what the batch would be padded to.
        if out and (len(out[-1]) + 1) * lengths[index] <= token_budget:
            out[-1].append(index)
        else:
            out.append([index])
    return out
