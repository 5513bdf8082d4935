import numpy as np
import pytest
import torch

from framing.arrays import LabelArray, label_array
from framing.codebook import Codebook, parse_codebook
from framing.encoding import TokenizedSentence, pad
from framing.model.ngrams import (
    CONTEXT_WEIGHT,
    SCALE,
    SURE,
    NgramLogits,
    fit_ngrams,
    imitate_logits,
    ngram_rows,
    out_of_fold_logits,
)

ONE = parse_codebook("name: a\nvariables: [{id: v, kind: multi_label, labels: [{id: x}]}]")
CLS, SEP, PAD = 2, 3, 0


def pair(context: list[int], sentence: list[int]) -> TokenizedSentence:
    ids = [CLS, *context, SEP, *sentence, SEP]
    return TokenizedSentence(tuple(ids), (0,) * (len(context) + 2) + (1,) * (len(sentence) + 1))


def module(n_logits: int = 1, *, with_context: bool = True, buckets: int = 4096) -> NgramLogits:
    return NgramLogits(n_logits, (CLS, SEP, PAD), with_context, buckets)


def test_tokens_pairs_and_context_are_told_apart() -> None:
    rows = ngram_rows(module(), [pair([7, 8], [10, 11, 12]), pair([], [10]), pair([10], [99])])
    # Three tokens and two pairs of the sentence, two tokens of the context at half weight.
    assert rows.weights[0].tolist() == [1, 1, 1, 1, 1, CONTEXT_WEIGHT, CONTEXT_WEIGHT]
    assert len(set(rows.buckets[0].tolist())) == 7
    assert rows.weights[1].tolist() == [1]
    # The same word means another thing before the sentence than in it.
    assert rows.buckets[2][1] != rows.buckets[1][0]


def test_order_counts_in_pairs() -> None:
    rows = ngram_rows(module(), [pair([], [10, 11]), pair([], [11, 10])])
    assert set(rows.buckets[0][:2].tolist()) == set(rows.buckets[1][:2].tolist())
    assert rows.buckets[0][2] != rows.buckets[1][2]


def test_sentences_alone_are_wholly_their_own() -> None:
    alone = TokenizedSentence((CLS, 10, 11, SEP), (0, 0, 0, 0))
    rows = ngram_rows(module(with_context=False), [alone])
    assert rows.weights[0].tolist() == [1, 1, 1]


def study(n: int = 120) -> tuple[list[TokenizedSentence], LabelArray]:
    """The label stands where token 20 is followed by 21; both are frequent everywhere."""
    generator = np.random.default_rng(0)
    sentences, values = [], []
    for k in range(n):
        words = generator.integers(30, 60, 6).tolist()
        place = int(generator.integers(0, 5))
        words[place : place + 2] = [20, 21] if k % 2 else [21, 20]
        sentences.append(pair(generator.integers(30, 60, 3).tolist(), words))
        values.append([bool(k % 2)])
    return sentences, LabelArray(np.array(values), np.ones((n, 1), dtype=bool))


