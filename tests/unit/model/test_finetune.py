import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from framing.arrays import label_array
from framing.codebook import Codebook
from framing.config import RunConfig, TrainingConfig
from framing.encoding import InputSettings, tokenize
from framing.model.classifier import SentenceClassifier, new_classifier
from framing.model.dataset import (
    LengthBuckets,
    Targets,
    class_weights,
    hard_targets,
    smoothed,
    with_joined_hyphens,
)
from framing.model.encoder import find_encoder, load_encoder, load_fast_tokenizer
from framing.model.finetune import (
    Examples,
    _rate_factor,
    development_score,
    finetune,
    last_checkpoint,
    model_logits,
    thin_easy,
    training_arguments,
)
from framing.records import Sentence
from tests.tiny import save_tiny_encoder

ROWS = [
    (
        "the price rose",
        {"topics": ("prices",), "view.prices": ("bad",), "speaker": ("opposition",)},
    ),
    ("jobs came back", {"topics": ("jobs",), "view.jobs": ("good",), "speaker": ("government",)}),
    ("it rained", {"topics": (), "speaker": ("government",)}),
]


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory) -> Path:
    words = " ".join(text for text, _ in ROWS).split()
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), words)


@pytest.fixture
def config(encoder_folder: Path) -> RunConfig:
    return RunConfig.model_validate(
        {
            "name": "tiny",
            "data": {"corpus": "unused"},
            "encoder": {"path": str(encoder_folder), "max_length": 16, "context": []},
            "training": {
                "epochs": 4,
                "batch_size": 8,
                "learning_rate": 5e-3,
                "precision": "float32",
                "layer_decay": 0.9,
                "head_factor": 1,
            },
        }
    )


def make(config: RunConfig, book: Codebook) -> tuple[SentenceClassifier, Examples]:
    import torch

    torch.manual_seed(1)
    source = find_encoder(config.encoder)
    tokenizer = load_fast_tokenizer(source).backend_tokenizer
    sentences = [Sentence(str(k), ROWS[k % 3][0], str(k)) for k in range(48)]
    gold = label_array([ROWS[k % 3][1] for k in range(48)], book)
    tokens = tokenize(tokenizer, sentences, InputSettings((), 16))
    model = new_classifier(load_encoder(source, "eager"), book, 0.0)
    return model, Examples(tokens, gold, hard_targets(gold), np.ones(48), ["d"] * 48)


def run(model, examples, config, book, folder, **changes):
    return finetune(
        model,
        config=config,
        book=book,
        train=examples,
        dev=examples,
        pad_id=0,
        seed=3,
        folder=folder,
        **changes,
    )


def test_learns_every_head_and_repeats_exactly(
    config: RunConfig, book: Codebook, tmp_path: Path
) -> None:
    logits = []
    for name in ("one", "two"):
        model, examples = make(config, book)
        outcome = run(model, examples, config, book, tmp_path / name)
        assert outcome.steps == 4 * 6
        logits.append(model_logits(model, examples.sentences, 0))
        # The score that the Trainer chose the checkpoint by is the score of that checkpoint.
        score = development_score(logits[-1], examples.gold, book)
        assert outcome.best_score == pytest.approx(score)
    assert np.array_equal(*logits)
    assert development_score(logits[0], examples.gold, book) == pytest.approx(1.0)


