"""Whole stretches of a document in one sequence, in place of each sentence beside the one before.

    python experiments/003-real-news/stretches.py [--seed 1] [--real FOLDER] [--tokens 160]

Every token is passed once, and a sentence sees what follows it. The recipe is otherwise that of the
shipped config; n-grams are those of sentence pairs. Prints figures as run.py does.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from run import CONFIG, figures
from torch import Tensor
from transformers import set_seed

from framing.arrays import FloatArray, LabelArray, gold_array
from framing.config import load_config
from framing.data.gold import gold_annotations
from framing.data.readers import read_corpus
from framing.encoding import pad, tokenize
from framing.model.calibration import fit_decisions
from framing.model.classifier import SentenceClassifier, log_mean_exp
from framing.model.dataset import LengthBuckets, with_joined_hyphens
from framing.model.encoder import find_encoder, load_fast_tokenizer
from framing.model.finetune import _EASY, _optimizer, _set_loss_weights
from framing.model.ngrams import SCALE
from framing.records import Sentence
from framing.study import load_study
from framing.train import Stage, examples, hide_loading_bars, prepared_classifier, with_ngrams

#: Most tokens of a sentence, and of the one before a stretch that begins in mid-document.
OWN, BEFORE = 96, 48
#: Sentences a step, about as many as in the shipped config.
BATCH = 32


@dataclass
class Stretch:
    """Consecutive sentences of a document as one sequence.

    Attributes:
        ids: Token ids.
        spans: (number of the sentence, its first token, the token after its last).
        last: Document and position of the last sentence.
    """

    ids: list[int]
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    last: tuple[str, int] = ("", 0)


def stretches(sentences: Sequence[Sentence], tokenizer: Any, most: int) -> list[Stretch]:
    """Put as many consecutive sentences as fit into each sequence."""
    own = tokenizer(
        [s.text for s in sentences], add_special_tokens=False, truncation=True, max_length=OWN
    )["input_ids"]
    before = tokenizer([s.previous or "" for s in sentences], add_special_tokens=False)["input_ids"]
    end = tokenizer.sep_token_id
    out: list[Stretch] = []
    for k in sorted(range(len(sentences)), key=lambda k: _place(sentences[k])):
        doc_id, position = _place(sentences[k])
        follows = out and out[-1].last == (doc_id, position - 1)
        if not follows or len(out[-1].ids) + len(own[k]) + 1 > most:
            context = [*before[k][-BEFORE:], end] if before[k] else []
            out.append(Stretch([tokenizer.cls_token_id, *context]))
        found = out[-1]
        start = len(found.ids)
        found.ids += [*own[k], end]
        found.spans.append((k, start, len(found.ids)))
        found.last = (doc_id, position)
    return out


def _place(sentence: Sentence) -> tuple[str, int]:
    return sentence.doc_id, sentence.position


def encoder_logits(
    model: SentenceClassifier, batch: Sequence[Stretch], pad_id: int
) -> tuple[list[int], Tensor]:
    """Numbers of the sentences in a batch, and their logits without those of n-grams."""
    length = max(len(s.ids) for s in batch)
    ids = torch.tensor([s.ids + [pad_id] * (length - len(s.ids)) for s in batch])
    hidden = model.encoder(ids, (ids != pad_id).long()).last_hidden_state
    tokens = model.linear(model.dropout(hidden)).float().flatten(0, 1)
    spans = [(b * length, *span) for b, s in enumerate(batch) for span in s.spans]
    widest = max(stop - start for _, _, start, stop in spans)
    index = torch.zeros((len(spans), widest), dtype=torch.long)
    mask = torch.zeros((len(spans), widest))
    for row, (offset, _, start, stop) in enumerate(spans):
        index[row, : stop - start] = torch.arange(offset + start, offset + stop)
        mask[row, : stop - start] = 1
    return [k for _, k, _, _ in spans], log_mean_exp(tokens[index], mask)


def train(stage: Stage, tokenizer: Any, most: int) -> tuple[SentenceClassifier, float]:
    """The trained model, and seconds."""
    config, book = stage.config, stage.study.book
    set_seed(stage.seed)
    model = prepared_classifier(stage, tokenizer)
    assert model.ngrams is not None
    found = with_ngrams(model.ngrams, examples(stage, tokenizer, "train"), book)
    _set_loss_weights(model, config.training, book, found.targets)
    rng = np.random.default_rng(stage.seed)
    sentences = stage.study.training_sentences(config.data)
    sentences = with_joined_hyphens(sentences, config.training.join_hyphens, rng)
    kept, factors = _thinned(stage, stretches(sentences, tokenizer, most), found)
    weights = torch.tensor(found.targets.weights * factors[:, None], dtype=torch.float32)
    values = torch.tensor(found.targets.values, dtype=torch.float32)
    beside = torch.tensor(found.ngram_logits, dtype=torch.float32)
    each = max(1, round(BATCH * len(kept) / sum(len(s.spans) for s in kept)))
    order = list(LengthBuckets([len(s.ids) for s in kept], each, stage.seed))
    steps = math.ceil(len(order) / each)
    warm = math.ceil(config.training.warmup * steps)
    optimizer = _optimizer(model, config.training)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: s / max(1, warm) if s < warm else (steps - s) / max(1, steps - warm)
    )
    model.train()
    start = time.perf_counter()
    for step in range(steps):
        batch = [kept[k] for k in order[step * each : (step + 1) * each]]
        rows, logits = encoder_logits(model, batch, tokenizer.pad_token_id)
        loss = model.loss(logits + beside[rows], values[rows], weights[rows])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
    return model.eval(), time.perf_counter() - start


def _thinned(
    stage: Stage, found: Sequence[Stretch], train_examples: Any
) -> tuple[list[Stretch], FloatArray]:
    """Stretches without a share of those of easy sentences only, and factors to stand for all."""
    columns = stage.study.book.multi_label_logits
    limit = SCALE * math.log(_EASY / (1 - _EASY))
    easy = (train_examples.ngram_logits[:, columns] < limit).all(axis=1)
    easy &= ~train_examples.gold.values[:, columns].any(axis=1)
    share, factors = stage.config.training.easy_share, train_examples.factors.copy()
    rng, kept = np.random.default_rng([stage.seed, 7]), []
    for stretch in found:
        rows = [k for k, _, _ in stretch.spans]
        if easy[rows].all():
            if rng.random() >= share:
                continue
            factors[rows] /= share
        kept.append(stretch)
    return kept, factors


@torch.inference_mode()
def predict(
    model: SentenceClassifier,
    stage: Stage,
    tokenizer: Any,
    sentences: Sequence[Sentence],
    most: int,
) -> FloatArray:
    """Logits, shape (n, logits)."""
    assert model.ngrams is not None
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    pairs = tokenize(backend, sentences, stage.settings)
    out = np.zeros((len(sentences), model.config.n_logits))
    for start in range(0, len(pairs), 64):
        batch = pad(pairs[start : start + 64], tokenizer.pad_token_id)
        tensors = (torch.from_numpy(array) for array in batch.values())
        out[start : start + 64] = model.ngrams(*tensors).numpy()
    found = sorted(stretches(sentences, tokenizer, most), key=lambda s: len(s.ids))
    for start in range(0, len(found), 16):
        rows, logits = encoder_logits(model, found[start : start + 16], tokenizer.pad_token_id)
        out[rows] += logits.numpy()
    return out


def sets(stage: Stage, real: Path | None) -> Iterator[tuple[str, Sequence[Sentence], LabelArray]]:
    """Name, sentences and gold labels of what is scored."""
    study = stage.study
    for split in ("dev", "test"):
        sentences = study.split(split)
        yield split, sentences, gold_array(study.gold_of(sentences), study.book)
    if real is not None:
        corpus = read_corpus(real, study.book)
        gold = {a.sentence_id: a for a in gold_annotations(corpus.annotations, study.book)}
        coded = [s for s in corpus.sentences if s.id in gold]
        yield "real", coded, gold_array([gold[s.id] for s in coded], study.book)


def main() -> None:
    """Train and score."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--tokens", type=int, default=160)
    args = parser.parse_args()
    hide_loading_bars()
    config = load_config(CONFIG)
    stage = Stage(config, load_study(config), args.seed, Path(), print)
    tokenizer = load_fast_tokenizer(find_encoder(config.encoder))
    model, seconds = train(stage, tokenizer, args.tokens)
    decisions = None
    for name, sentences, gold in sets(stage, args.real):
        logits = predict(model, stage, tokenizer, sentences, args.tokens)
        if decisions is None:
            decisions = fit_decisions(logits, gold, stage.study.book, config.decisions.prevalence)
        found = figures(logits, gold, decisions, stage.study.book)
        means = {k: np.mean(v).round(3) for k, v in found.items() if k != "n"}
        print(args.seed, round(seconds), name, means, flush=True)


if __name__ == "__main__":
    main()
