"""A linear model on token n-grams that stands beside the encoder and is part of its graph.

A small encoder, fine-tuned for a few minutes on a few thousand sentences, passes over set phrases
that a bag of words finds at once, and the other way round. Logits of both are added
(experiments/003-real-news). The features are tokens and token pairs of the sentence and tokens of
its context, hashed into a table (Weinberger et al. 2009, "Feature Hashing for Large Scale
Multitask Learning"), weighted by inverse document frequency and scaled to length one: all of it
integer arithmetic and table look-ups, which an ONNX graph does from the token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from framing.arrays import FloatArray, LabelArray
from framing.codebook import Codebook
from framing.encoding import TokenizedSentence, pad
from framing.inference.screen import CONTEXT_WEIGHT, PAIR_STEP
from framing.model.linear import LinearHeads, fit_separate_labels

#: Entries of the table. Twice as many gave no better scores.
BUCKETS = 2**17
#: n-grams of fewer training sentences say nothing that would hold elsewhere.
LEAST_SENTENCES = 2
#: Inverse strength of the L2 penalty.
PENALTY_C = 20.0
#: Strength of the L2 penalty where logits of another model are learnt, and their bounds.
IMITATION_PENALTY = 0.3
SURE = 5.0
#: Factor on the linear model's logits, which are too sure of themselves beside those of others.
SCALE = 0.5
#: Parts of the documents for the logits that the encoder is trained beside.
FOLDS = 5

#: Parts n-grams with a target from those without.
_CROSS_STEP = 7_919
_BATCH = 256

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class NgramModel:
    """What is fitted.

    Attributes:
        idf: Inverse document frequency of each bucket, shape (buckets,); 0 for those not used.
        heads: Weights (buckets, logits) and bias.
    """

    idf: FloatArray
    heads: LinearHeads

    def logits(self, rows: NgramRows) -> FloatArray:
        """Logits of sentences, shape (n, logits)."""
        return self.heads.logits(_matrix(rows, self.idf))


class NgramLogits(nn.Module):
    """The linear model as a module of the classifier.

    Args:
        n_logits: Logits of the codebook.
        special: Token ids that belong to no text, such as [CLS] and padding.
        pair: Whether sentences come as the second segment of a pair.
        buckets: Entries of the table.
        crossed: Whether n-grams of the sentence are counted once more together with the whole
            first segment, a target: for all targets and for each (Daume 2007, "Frustratingly Easy
            Domain Adaptation").
    """

    table: Tensor
    idf: Tensor
    bias: Tensor

    def __init__(
        self,
        n_logits: int,
        special: Sequence[int],
        pair: bool,
        buckets: int = BUCKETS,
        *,
        crossed: bool = False,
    ) -> None:
        super().__init__()
        self.special = tuple(special)
        self.pair = pair
        self.buckets = buckets
        self.crossed = crossed
        self.register_buffer("table", torch.zeros(buckets, n_logits))
        self.register_buffer("idf", torch.zeros(buckets))
        self.register_buffer("bias", torch.zeros(n_logits))

    def fill(self, model: NgramModel) -> None:
        """Take over fitted weights."""
        self.table.copy_(torch.from_numpy(model.heads.weights))
        self.idf.copy_(torch.from_numpy(model.idf))
        self.bias.copy_(torch.from_numpy(model.heads.bias))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> Tensor:
        """Logits, shape (batch, logits), from inputs of shape (batch, length)."""
        buckets, weights = self.features(input_ids, attention_mask, token_type_ids)
        values = weights * functional.embedding(buckets, self.idf.unsqueeze(1)).squeeze(2)
        values = values / values.square().sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
        rows = functional.embedding(buckets, self.table)
        logits: Tensor = (values.unsqueeze(2) * rows).sum(dim=1) + self.bias
        return logits

    def features(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Buckets of all n-grams and their weights before idf.

        Both have the shape (batch, 3 * length), or 5 * length where n-grams are crossed. Weight 0
        marks positions where no n-gram stands.
        """
        real = attention_mask == 1
        for token in self.special:
            real = real & (input_ids != token)
        own, context = real, torch.zeros_like(real)
        if self.pair and token_type_ids is not None:
            own, context = real & (token_type_ids == 1), real & (token_type_ids == 0)
        after = functional.pad(input_ids[:, 1:], (0, 1))
        both = own & functional.pad(own[:, 1:], (0, 1))
        # Half a table apart, so that no token before the sentence meets one in it.
        before = input_ids + self.buckets // 2
        pairs = input_ids * PAIR_STEP + after
        keys, found = [input_ids, pairs, before], [own, both, CONTEXT_WEIGHT * context]
        if self.crossed:
            # A number for the whole first segment; the same one wherever the target is the same.
            target = (input_ids.square() * context).sum(dim=1, keepdim=True)
            keys += [input_ids * _CROSS_STEP + target, pairs * _CROSS_STEP + target]
            found += [own, both]
        weights = torch.cat([part.to(self.idf.dtype) for part in found], dim=1)
        return torch.cat(keys, dim=1) % self.buckets, weights


@dataclass(frozen=True)
class NgramRows:
    """The n-grams of sentences.

    Attributes:
        buckets: Of each sentence's n-grams, in the order of the text.
        weights: The same before inverse document frequencies.
        size: Entries of the table.
    """

    buckets: tuple[IntArray, ...]
    weights: tuple[FloatArray, ...]
    size: int

    def take(self, rows: IntArray) -> NgramRows:
        """The n-grams of some of the sentences."""
        buckets = tuple(self.buckets[k] for k in rows)
        return NgramRows(buckets, tuple(self.weights[k] for k in rows), self.size)


def ngram_rows(module: NgramLogits, sentences: Sequence[TokenizedSentence]) -> NgramRows:
    """The n-grams of sentences, as the module itself finds them: there is one definition."""
    all_buckets: list[IntArray] = []
    all_weights: list[FloatArray] = []
    for start in range(0, len(sentences), _BATCH):
        batch = pad(sentences[start : start + _BATCH], 0)
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        buckets, weights = module.features(
            tensors["input_ids"], tensors["attention_mask"], tensors["token_type_ids"]
        )
        for row, weight in zip(buckets.numpy(), weights.numpy().astype(np.float64), strict=True):
            all_buckets.append(row[weight > 0])
            all_weights.append(weight[weight > 0])
    return NgramRows(tuple(all_buckets), tuple(all_weights), module.buckets)


def fit_ngrams(
    rows: NgramRows, gold: LabelArray, book: Codebook, factors: FloatArray
) -> NgramModel:
    """Fit the linear model.

    Args:
        rows: n-grams of the training sentences.
        gold: Their labels.
        book: The codebook.
        factors: Factor on the loss of each sentence, shape (n,).

    Returns:
        What `NgramLogits.fill` takes.
    """
    idf = _idf(rows)
    heads = fit_separate_labels(_matrix(rows, idf), gold, book, PENALTY_C, factors)
    return NgramModel(idf, LinearHeads(SCALE * heads.weights, SCALE * heads.bias))


def imitate_logits(rows: NgramRows, logits: FloatArray) -> NgramModel:
    """Fit a linear model that gives the logits of another, larger one.

    Least squares on logits tells sentences that are surely nothing from those that hardly are;
    labels and probabilities do not (Ba and Caruana 2014, "Do Deep Nets Really Need to be Deep?").

    Args:
        rows: n-grams of the training sentences.
        logits: The larger model's, shape (n, logits).

    Returns:
        The linear model of the same logits.
    """
    from sklearn.linear_model import Ridge

    idf = _idf(rows)
    # How far beyond certainty a logit lies is noise.
    wanted = np.clip(logits, -SURE, SURE)
    found = Ridge(IMITATION_PENALTY, solver="sparse_cg", tol=1e-3).fit(_matrix(rows, idf), wanted)
    weights = np.asarray(found.coef_).reshape(wanted.shape[1], rows.size).T
    return NgramModel(idf, LinearHeads(weights, np.asarray(found.intercept_).reshape(-1)))


def out_of_fold_logits(
    rows: NgramRows,
    gold: LabelArray,
    book: Codebook,
    factors: FloatArray,
    documents: Sequence[str],
) -> FloatArray:
    """Logits of training sentences by models that did not see their documents.

    Beside its logits for the very sentences it was fitted on, the linear model would leave the
    encoder nothing to learn.

    Args:
        rows: n-grams of the training sentences.
        gold: Their labels.
        book: The codebook.
        factors: Factor on the loss of each sentence, shape (n,).
        documents: Document of each sentence.

    Returns:
        Shape (n, logits).
    """
    names = np.random.default_rng(0).permutation(sorted(set(documents)))
    place = {name: k % FOLDS for k, name in enumerate(names)}
    fold = np.array([place[name] for name in documents])
    out = np.zeros((len(documents), book.n_logits))
    for k in np.unique(fold):
        train, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if len(train):
            model = fit_ngrams(rows.take(train), _take(gold, train), book, factors[train])
            out[held] = model.logits(rows.take(held))
    return out


def _take(gold: LabelArray, rows: IntArray) -> LabelArray:
    return LabelArray(gold.values[rows], gold.coded[rows])


def _idf(rows: NgramRows) -> FloatArray:
    counts = np.zeros(rows.size)
    for found in rows.buckets:
        counts[np.unique(found)] += 1
    idf: FloatArray = np.log((1 + len(rows.buckets)) / (1 + counts)) + 1
    idf[counts < LEAST_SENTENCES] = 0
    return idf


def _matrix(rows: NgramRows, idf: FloatArray) -> Any:
    """Features as a sparse matrix, shape (n, buckets), rows of length one (or zero)."""
    from scipy.sparse import csr_matrix

    values = [w * idf[found] for found, w in zip(rows.buckets, rows.weights, strict=True)]
    values = [v / max(float(np.sqrt(v @ v)), 1e-6) for v in values]
    ends = np.cumsum([0, *(len(v) for v in values)])
    shape = (len(values), rows.size)
    columns = np.concatenate(rows.buckets)
    matrix = csr_matrix((np.concatenate(values), columns, ends), shape=shape)
    matrix.sum_duplicates()
    return matrix