@pytest.mark.parametrize("evaluations", [1, 0])
def test_interrupted_training_continues_to_the_same_weights(
    config: RunConfig,
    book: Codebook,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    evaluations: int,
) -> None:
    from transformers import TrainerCallback

    training = config.training.model_copy(update={"evaluations": evaluations})
    config = config.model_copy(update={"training": training})
    model, examples = make(config, book)
    run(model, examples, config, book, tmp_path / "whole")
    expected = model_logits(model, examples.sentences, 0)

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **rest):
            if state.global_step == 15:
                raise KeyboardInterrupt

    import transformers

    class Stopping(transformers.Trainer):
        def __init__(self, *args, **options) -> None:
            options["callbacks"] = [*options["callbacks"], Stop()]
            super().__init__(*args, **options)

    model, examples = make(config, book)
    with monkeypatch.context() as patch:
        patch.setattr("transformers.Trainer", Stopping)
        with pytest.raises(KeyboardInterrupt):
            run(model, examples, config, book, tmp_path / "broken")
    model, examples = make(config, book)
    # Without evaluations, too, it had got somewhere.
    assert last_checkpoint(tmp_path / "broken") is not None
    outcome = run(model, examples, config, book, tmp_path / "broken")
    assert outcome.steps == 24
    assert (outcome.best_score is None) == (evaluations == 0)
    found = model_logits(model, examples.sentences, 0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_uncoded_variables_do_not_count(book: Codebook) -> None:
    gold = label_array([{"topics": ("prices",)}, {"topics": ()}], book)
    logits = np.zeros((2, 10))
    logits[0, 0] = 1
    assert development_score(logits, gold, book) == 1.0


def test_targets_by_hand(book: Codebook) -> None:
    gold = label_array([row for _, row in ROWS], book)
    targets = hard_targets(gold)
    assert targets.weights.tolist() == [[1, 1, 0, 1], [1, 0, 1, 1], [1, 0, 0, 1]]
    soft = smoothed(targets, book, 0.3)
    # prices occurs in a third of the sentences: 0.7 * 1 + 0.3 / 3 and 0.7 * 0 + 0.3 / 3.
    assert soft.values[:, 0] == pytest.approx([0.8, 0.1, 0.1])
    assert soft.values[:, 8:].sum(axis=1) == pytest.approx([1, 1, 1])
    weights = class_weights(targets, book, 1.0)
    assert weights[:2] == pytest.approx([2, 2])
    assert weights[8:] == pytest.approx([0.75, 1.5])
    assert class_weights(targets, book, 0.0) == pytest.approx(np.ones(10))
    empty = Targets(np.zeros((3, 10)), np.zeros((3, 4)))
    assert np.isfinite(class_weights(empty, book, 1.0)).all()


def test_rates_of_layers() -> None:
    config = TrainingConfig(layer_decay=0.5, head_factor=10)
    names = ["linear.weight", "encoder.encoder.layer.5.x", "encoder.encoder.layer.0.x"]
    assert [_rate_factor(n, 6, config) for n in names] == [10, 0.5, 0.5**6]
    assert _rate_factor("encoder.embeddings.word_embeddings.weight", 6, config) == 0.5**7
    assert _rate_factor("encoder.embeddings.norm.weight", 6, config) == 0.5**7
    # ModernBERT's, behind its top layer.
    assert _rate_factor("encoder.final_norm.weight", 6, config) == 0.5


def test_length_buckets_hold_every_sentence_once_and_are_not_in_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 1003)
    sampler = LengthBuckets(lengths, 8, seed=1)
    first = list(sampler)
    assert sorted(first) == list(range(1003))
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    batches = [lengths[first[k : k + 8]] for k in range(0, 1000, 8)]
    assert np.mean([b.max() - b.min() for b in batches]) < 6
    means = np.array([b.mean() for b in batches])
    neighbours = np.corrcoef(means[:-1], means[1:])[0, 1]
    assert abs(neighbours) < 0.3


def test_one_bucket_smaller_than_a_batch() -> None:
    assert sorted(LengthBuckets([3, 1, 2], 8, seed=0)) == [0, 1, 2]


def test_joined_hyphens() -> None:
    texts = ["They must de-escalate now, the mid-June long-term non-Russian way: X-ray, re-do."]
    sentence = Sentence("a", texts[0], "d", previous="A no-fly zone, pre-empted")
    rng = np.random.default_rng(0)
    (changed,) = with_joined_hyphens([sentence], 1.0, rng)
    expected = "They must deescalate now, the mid-June longterm non-Russian way: X-ray, re-do."
    assert changed.text == expected
    assert changed.previous == "A no-fly zone, preempted"
    assert with_joined_hyphens([sentence], 0.0, rng) == [sentence]
    many = with_joined_hyphens([sentence] * 1000, 0.3, rng)
    assert sum(s.text == expected for s in many) == pytest.approx(300, abs=50)


