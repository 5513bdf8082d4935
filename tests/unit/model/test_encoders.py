"""Encoders of many kinds: what each can do is known before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from framing.codebook import Codebook
from framing.config import EncoderConfig
from framing.encoding import InputSettings, load_tokenizer, numbers_segments, pad, tokenize
from framing.errors import ConfigError
from framing.export import check_parity, export_graph
from framing.model.classifier import SentenceClassifier, freeze_layers, new_classifier
from framing.model.encoder import (
    EXPORTED_KINDS,
    attention_for,
    check_shape,
    context_layers_for,
    encoder_shape,
    find_encoder,
    layer_list,
    load_encoder,
    load_fast_tokenizer,
)
from framing.records import Sentence
from tests.tiny import save_tiny_encoder

KINDS = ["bert", "roberta", "mpnet", "deberta-v2", "distilbert", "electra", "modernbert"]
WORDS = ["a", "b", "c", "d"]
APART: dict[str, Any] = {"read_apart": True, "max_length": 32}
PARTED: dict[str, Any] = {"context_layers": 1, "pooling": "log_mean_exp", "max_length": 32}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    found = {}
    for kind in [*KINDS, "t5", "albert"]:
        pairs = kind in {"bert", "electra"}
        found[kind] = save_tiny_encoder(root / kind, WORDS, 8, kind, pairs=pairs)
    return found


def source(folder: Path, **fields: Any) -> tuple[EncoderConfig, Any]:
    config = EncoderConfig(path=str(folder), **fields)
    return config, find_encoder(config)


def classifier(folder: Path, book: Codebook) -> SentenceClassifier:
    _, found = source(folder)
    tokenizer = load_tokenizer(str(folder / "tokenizer.json"))
    return new_classifier(
        load_encoder(found, "eager"),
        book,
        0.0,
        pooling="log_mean_exp",
        pair=True,
        special=[0, 2, 3],
        encoder_types=numbers_segments(tokenizer),
    ).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_the_sentence_is_told_from_its_context(
    folders: dict[str, Path], kind: str, book: Codebook, tmp_path: Path
) -> None:
    folder = folders[kind]
    model = classifier(folder, book)
    tokenizer = load_tokenizer(str(folder / "tokenizer.json"))
    (row,) = tokenize(
        tokenizer, [Sentence("1", "c d", "d", previous="a b")], InputSettings(("previous",), 16)
    )
    assert sum(row.type_ids) == 3
    batch = {name: torch.from_numpy(array) for name, array in pad([row], 0).items()}
    with torch.no_grad():
        own = model(**batch).logits
        hidden = model._hidden(*batch.values())[:, -3:]
        expected = torch.logsumexp(model.linear(hidden), dim=1) - torch.log(torch.tensor(3.0))
    assert torch.allclose(own, expected, atol=1e-5)
    inputs = export_graph(model, tmp_path / "model.onnx")
    check_parity(model, tmp_path, inputs)


def test_a_table_of_segments_that_the_tokenizer_does_not_number_is_not_used(
    tmp_path: Path, book: Codebook
) -> None:
    model = classifier(save_tiny_encoder(tmp_path, WORDS, 8, pairs=False), book)
    ids = torch.tensor([[2, 5, 3, 3, 6, 3]])
    types = torch.tensor([[0, 0, 0, 0, 1, 1]])
    with torch.no_grad():
        hidden = model._hidden(ids, torch.ones_like(ids), types)
        plain = model._hidden(ids, torch.ones_like(ids), torch.zeros_like(ids))
    assert torch.equal(hidden, plain)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_computed_back_into_frozen_layers(
    folders: dict[str, Path], kind: str, book: Codebook
) -> None:
    model = classifier(folders[kind], book)
    freeze_layers(model, 1)
    (layers,) = [m for m in model.encoder.modules() if isinstance(m, torch.nn.ModuleList)][:1]
    states = []
    layers[0].register_forward_hook(
        lambda _, __, out: states.append(out[0] if isinstance(out, tuple) else out)
    )
    ids = torch.tensor([[2, 5, 3]])
    model(ids, torch.ones_like(ids), torch.tensor([[0, 1, 1]])).logits.sum().backward()
    assert not states[0].requires_grad
    assert all(p.grad is None for p in layers[0].parameters())
    assert any(p.grad is not None for p in layers[1].parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_with_all_layers_frozen_the_linear_layer_learns_alone(
    folders: dict[str, Path], kind: str, book: Codebook
) -> None:
    model = classifier(folders[kind], book)
    freeze_layers(model, encoder_shape(source(folders[kind])[1]).layers)
    ids = torch.tensor([[2, 5, 3]])
    model(ids, torch.ones_like(ids), torch.tensor([[0, 1, 1]])).logits.sum().backward()
    learnt = {name for name, p in model.named_parameters() if p.grad is not None}
    assert learnt == {"linear.weight", "linear.bias"}


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("t5", {}, "expected an encoder, found .*a t5 with a decoder"),
        ("bert", {"freeze_layers": 3}, "expected at most the 2 layers"),
        ("albert", {"freeze_layers": 2}, "expected at most the 1 layers"),
        ("bert", {"max_length": 65}, "max_length: expected at most 64"),
        ("roberta", {"max_length": 64}, "max_length: expected at most 63"),
        ("mpnet", {"attention": "sdpa", "max_length": 32}, "a mpnet, has no sdpa in transformers"),
        ("modernbert", PARTED, "expected an encoder of one of the kinds bert, .* a modernbert"),
        ("bert", PARTED | {"context_layers": 3}, "context_layers: expected at most the 2 layers"),
        ("bert", {"layers": (0, 2)}, "layers: expected numbers below 2, .* found 2"),
        ("albert", {"layers": (0,)}, "layers: .* a albert, which passes 1 of them 2 times"),
        ("roberta", APART, "read_apart: expected a BERT with two segments, .* a roberta"),
        ("modernbert", {"layers": (1,)}, r"cannot do without .* the lowest, such as \[0\]"),
    ],
)
def test_what_an_encoder_cannot_do(
    folders: dict[str, Path], kind: str, fields: dict[str, Any], message: str
) -> None:
    config, found = source(folders[kind], **fields)
    with pytest.raises(ConfigError, match=message):
        check_shape(config, found, encoder_shape(found))


def test_kinds_that_are_not_tried_before_training_are_tested_here() -> None:
    # CamemBERT and XLM-R are RoBERTa by other names.
    assert set(KINDS) | {"camembert", "xlm-roberta"} == EXPORTED_KINDS


def test_shapes(folders: dict[str, Path]) -> None:
    shapes = {kind: encoder_shape(source(folders[kind])[1]) for kind in KINDS}
    assert {kind for kind, shape in shapes.items() if not shape.sdpa} == {"mpnet", "deberta-v2"}
    positions = {kind: shape.positions for kind, shape in shapes.items()}
    assert (positions["bert"], positions["roberta"], positions["modernbert"]) == (64, 63, None)
    assert {shape.layers for shape in shapes.values()} == {2}
    _, found = source(folders["bert"])
    counted = sum(p.numel() for p in load_encoder(found, "eager").parameters())
    assert shapes["bert"].parameters == counted
    long = EncoderConfig(max_length=300)
    assert attention_for(long, "cpu", sdpa=shapes["mpnet"].sdpa) == "eager"


@pytest.mark.parametrize("kind", KINDS)
def test_layers_that_are_kept(folders: dict[str, Path], kind: str, book: Codebook) -> None:
    # ModernBERT's first layer is unlike the others.
    number = int(kind != "modernbert")
    _, found = source(folders[kind], layers=(number,))
    whole, kept = (load_encoder(s, "eager") for s in (source(folders[kind])[1], found))
    assert encoder_shape(found).layers == len(layer_list(kept)) == 1
    expected = layer_list(whole)[number].state_dict()
    assert all(
        torch.equal(values, expected[name])
        for name, values in layer_list(kept)[0].state_dict().items()
    )
    model = new_classifier(kept, book, 0.0).eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        logits = model(ids, torch.ones_like(ids)).logits
        again = SentenceClassifier(model.config)
        again.load_state_dict(model.state_dict())
        assert torch.equal(again.eval()(ids, torch.ones_like(ids)).logits, logits)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("bert", {"pooling": "log_mean_exp"}, 1),
        ("bert", PARTED | {"context_layers": 2}, 1),
        ("bert", {}, None),
        ("bert", APART, 1),
        ("bert", APART | {"pooling": "log_mean_exp"}, 1),
        ("bert", {"pooling": "log_mean_exp", "context": ()}, None),
        ("distilbert", {"pooling": "log_mean_exp"}, None),
    ],
)
def test_the_context_passes_through_all_layers_that_matter(
    folders: dict[str, Path], kind: str, fields: dict[str, Any], expected: int | None
) -> None:
    config, found = source(folders[kind], **fields)
    assert context_layers_for(config, found, encoder_shape(found)) == expected


def test_an_encoder_that_reads_apart_opens_no_sequence(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    _, found = source(folders["bert"], **APART)
    load_fast_tokenizer(found).save_pretrained(tmp_path)
    # Also where a checkpoint is opened without this package.
    for tokenizer in (load_fast_tokenizer(found), AutoTokenizer.from_pretrained(tmp_path)):
        encoded = tokenizer("a b", "c")
        words = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
        assert words == ["a", "b", "[SEP]", "c", "[SEP]"]
        assert encoded["token_type_ids"] == [0, 0, 0, 1, 1]


def test_own_encoders_are_not_used_otherwise_than_taught() -> None:
    with pytest.raises(ConfigError, match="'security_talks' was taught otherwise; leave this out"):
        find_encoder(EncoderConfig(path="security_talks", read_apart=True))


def test_an_own_encoder_knows_how_it_was_taught() -> None:
    name = "security_talks_small"
    config = EncoderConfig(path=name, pooling="log_mean_exp")
    found = find_encoder(config)
    shape = encoder_shape(found)
    assert (shape.layers, context_layers_for(config, found, shape)) == (3, 1)
    assert found.learnt_from == "security_talks"
    other = config.model_copy(update={"context_layers": 2})
    assert context_layers_for(other, found, shape) == 2
    with pytest.raises(ConfigError, match="'security_talks_small' was taught with the layers"):
        find_encoder(EncoderConfig(path=name, layers=(0,)))


def test_weights_in_half_precision_are_trained_in_single(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = save_tiny_encoder(tmp_path, WORDS, 8)
    AutoModel.from_pretrained(folder).half().save_pretrained(folder)
    _, found = source(folder)
    assert {p.dtype for p in load_encoder(found, "eager").parameters()} == {torch.float32}
