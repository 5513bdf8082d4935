"""Which sentences go through the graph together."""

from __future__ import annotations

from collections.abc import Sequence

#: Tokens of a batch, padding included. Larger batches no longer gain speed on two cores.
TOKEN_BUDGET = 1024
#: Batches whose sequences are of like length, and are parted by a second length.
_POOL = 4


def batches(
    lengths: Sequence[int], token_budget: int = TOKEN_BUDGET, second: Sequence[int] | None = None
) -> list[list[int]]:
    """Group sequences of like length, so that little is padded.

    Args:
        lengths: Tokens of each sequence.
        token_budget: Most tokens of a batch when all are padded to its longest. A sequence that
            is longer than this is a batch of its own.
        second: Another length of each sequence, where part of it is padded by itself: sequences
            are then of like length in both.

    Returns:
        Indices into `lengths`, each once, shortest sequences first. The grouping depends on
        nothing but the arguments.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    if second is None:
        return _cut(order, lengths, token_budget)
    return [
        batch
        for pool in _cut(order, lengths, _POOL * token_budget)
        for batch in _cut(sorted(pool, key=lambda k: (second[k], k)), lengths, token_budget)
    ]


def _cut(order: Sequence[int], lengths: Sequence[int], most: int) -> list[list[int]]:
    out: list[list[int]] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if out and (len(out[-1]) + 1) * longest <= most:
            out[-1].append(index)
        else:
            out.append([index])
            longest = lengths[index]
    return out
