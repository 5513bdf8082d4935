"""Encoders whose upper layers compute the sentence's own tokens alone.

What stands before a sentence helps to understand it, but where labels are read off the sentence's
own tokens, nothing looks at the last states of the others. So the last layer need not compute them,
which changes nothing, and neither need the layers below it, which changes little: there the own
tokens look at the states that the others had when they were left behind. Nearly half of a pair's
tokens are not its sentence's, and each costs a sixth of its time in such a layer (key and value;
query, attention and feed-forward network are saved).

An encoder can also be taught to read sentence and context apart in its lower layers, where neither
looks at the other. What stands before one sentence is a sentence itself, so that its states are
there already when a document is labelled whole (`framing.inference.graphs`), and each sentence
passes through every layer once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: Added to the score of what must not be looked at; within the range of float16.
_UNSEEN = -1e4


def own_places(own: Tensor) -> Tensor:
    """Where the own tokens of sequences stand.

    Args:
        own: 1 for them, shape (batch, length).

    Returns:
        Their places in order, -1 behind the last, shape (batch, largest number of own tokens).
    """
    count = own.sum(dim=1, keepdim=True)
    most = int(count.max())
    order = (1 - own).argsort(dim=1, stable=True)[:, :most]
    present = torch.arange(most, device=own.device) < count
    return order.where(present, -1)


def own_states(
    encoder: Any, inputs: dict[str, Tensor], own: Tensor, places: Tensor, through: int
) -> Tensor:
    """Last states of the own tokens.

    Args:
        encoder: Of one of `framing.model.encoder.PARTED_KINDS`.
        inputs: What its embeddings take, and ``attention_mask``, each of shape (batch, length).
        own: 1 for own tokens, shape (batch, length).
        places: As `own_places` gives them, shape (batch, own length).
        through: Layers that all tokens pass through, fewer than there are.

    Returns:
        Shape (batch, own length, hidden); anything where a place is -1.
    """
    embedded = {name: values for name, values in inputs.items() if name != "attention_mask"}
    states: Tensor = encoder.embeddings(**embedded)
    unseen = _unseen(inputs["attention_mask"], states)
    layers = list(encoder.encoder.layer)
    for layer in layers[:through]:
        states = _after(layer, states, states, unseen)
    chosen = _rows(states, places.clamp(min=0))
    back = (own.cumsum(dim=1) - 1).clamp(min=0)
    for layer in layers[through:-1]:
        chosen = _after(layer, chosen, states, unseen)
        states = torch.where(own.unsqueeze(2) == 1, _rows(chosen, back), states)
    return _after(layers[-1], chosen, states, unseen)


def apart_states(encoder: Any, ids: Tensor, mask: Tensor, through: int) -> Tensor:
    """States of sequences that are read by themselves in the lowest layers.

    Args:
        encoder: One that `framing.model.encoder.EncoderShape` says can read apart.
        ids: Of sentences or contexts, without a token that opens them, shape (batch, length).
        mask: 1 for real tokens, shape (batch, length).
        through: Layers that they pass through.

    Returns:
        Shape (batch, length, hidden).
    """
    # The first position was learnt for the token that opens a sequence.
    positions = torch.arange(1, ids.shape[1] + 1, device=ids.device).unsqueeze(0)
    states: Tensor = encoder.embeddings(
        input_ids=ids, token_type_ids=torch.zeros_like(ids), position_ids=positions
    )
    unseen = _unseen(mask, states)
    for layer in list(encoder.encoder.layer)[:through]:
        states = _after(layer, states, states, unseen)
    return states


#: States of sequences, shape (batch, length, hidden), and 1 for their real tokens.
Read = tuple[Tensor, Tensor]


def joined_states(encoder: Any, own: Read, context: Read, through: int) -> Tensor:
    """Last states of sentences that were read apart from their contexts.

    Args:
        encoder: As for `apart_states`.
        own: What that gives for the sentences.
        context: What it gives for what stands before them.
        through: Layers that both have passed through.

    Returns:
        Shape (batch, own length, hidden).
    """
    (states, mask), (before, before_mask) = own, context
    # Segments tell them from each other where they meet; below they are the same.
    segments = encoder.embeddings.token_type_embeddings.weight
    before = before + (segments[1] - segments[0])
    unseen = _unseen(torch.cat([before_mask, mask], dim=1), states)
    for layer in list(encoder.encoder.layer)[through:]:
        states = _after(layer, states, torch.cat([before, states], dim=1), unseen)
    return states


def _unseen(mask: Tensor, states: Tensor) -> Tensor:
    """What is added to attention scores, shape (batch, 1, 1, length)."""
    return (1 - mask[:, None, None, :].to(states.dtype)) * _UNSEEN


def _rows(states: Tensor, places: Tensor) -> Tensor:
    """States at places of each sequence, shape (batch, places, hidden)."""
    batch, length, hidden = states.shape
    # Whole rows of one table are copied in half the time of elements at indices of their own.
    first = torch.arange(batch, device=places.device).unsqueeze(1) * length
    chosen = states.flatten(0, 1).index_select(0, (places + first).flatten())
    return chosen.view(batch, places.shape[1], hidden)


def _after(layer: Any, chosen: Tensor, states: Tensor, unseen: Tensor) -> Tensor:
    """States of chosen tokens behind a layer in which they look at all of them."""
    attention = layer.attention.self
    heads = attention.num_attention_heads
    query, key, value = (
        project(values).unflatten(2, (heads, -1)).transpose(1, 2)
        for project, values in (
            (attention.query, chosen),
            (attention.key, states),
            (attention.value, states),
        )
    )
    if attention.config._attn_implementation == "sdpa":
        dropout = attention.dropout.p if attention.training else 0.0
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=unseen.to(query.dtype), dropout_p=dropout
        )
    else:
        scores = query * query.shape[3] ** -0.5 @ key.transpose(2, 3) + unseen
        seen = attention.dropout(scores.softmax(dim=3)) @ value
    attended = layer.attention.output(seen.transpose(1, 2).flatten(2), chosen)
    out: Tensor = layer.output(layer.intermediate(attended), attended)
    return out