def test_half_written_checkpoints_are_passed_over(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "none") is None
    for step, state in ((9, "{}"), (10, "{}"), (100, '{"half'), (200, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-9"]


def test_the_best_checkpoint_of_a_run_that_was_moved(tmp_path: Path) -> None:
    for step in (5, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        state = {"best_model_checkpoint": "/elsewhere/checkpoint-5", "best_metric": 0.5}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    newest = last_checkpoint(tmp_path)
    assert newest == str(tmp_path / "checkpoint-10")
    state = json.loads((tmp_path / "checkpoint-10" / "trainer_state.json").read_text())
    assert state == {
        "best_model_checkpoint": str(tmp_path / "checkpoint-5"),
        "best_metric": 0.5,
    }


def with_logits(examples: Examples, logits: np.ndarray) -> Examples:
    return dataclasses.replace(examples, ngram_logits=logits)


def test_thinning_spares_what_has_a_label_or_looks_like_it(
    config: RunConfig, book: Codebook
) -> None:
    _, examples = make(config, book)
    logits = np.full((48, book.n_logits), -9.0)
    doubtful = np.arange(48) % 6 == 5
    logits[doubtful, 0] = 0.0
    topics = examples.gold.values[:, :2].any(axis=1)
    easy = ~topics & ~doubtful
    assert easy.any()
    assert (~easy).any()
    found = thin_easy(with_logits(examples, logits), book, 0.5, np.random.default_rng(0))
    n_easy = int((found.factors == 2).sum())
    assert 0 < n_easy < easy.sum()
    assert len(found.sentences) == (~easy).sum() + n_easy
    assert set(found.factors) == {1.0, 2.0}
    assert len(found.documents) == len(found.gold.values) == len(found.targets.values)
    assert found.ngram_logits is not None
    assert len(found.ngram_logits) == len(found.sentences)


def test_thinning_keeps_all_where_nothing_is_easy(config: RunConfig, book: Codebook) -> None:
    _, examples = make(config, book)
    rng = np.random.default_rng(0)
    assert thin_easy(examples, book, 0.5, rng) is examples
    logits = np.zeros((48, book.n_logits))
    assert len(thin_easy(with_logits(examples, logits), book, 0.5, rng).sentences) == 48


def test_training_beside_given_n_gram_logits(
    config: RunConfig, book: Codebook, tmp_path: Path
) -> None:
    _, examples = make(config, book)
    source = find_encoder(config.encoder)
    model = new_classifier(load_encoder(source, "eager"), book, 0.0, special=[0, 2, 3])
    # n-grams that already say everything leave the encoder nothing to learn.
    sure = np.where(examples.gold.values, 50.0, -50.0)
    before = model.linear.weight.detach().clone()
    run(model, with_logits(examples, sure), config, book, tmp_path)
    assert float((model.linear.weight.detach() - before).abs().max()) < 0.05


@pytest.mark.parametrize(
    ("processes", "gpus", "evaluations", "expected"),
    [(1, 0, 1, 50), (2, 1, 1, 25), (2, 1, 3, 9), (1, 4, 1, 13), (1, 0, 0, 13), (2, 1, 0, 7)],
)
def test_evaluations_are_spread_over_the_steps_that_are_made(
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
    gpus: int,
    evaluations: int,
    expected: int,
) -> None:
    from transformers import TrainingArguments

    monkeypatch.setattr(TrainingArguments, "world_size", property(lambda _: processes))
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda _: gpus))
    training = config.training.model_copy(update={"evaluations": evaluations, "accumulate": 2})
    config = config.model_copy(update={"training": training})
    # 50 steps of two batches of eight in one process.
    made = training_arguments(config, 50 * 16, 1, tmp_path)
    assert made.eval_steps == made.save_steps == made.logging_steps == expected
