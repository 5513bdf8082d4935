"""The classifier: one encoder, dropout, one linear layer onto all logits, pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from framing.codebook import Codebook, Head
from framing.errors import ConfigError
from framing.model import own_tokens
from framing.model.encoder import layer_list
from framing.model.ngrams import BUCKETS, NgramLogits


class SentenceClassifierConfig(PreTrainedConfig):
    """Config of `SentenceClassifier`, saved as ``config.json`` of a checkpoint.

    Attributes:
        encoder: The encoder's own config, as a dictionary.
        heads: (kind, start, stop) of every head, in logit order.
        n_logits: Number of logits.
        dropout: Probability, before the linear layer.
        pooling: "mean" of all real tokens' states (where sentence and context are read apart, of
            the sentence's), or "log_mean_exp" of the logits of the sentence's own tokens.
        ngrams: Entries of the n-gram table (`framing.model.ngrams`); 0 for none.
        special: Token ids that belong to no n-gram.
        pair: Whether sentences are the second segment of a pair.
        crossed: Whether n-grams are crossed with the first segment.
        encoder_types: Whether segment ids go to the encoder too, where it has a table for them.
        context_layers: Layers that the first segment passes through, see
            `framing.model.own_tokens`; None for all.
        read_apart: Whether in these layers sentence and context do not look at each other.
    """

    model_type = "framing_sentence_classifier"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        heads: list[tuple[str, int, int]] | None = None,
        n_logits: int = 1,
        dropout: float = 0.1,
        *,
        pooling: str = "mean",
        ngrams: int = 0,
        special: list[int] | None = None,
        pair: bool = False,
        crossed: bool = False,
        encoder_types: bool = True,
        context_layers: int | None = None,
        read_apart: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.encoder = encoder or {}
        self.heads = [tuple(head) for head in heads or []]
        self.n_logits = n_logits
        self.dropout = dropout
        self.pooling = pooling
        self.ngrams = ngrams
        self.special = list(special or [])
        self.pair = pair
        self.crossed = crossed
        self.encoder_types = encoder_types
        self.context_layers = context_layers
        self.read_apart = read_apart


@dataclass(frozen=True)
class LossWeights:
    """Factors on the loss.

    Attributes:
        heads: One a head.
        positive: Shape (logits,); on the loss of present labels of multi_label heads, and of
            each class of single_label heads.
    """

    heads: tuple[float, ...]
    positive: Tensor


class SentenceClassifier(PreTrainedModel):
    """Logits of every variable of a codebook in one forward pass."""

    config_class = SentenceClassifierConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(
        self, config: SentenceClassifierConfig, encoder: PreTrainedModel | None = None
    ) -> None:
        """Build the classifier.

        Args:
            config: Heads and the encoder's config.
            encoder: A pretrained encoder; None makes one from the config, to be filled from a
                checkpoint.
        """
        super().__init__(config)
        if encoder is None:
            fields = dict(config.encoder)
            encoder = AutoModel.from_config(
                AutoConfig.for_model(fields.pop("model_type"), **fields),
                attn_implementation=config._attn_implementation,
            )
        # Pooling is ours: a pooler would only be dead weight in the graph.
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        self.encoder = encoder
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(encoder.config.hidden_size, config.n_logits)
        self.encoder_reads_types = (
            config.encoder_types and getattr(encoder.config, "type_vocab_size", 0) > 1
        )
        # Segment ids tell the sentence from its context even where the encoder has no use for them.
        ours = config.pair and (
            config.pooling == "log_mean_exp" or config.ngrams > 0 or config.read_apart
        )
        self.uses_type_ids = self.encoder_reads_types or ours
        self.ngrams = (
            NgramLogits(
                config.n_logits,
                config.special,
                config.pair,
                config.ngrams,
                crossed=config.crossed,
            )
            if config.ngrams
            else None
        )
        self.loss_weights: LossWeights | None = None
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        label_weights: Tensor | None = None,
        *,
        ngram_logits: Tensor | None = None,
        own_places: Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """Compute logits and, given labels, the loss.

        Args:
            input_ids: Shape (batch, length).
            attention_mask: Shape (batch, length), 1 for real tokens.
            token_type_ids: Shape (batch, length), or None where nothing reads them.
            labels: Target probabilities, shape (batch, logits).
            label_weights: Weight of each head for each sentence, shape (batch, heads); 0 where a
                head was not coded.
            ngram_logits: Logits of the n-grams, shape (batch, logits), where they are not those
                of the stored table: in training those of models that did not see the sentence.
            own_places: Where the sentence's own tokens stand, as `framing.encoding.own_places`
                gives it; found here where it is not given, which a graph cannot.

        Returns:
            ``loss`` (None without labels) and ``logits`` of shape (batch, logits).
        """
        types = token_type_ids if self.uses_type_ids else None
        logits = self.encoder_logits(input_ids, attention_mask, types, own_places)
        if self.ngrams is not None:
            if ngram_logits is None:
                ngram_logits = self.ngrams(input_ids, attention_mask, types)
            logits = logits + ngram_logits
        loss = None
        if labels is not None and label_weights is not None:
            loss = self.loss(logits, labels, label_weights)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    @property
    def parts_tokens(self) -> bool:
        """Whether upper layers compute the sentence's own tokens alone."""
        return self.config.context_layers is not None

    def encoder_logits(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None,
        own_places: Tensor | None = None,
    ) -> Tensor:
        """Logits without those of n-grams, shape (batch, logits)."""
        if self.parts_tokens:
            hidden, counted = self._own_states(
                input_ids, attention_mask, token_type_ids, own_places
            )
        else:
            hidden = self._hidden(input_ids, attention_mask, token_type_ids)
            counted = attention_mask
            if self.config.pooling == "log_mean_exp":
                counted = self._own(attention_mask, token_type_ids)
        return self._logits(hidden, counted)

    def _logits(self, hidden: Tensor, counted: Tensor) -> Tensor:
        """Logits of last states, shape (batch, logits); 1 for tokens that count."""
        if self.config.pooling == "mean":
            mean_logits: Tensor = self.linear(self.dropout(masked_mean(hidden, counted))).float()
            return mean_logits
        return log_mean_exp(self.linear(self.dropout(hidden)).float(), counted)

    def apart_states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """States of sentences or contexts read by themselves, see `framing.model.own_tokens`."""
        through = self.config.context_layers
        return own_tokens.apart_states(self.encoder, input_ids, attention_mask, through)

    def joined_logits(
        self, own_states: Tensor, own_mask: Tensor, context_states: Tensor, context_mask: Tensor
    ) -> Tensor:
        """Logits of sentences that were read apart from their contexts, shape (batch, logits).

        Args:
            own_states: As `apart_states` gives them for the sentences.
            own_mask: 1 for real tokens, shape (batch, own length).
            context_states: As `apart_states` gives them for what stands before.
            context_mask: 1 for real tokens, shape (batch, context length).
        """
        own, context = (own_states, own_mask), (context_states, context_mask)
        through = self.config.context_layers
        hidden = own_tokens.joined_states(self.encoder, own, context, through)
        return self._logits(hidden, own_mask)

    def _own(self, attention_mask: Tensor, token_type_ids: Tensor | None) -> Tensor:
        """1 for the sentence's own tokens, shape (batch, length)."""
        if self.config.pair and token_type_ids is not None:
            return attention_mask * (token_type_ids == 1)
        return attention_mask

    def _own_states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None,
        own_places: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Last states of the sentences' own tokens, and 1 where there is one."""
        own = self._own(attention_mask, token_type_ids)
        places = own_tokens.own_places(own) if own_places is None else own_places
        through, present = self.config.context_layers, (places >= 0).long()
        if not self.config.read_apart:
            inputs = self._inputs(input_ids, attention_mask, token_type_ids)
            return own_tokens.own_states(self.encoder, inputs, own, places, through), present
        mask = attention_mask * (1 - own)
        if own_places is None:
            # Contexts come first. A graph cannot cut them to the longest.
            mask = mask[:, : int(mask.sum(dim=1).max())]
        read = self.apart_states(input_ids.gather(1, places.clamp(min=0)), present)
        before = self.apart_states(input_ids[:, : mask.shape[1]], mask)
        joined = own_tokens.joined_states(self.encoder, (read, present), (before, mask), through)
        return joined, present

    def _inputs(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> dict[str, Tensor]:
        """What the encoder takes."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self.encoder_reads_types and token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        return inputs

    def _hidden(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> Tensor:
        inputs = self._inputs(input_ids, attention_mask, token_type_ids)
        hidden: Tensor = self.encoder(**inputs).last_hidden_state
        return hidden

    def pooled(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        own_places: Tensor | None = None,
    ) -> Tensor:
        """Mean of the last hidden states, shape (batch, hidden).

        Over all real tokens; where sentence and context are read apart, over the sentence's own.
        """
        if self.config.read_apart:
            inputs = (input_ids, attention_mask, token_type_ids, own_places)
            return masked_mean(*self._own_states(*inputs))
        return masked_mean(self._hidden(input_ids, attention_mask, token_type_ids), attention_mask)

    def loss(self, logits: Tensor, labels: Tensor, label_weights: Tensor) -> Tensor:
        """Weighted sum of the heads' losses, averaged over the batch.

        Binary cross-entropy summed over the labels of a multi_label head, cross-entropy with
        target probabilities for a single_label head.

        Args:
            logits: Shape (batch, logits).
            labels: Shape (batch, logits).
            label_weights: Shape (batch, heads).

        Returns:
            A scalar.
        """
        total = logits.new_zeros(len(logits))
        for column, (kind, start, stop) in enumerate(self.config.heads):
            weights = self.loss_weights
            factor = 1.0 if weights is None else weights.heads[column]
            positive = None if weights is None else weights.positive[start:stop].to(logits.device)
            each = _head_loss(kind, logits[:, start:stop], labels[:, start:stop], positive)
            total = total + factor * label_weights[:, column] * each
        return total.mean()


def _head_loss(kind: str, logits: Tensor, labels: Tensor, positive: Tensor | None) -> Tensor:
    if kind == "multi_label":
        losses = functional.binary_cross_entropy_with_logits(
            logits, labels, pos_weight=positive, reduction="none"
        )
        return losses.sum(dim=1)
    weighted = labels if positive is None else labels * positive
    return -(weighted * functional.log_softmax(logits, dim=1)).sum(dim=1)


def new_classifier(
    encoder: PreTrainedModel,
    book: Codebook,
    dropout: float,
    *,
    pooling: str = "mean",
    pair: bool = False,
    special: Sequence[int] | None = None,
    crossed: bool = False,
    encoder_types: bool = True,
    context_layers: int | None = None,
    read_apart: bool = False,
) -> SentenceClassifier:
    """Put a fresh linear layer for a codebook on a pretrained encoder.

    Args:
        encoder: Pretrained.
        book: The codebook.
        dropout: Before the linear layer.
        pooling: As in `SentenceClassifierConfig`.
        pair: Whether sentences are the second segment of a pair.
        special: Token ids that belong to no n-gram, for a classifier with n-grams, whose table
            is empty then; None for one without.
        crossed: Whether n-grams are crossed with the first segment.
        encoder_types: Whether the encoder was pretrained on pairs whose segments its tokenizer
            numbers (`framing.encoding.numbers_segments`).
        context_layers: As in `SentenceClassifierConfig`.
        read_apart: As in `SentenceClassifierConfig`.
    """
    names = logit_names(book)
    fields = encoder.config.to_dict()
    # A path of the machine that trains, which a published checkpoint need not tell.
    fields.pop("_name_or_path", None)
    config = SentenceClassifierConfig(
        encoder=fields,
        heads=[_head_entry(head) for head in book.heads],
        n_logits=book.n_logits,
        dropout=dropout,
        pooling=pooling,
        ngrams=0 if special is None else BUCKETS,
        special=list(special or ()),
        pair=pair,
        crossed=crossed,
        encoder_types=encoder_types,
        context_layers=context_layers,
        read_apart=read_apart,
        id2label=dict(enumerate(names)),
        label2id={name: k for k, name in enumerate(names)},
    )
    config._attn_implementation = encoder.config._attn_implementation
    return SentenceClassifier(config, encoder)


def logit_names(book: Codebook) -> list[str]:
    """What each logit speaks for, such as ``frames=economy`` or ``stance.economy=supportive``."""
    return [f"{head.name}={label}" for head in book.heads for label in head.labels]


def log_mean_exp(logits: Tensor, mask: Tensor) -> Tensor:
    """A soft maximum over tokens: a sentence has a label when some of its tokens say so.

    Pinheiro and Collobert (2015), "From Image-level to Pixel-level Labeling with Convolutional
    Networks", section 3.3, with r = 1.

    Args:
        logits: Of the tokens, shape (batch, length, logits).
        mask: 1 for tokens that count, shape (batch, length).

    Returns:
        Shape (batch, logits).
    """
    kept = logits.masked_fill(mask.unsqueeze(2) == 0, -1e4)
    count = mask.sum(dim=1, keepdim=True).clamp(min=1).to(logits.dtype)
    return kept.logsumexp(dim=1) - count.log()


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that count.

    Args:
        states: Shape (batch, length, hidden).
        mask: 1 for these tokens, shape (batch, length).

    Returns:
        Shape (batch, hidden).
    """
    weights = mask.unsqueeze(2).to(states.dtype)
    mean: Tensor = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    return mean


def _head_entry(head: Head) -> tuple[str, int, int]:
    return head.kind, head.start, head.stop


def load_classifier(folder: Path, attention: str = "eager") -> SentenceClassifier:
    """Load a checkpoint that `SentenceClassifier.save_pretrained` wrote."""
    model: SentenceClassifier = SentenceClassifier.from_pretrained(
        folder, attn_implementation=attention, local_files_only=True, dtype=torch.float32
    )
    model.eval()
    return model


def freeze_embeddings(model: SentenceClassifier) -> None:
    """Keep the encoder's embedding tables as they are."""
    for parameter in model.encoder.get_input_embeddings().parameters():
        parameter.requires_grad_(False)


def freeze_layers(model: SentenceClassifier, count: int) -> None:
    """Train the upper layers alone; nothing is computed back into what lies below them.

    With all layers frozen the linear layer learns alone. What layers share, such as relative
    positions, stays as it is too: a change of it would have to be computed back through all of
    them.

    Raises:
        ConfigError: The encoder has no list of layers, or too few of them.
    """
    layers = layer_list(model.encoder)
    if count > len(layers):
        raise ConfigError(
            f"encoder.freeze_layers: expected at most the encoder's {len(layers)} layers, "
            f"found {count}"
        )
    model.encoder.requires_grad_(False)
    for layer in layers[count:]:
        layer.requires_grad_(True)


def set_encoder_dropout(model: SentenceClassifier, probability: float) -> None:
    """Set dropout inside the encoder: on CPUs drawing its masks takes a sixth of the time."""
    for module in model.encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability


# So that transformers' Auto classes know a checkpoint once this module is imported.
AutoConfig.register(SentenceClassifierConfig.model_type, SentenceClassifierConfig)
AutoModel.register(SentenceClassifierConfig, SentenceClassifier)