def test_the_module_computes_what_was_fitted() -> None:
    sentences, gold = study()
    layer = module()
    rows = ngram_rows(layer, sentences)
    model = fit_ngrams(rows, gold, ONE, np.ones(len(sentences)))
    layer.fill(model)
    batch = {name: torch.from_numpy(a) for name, a in pad(sentences, PAD).items()}
    found = layer(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    # An independent way: dictionaries, sentence by sentence.
    for row in (0, 1, 57):
        features = {}
        for bucket, weight in zip(rows.buckets[row], rows.weights[row], strict=True):
            features[bucket] = features.get(bucket, 0.0) + weight * model.idf[bucket]
        singles = rows.weights[row] * model.idf[rows.buckets[row]]
        length = np.sqrt((singles**2).sum())
        expected = model.heads.bias[0] + sum(
            value / length * model.heads.weights[bucket, 0] for bucket, value in features.items()
        )
        assert float(found[row, 0]) == pytest.approx(expected, abs=1e-4)
    assert ((found[:, 0] > 0).numpy() == gold.values[:, 0]).all()


def test_padding_changes_nothing() -> None:
    sentences, gold = study()
    layer = module()
    layer.fill(fit_ngrams(ngram_rows(layer, sentences), gold, ONE, np.ones(len(sentences))))
    short = {name: torch.from_numpy(a) for name, a in pad(sentences[:1], PAD).items()}
    long = {name: torch.from_numpy(a) for name, a in pad(sentences[:1], PAD, 32).items()}
    assert layer(*short.values()).item() == pytest.approx(layer(*long.values()).item(), abs=1e-6)


def test_no_text_at_all_gives_the_bias() -> None:
    layer = module()
    layer.bias.fill_(-2.5)
    batch = [torch.from_numpy(a) for a in pad([pair([], [])], PAD).values()]
    assert layer(*batch).item() == -2.5


def test_crossed_ngrams_mean_different_things_for_different_targets() -> None:
    """Token 20 speaks for the label with target 7 and against it with target 8."""
    generator = np.random.default_rng(0)
    sentences, values = [], []
    for k in range(200):
        target, has = 7 + k % 2, bool(generator.random() < 0.5)
        words = generator.integers(30, 60, 5).tolist()
        sentences.append(pair([target], [*words, 20 if has else 21]))
        values.append([has == (target == 7)])
    gold = LabelArray(np.array(values), np.ones((200, 1), dtype=bool))
    right = {}
    for crossed in (False, True):
        layer = NgramLogits(1, (CLS, SEP, PAD), pair=True, buckets=2**14, crossed=crossed)
        rows = ngram_rows(layer, sentences)
        layer.fill(fit_ngrams(rows, gold, ONE, np.ones(200)))
        # Words that no training sentence has, so that only what was meant can help.
        fresh = [pair([7 + k // 2], [70 + k, 20 + k % 2]) for k in range(4)]
        batch = [torch.from_numpy(a) for a in pad(fresh, PAD).values()]
        right[crossed] = ((layer(*batch)[:, 0] > 0).numpy() == [True, False, False, True]).sum()
    assert right[True] == 4
    assert right[False] < 4


def test_out_of_fold_logits_know_nothing_of_their_document() -> None:
    sentences, gold = study(40)
    # Token 70 gives the label away, but only in one document, which is held out as a whole.
    sentences = [pair([], [70, *s.ids[5:9]]) if k < 8 else s for k, s in enumerate(sentences)]
    documents = ["first" if k < 8 else f"d{k % 7}" for k in range(40)]
    gold.values[:8] = True
    rows = ngram_rows(module(), sentences)
    ones = np.ones(40)
    seen = fit_ngrams(rows, gold, ONE, ones)
    assert seen.heads.weights[rows.buckets[0][0], 0] > 0
    held = out_of_fold_logits(rows, gold, ONE, ones, documents)
    flipped = LabelArray(gold.values.copy(), gold.coded)
    flipped.values[:8] = False
    again = out_of_fold_logits(rows, flipped, ONE, ones, documents)
    assert held[:8] == pytest.approx(again[:8])
    assert held[8:] != pytest.approx(again[8:])


def test_every_kind_of_head(book: Codebook) -> None:
    words = {"prices": 40, "jobs": 41, "good": 50, "bad": 51, "government": 60, "opposition": 61}
    table = [
        {"topics": (t,), f"view.{t}": (v,), "speaker": (s,)}
        for t in ("prices", "jobs")
        for v in ("good", "bad")
        for s in ("government", "opposition")
    ] * 4
    sentences = [
        pair([], [words[a[0]] for name, a in row.items() if a[0] in words]) for row in table
    ]
    gold = label_array(table, book)
    layer = module(book.n_logits)
    layer.fill(fit_ngrams(ngram_rows(layer, sentences), gold, book, np.ones(len(table))))
    logits = layer(*(torch.from_numpy(a) for a in pad(sentences, PAD).values())).numpy() / SCALE
    for column, head in enumerate(book.heads):
        rows = gold.coded[:, column]
        if head.kind == "multi_label":
            assert ((logits[:, head.slice] > 0) == gold.values[:, head.slice])[rows].all()
        elif rows.any():
            best = logits[rows][:, head.slice].argmax(axis=1)
            assert (best == gold.values[rows][:, head.slice].argmax(axis=1)).all()


def test_imitating_a_larger_model_keeps_its_order() -> None:
    sentences, gold = study()
    rng = np.random.default_rng(0)
    sure = np.where(gold.values, 3.0, -3.0) + rng.normal(0, 0.5, gold.values.shape)
    rows = ngram_rows(module(), sentences)
    half = np.arange(len(sentences)) < len(sentences) // 2
    model = imitate_logits(rows.take(np.flatnonzero(half)), sure[half])
    layer = module()
    layer.fill(model)
    batch = pad([s for s, first in zip(sentences, half, strict=True) if not first], PAD)
    found = layer(*(torch.from_numpy(array) for array in batch.values()))[:, 0].numpy()
    wanted = gold.values[~half, 0]
    assert found[wanted].min() > found[~wanted].max()


def test_imitation_does_not_care_how_far_beyond_certainty_a_logit_lies() -> None:
    sentences, gold = study()
    rows = ngram_rows(module(), sentences)
    bounded = imitate_logits(rows, np.where(gold.values, SURE, -SURE))
    wild = imitate_logits(rows, np.where(gold.values, 90.0, -40.0))
    assert wild.heads.weights == pytest.approx(bounded.heads.weights)
    assert wild.heads.weights.shape == (module().buckets, 1)
