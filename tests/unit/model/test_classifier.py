import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig

from framing.codebook import Codebook
from framing.config import EncoderConfig
from framing.encoding import TokenizedSentence
from framing.errors import ArtifactError, ConfigError
from framing.export import check_parity, export_graph
from framing.inference.screen import CONTEXT_WEIGHT
from framing.model.classifier import (
    LossWeights,
    SentenceClassifier,
    freeze_embeddings,
    freeze_layers,
    load_classifier,
    log_mean_exp,
    new_classifier,
    set_encoder_dropout,
)
from framing.model.encoder import (
    DEFAULT_NAME,
    attention_for,
    check_shape,
    encoder_shape,
    find_encoder,
    language_warning,
    load_encoder,
    load_fast_tokenizer,
)
from framing.model.ngrams import ngram_rows
from tests.conftest import ROOT
from tests.tiny import save_tiny_encoder


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), ["a", "b", "c"])


@pytest.fixture
def model(encoder_folder: Path, book: Codebook) -> SentenceClassifier:
    source = find_encoder(EncoderConfig(path=str(encoder_folder)))
    return new_classifier(load_encoder(source, "eager"), book, dropout=0.0).eval()


def test_padding_does_not_change_logits(model: SentenceClassifier) -> None:
    ids = torch.tensor([[2, 5, 6, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    with torch.no_grad():
        padded = model(ids, mask, torch.zeros_like(ids)).logits
        alone = model(ids[:, :4], mask[:, :4], torch.zeros_like(ids[:, :4])).logits
    assert torch.allclose(padded, alone, atol=1e-5)


def test_segments_matter(model: SentenceClassifier) -> None:
    ids = torch.tensor([[2, 5, 3, 6, 3]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        one = model(ids, mask, torch.tensor([[0, 0, 0, 1, 1]])).logits
        other = model(ids, mask, torch.zeros_like(ids)).logits
    assert not torch.allclose(one, other)


def test_loss_by_hand(model: SentenceClassifier) -> None:
    logits = torch.zeros(1, 10)
    logits[0, 8] = np.log(3)
    labels = torch.zeros(1, 10)
    labels[0, 0], labels[0, 2], labels[0, 8] = 1, 1, 1
    weights = torch.tensor([[1.0, 0.5, 0.0, 1.0]])
    # topics: 2 ln 2; view.prices: half of ln 3; view.jobs: masked; speaker: -ln(3/4).
    expected = 2 * np.log(2) + 0.5 * np.log(3) - np.log(0.75)
    assert model.loss(logits, labels, weights).item() == pytest.approx(expected, rel=1e-5)
    model.loss_weights = LossWeights((2.0, 1.0, 1.0, 0.0), torch.tensor([3.0] + [1.0] * 9))
    expected = 2 * (3 * np.log(2) + np.log(2)) + 0.5 * np.log(3)
    assert model.loss(logits, labels, weights).item() == pytest.approx(expected, rel=1e-5)


def test_masked_heads_get_no_gradient(model: SentenceClassifier) -> None:
    ids = torch.tensor([[2, 5, 3]])
    labels = torch.full((1, 10), 0.5)
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    model(ids, torch.ones_like(ids), None, labels, weights).loss.backward()
    gradient = model.linear.weight.grad
    assert gradient is not None
    assert gradient[:2].abs().sum() > 0
    assert gradient[2:].abs().sum() == 0


def test_checkpoint_round_trip(model: SentenceClassifier, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again = load_classifier(tmp_path)
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        found = again(ids, torch.ones_like(ids)).logits
        assert torch.allclose(found, model(ids, torch.ones_like(ids)).logits, atol=1e-6)
    assert again.config.heads == model.config.heads
    assert again.config.id2label == model.config.id2label


def test_logits_are_named_in_the_checkpoint(model: SentenceClassifier, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert len(stored["id2label"]) == model.config.n_logits
    assert stored["id2label"]["0"] == "topics=prices"
    assert stored["id2label"]["3"] == "view.prices=bad"
    assert stored["label2id"]["speaker=opposition"] == 9


def test_an_encoder_too_large_for_a_graph_is_refused(tmp_path: Path) -> None:
    config = XLMRobertaConfig(
        vocab_size=250002,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
    )
    config.save_pretrained(tmp_path)
    encoder = EncoderConfig(path=str(tmp_path))
    source = find_encoder(encoder)
    with pytest.raises(ConfigError, match=r"at most 2\.0 GB of float32 weights, found 2\.2 GB"):
        check_shape(encoder, source, encoder_shape(source))
    config.num_hidden_layers = 12
    config.save_pretrained(tmp_path)
    check_shape(encoder, source, encoder_shape(source))


def test_names_that_may_be_published(encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(path: str) -> tuple[str, str]:
        source = find_encoder(EncoderConfig(path=path))
        return source.public_name, source.base_model

    monkeypatch.chdir(encoder_folder.parent.parent)
    relative = str(encoder_folder.relative_to(encoder_folder.parent.parent))
    assert names("default") == (DEFAULT_NAME, DEFAULT_NAME)
    assert names("security_talks") == (f"{DEFAULT_NAME} + security_talks", DEFAULT_NAME)
    assert names("owner/name") == ("owner/name", "owner/name")
    assert "/" in relative
    for folder in (str(encoder_folder), relative):
        assert names(folder) == (encoder_folder.name, "")


def test_a_checkpoint_tells_no_path(
    model: SentenceClassifier, encoder_folder: Path, tmp_path: Path
) -> None:
    assert model.encoder.config._name_or_path == str(encoder_folder)
    model.save_pretrained(tmp_path)
    assert str(encoder_folder) not in (tmp_path / "config.json").read_text(encoding="utf-8")


def test_the_documented_way_into_transformers(
    model: SentenceClassifier,
    encoder_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "runs" / "RUN" / "checkpoint"
    model.save_pretrained(folder)
    load_fast_tokenizer(find_encoder(EncoderConfig(path=str(encoder_folder)))).save_pretrained(
        folder
    )
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert "\nimport framing.model.classifier" in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/training.md", "exec"), {})
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == list(model.config.label2id)


def test_checkpoints_without_names_of_logits_load(
    model: SentenceClassifier, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    del stored["id2label"], stored["label2id"]
    stored["encoder"]["_name_or_path"] = "/somewhere/else"
    path.write_text(json.dumps(stored), encoding="utf-8")
    assert load_classifier(tmp_path).config.n_logits == model.config.n_logits


def test_frozen_embeddings(model: SentenceClassifier) -> None:
    freeze_embeddings(model)
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["encoder.embeddings.word_embeddings.weight"]


def test_frozen_layers(model: SentenceClassifier) -> None:
    freeze_layers(model, 1)
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert "encoder.embeddings.position_embeddings.weight" in frozen
    assert "encoder.encoder.layer.0.output.dense.weight" in frozen
    assert not any(name.startswith(("encoder.encoder.layer.1", "linear")) for name in frozen)
    with pytest.raises(ConfigError, match=r"at most the encoder's 2 layers, found 3"):
        freeze_layers(model, 3)


def test_encoder_dropout(model: SentenceClassifier) -> None:
    set_encoder_dropout(model, 0.0)
    model.encoder.train()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        first, second = (model.pooled(ids, torch.ones_like(ids)) for _ in range(2))
    assert torch.equal(first, second)
    assert model.dropout.p == 0.0


def test_log_mean_exp_by_hand() -> None:
    logits = torch.tensor([[[0.0], [np.log(3.0)], [50.0]]])
    # The last token does not count: ln((1 + 3) / 2).
    found = log_mean_exp(logits, torch.tensor([[1, 1, 0]]))
    assert found.item() == pytest.approx(np.log(2.0), rel=1e-6)
    assert log_mean_exp(logits[:, :1], torch.tensor([[1]])).item() == 0.0


def test_only_tokens_of_the_sentence_are_pooled(encoder_folder: Path, book: Codebook) -> None:
    source = find_encoder(EncoderConfig(path=str(encoder_folder)))
    encoder = load_encoder(source, "eager")
    model = new_classifier(encoder, book, 0.0, pooling="log_mean_exp", pair=True).eval()
    ids, types = torch.tensor([[2, 5, 3, 6, 7, 3]]), torch.tensor([[0, 0, 0, 1, 1, 1]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        hidden = model.encoder(ids, mask, types).last_hidden_state
        expected = log_mean_exp(model.linear(hidden[:, 3:]), mask[:, 3:])
        assert torch.allclose(model(ids, mask, types).logits, expected, atol=1e-6)


def test_n_grams_are_added_and_can_be_replaced(encoder_folder: Path, book: Codebook) -> None:
    source = find_encoder(EncoderConfig(path=str(encoder_folder)))
    encoder = load_encoder(source, "eager")
    model = new_classifier(encoder, book, 0.0, special=[0, 2, 3]).eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    mask = torch.ones_like(ids)
    assert model.ngrams is not None
    model.ngrams.bias.fill_(3.0)
    given = torch.full((1, book.n_logits), -1.0)
    with torch.no_grad():
        own, replaced = model(ids, mask).logits, model(ids, mask, ngram_logits=given).logits
    assert torch.allclose(own - replaced, torch.full_like(own, 4.0), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "log_mean_exp"])
def test_encoders_without_segments_know_the_sentence_from_its_context(
    book: Codebook, tmp_path: Path, pooling: str
) -> None:
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        type_vocab_size=1,
    )
    options = {"pooling": pooling, "pair": True, "special": [0, 1, 2]}
    model = new_classifier(RobertaModel(config), book, 0.0, **options).eval()
    assert model.ngrams is not None
    # What is fitted and what is computed later must be the same n-grams.
    types = (0, 0, 0, 1, 1, 1)
    rows = ngram_rows(model.ngrams, [TokenizedSentence((0, 5, 2, 2, 6, 2), types)])
    assert rows.weights[0].tolist() == [1, CONTEXT_WEIGHT]
    model.ngrams.table[6] = 1.0
    model.ngrams.idf[6] = 1.0
    ids, mask = torch.tensor([[0, 5, 2, 2, 6, 2]]), torch.ones((1, 6), dtype=torch.long)
    with torch.no_grad():
        with_table = model(ids, mask, torch.tensor([types])).logits
        model.ngrams.table.zero_()
        without = model(ids, mask, torch.tensor([types])).logits
        elsewhere = model(ids, mask, torch.tensor([[0, 0, 0, 0, 0, 1]])).logits
    assert torch.allclose(with_table - without, torch.ones_like(without), atol=1e-5)
    assert torch.allclose(elsewhere, without) == (pooling == "mean")
    if pooling == "mean":
        # Its graph is that of encoders with segments, below.
        return
    inputs = export_graph(model, tmp_path / "model.onnx")
    assert "token_type_ids" in inputs
    check_parity(model, tmp_path, inputs)


@pytest.mark.parametrize("pooling", ["mean", "log_mean_exp"])
def test_graph_with_n_grams_gives_the_model_s_logits(
    encoder_folder: Path, book: Codebook, tmp_path: Path, pooling: str
) -> None:
    source = find_encoder(EncoderConfig(path=str(encoder_folder)))
    encoder = load_encoder(source, "eager")
    options = {"pooling": pooling, "pair": True, "special": [0, 2, 3]}
    model = new_classifier(encoder, book, 0.0, **options).eval()
    assert model.ngrams is not None
    generator = torch.Generator().manual_seed(0)
    model.ngrams.table.normal_(generator=generator)
    model.ngrams.idf.uniform_(0.5, 5, generator=generator)
    inputs = export_graph(model, tmp_path / "model.onnx")
    check_parity(model, tmp_path, inputs)
    model.save_pretrained(tmp_path / "checkpoint")
    again = load_classifier(tmp_path / "checkpoint")
    assert again.ngrams is not None
    assert torch.equal(again.ngrams.table, model.ngrams.table)
    check_parity(again, tmp_path, inputs)


def test_default_encoder_is_found_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_encoder(EncoderConfig()).name == "sentence-transformers/all-MiniLM-L6-v2"
    monkeypatch.setattr("framing.model.encoder._WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ArtifactError, match="not the weights this package was tested with"):
        find_encoder(EncoderConfig())


@pytest.mark.parametrize(
    ("name", "language", "warned"),
    [
        (DEFAULT_NAME, "en", False),
        (DEFAULT_NAME, "de", True),
        (f"{DEFAULT_NAME} + security_talks", "de", True),
        ("owner/multilingual", "de", False),
    ],
)
def test_the_default_encoder_is_english(
    book: Codebook, name: str, language: str, warned: bool
) -> None:
    found = language_warning(name, replace(book, language=language))
    assert bool(found) == warned
    assert not warned or "language is de, but" in found
    assert not warned or "encoder.path" in found


def test_missing_encoder_says_what_to_do(tmp_path: Path) -> None:
    source = find_encoder(EncoderConfig(path=str(tmp_path / "none")))
    with pytest.raises(ConfigError, match=r"cannot load encoder .*allow_download: true"):
        load_encoder(source, "eager")
    source = find_encoder(EncoderConfig(path="some-org/some-model"))
    with pytest.raises(ConfigError, match=r"cannot load encoder 'some-org/some-model'"):
        load_fast_tokenizer(source)


def test_attention_choice() -> None:
    assert attention_for(EncoderConfig(), "cpu") == "eager"
    assert attention_for(EncoderConfig(), "cuda") == "sdpa"
    assert attention_for(EncoderConfig(max_length=512), "cpu") == "sdpa"
    assert attention_for(EncoderConfig(attention="sdpa"), "cpu") == "sdpa"
