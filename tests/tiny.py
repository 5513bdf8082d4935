"""Tiny random encoders with a word-level vocabulary, saved in Hugging Face form."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def save_tiny_encoder(
    folder: Path, words: Iterable[str], hidden: int = 32, kind: str = "bert", *, pairs: bool = True
) -> Path:
    """Save a two-layer encoder with random weights and a tokenizer for the given words.

    Args:
        folder: Where it goes.
        words: The vocabulary.
        hidden: Width of the states.
        kind: Model type, as transformers names it.
        pairs: Whether the tokenizer numbers the segments of a pair, as BERT's does.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: k for k, word in enumerate([*special, *sorted(set(words))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1" if pairs else "[CLS] $A [SEP] [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    AutoModel.from_config(_config(AutoConfig, kind, len(vocabulary), hidden)).save_pretrained(
        folder
    )
    return folder


def _config(factory: Any, kind: str, vocabulary: int, hidden: int) -> Any:
    further = {
        # The buckets of its relative positions.
        "mpnet": {"relative_attention_num_buckets": 32, "max_position_embeddings": 64},
        "xlnet": {"d_head": hidden // 2},
    }
    return factory.for_model(
        kind,
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        pad_token_id=0,
        **further.get(kind, {"max_position_embeddings": 64}),
    )
