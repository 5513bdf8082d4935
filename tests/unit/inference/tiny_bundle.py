"""A bundle whose graph adds up weights of words, so that tests know every label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from framing.artifacts import BUNDLE, write_json, write_manifest, write_text
from framing.codebook import Codebook
from framing.decisions import Decisions
from framing.inference.bundle import BundleSettings
from framing.inference.development import Outcomes

#: Logit of a word for its label. Without any word, multi_label logits are -4 and single_label
#: logits 0, so that the first label wins.
STRONG = 8.0

#: Word -> "head/label" of the codebook in tests/conftest.py.
SMALL_WORDS = {
    "inflation": "topics/prices",
    "unemployment": "topics/jobs",
    "terrible": "view.prices/bad",
    "unclear": "view.prices/open",
    "sackings": "view.jobs/bad",
    "critics": "speaker/opposition",
}


def write_tiny_bundle(
    folder: Path,
    book: Codebook,
    words: Mapping[str, str],
    context: tuple[str, ...] = (),
    max_length: int = 128,
    *,
    mark_target: bool = False,
) -> Path:
    """Write a bundle in which each word speaks for one label."""
    folder.mkdir(parents=True)
    vocabulary = {w: k for k, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    _write_graph(folder / BUNDLE.graph, _weights(book, words), _bias(book))
    write_text(folder / BUNDLE.tokenizer, _tokenizer(vocabulary).to_str())
    write_json(folder / BUNDLE.codebook, book.to_dict())
    write_text(folder / BUNDLE.decisions, Decisions.identity(book.n_logits).to_json())
    settings = BundleSettings(
        run="tiny",
        context=context,
        max_length=max_length,
        pad_id=0,
        inputs=("input_ids", "attention_mask", "token_type_ids"),
        version="0",
        codebook_hash=book.hash,
        mark_target=mark_target,
    )
    write_text(folder / BUNDLE.settings, settings.to_json())
    write_manifest(folder, BUNDLE.manifest)
    return folder


def tiny_outcomes() -> Outcomes:
    """A development split for the two topics of the small codebook.

    Each of 20 documents has 25 sentences: of 5 on prices 4 are found, the other 20 have one false
    alarm. In five documents a screen gives a low score to one that is found. Nothing is on jobs.
    """
    gold, labelled = np.zeros((20, 25, 2), dtype=bool), np.zeros((20, 25, 2), dtype=bool)
    gold[:, :5, 0] = True
    labelled[:, 1:6, 0] = True
    scores = np.ones((20, 25))
    scores[:5, 1] = -1
    return Outcomes(
        document=np.repeat(np.arange(20), 25),
        coded=np.ones((500, 2), dtype=bool),
        gold=gold.reshape(500, 2),
        labelled=labelled.reshape(500, 2),
        scores=scores.ravel(),
    )


def _weights(book: Codebook, words: Mapping[str, str]) -> np.ndarray:
    weights = np.zeros((4 + len(words), book.n_logits), dtype=np.float32)
    for row, target in enumerate(words.values(), start=4):
        name, _, label = target.partition("/")
        head = book.head(name)
        weights[row, head.start + head.labels.index(label)] = STRONG
    return weights


def _bias(book: Codebook) -> np.ndarray:
    bias = np.zeros(book.n_logits, dtype=np.float32)
    for head in book.heads:
        if head.kind == "multi_label":
            bias[head.slice] = -4
    return bias


def _tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def _write_graph(path: Path, weights: np.ndarray, bias: np.ndarray) -> None:
    from onnx import TensorProto, checker, helper, numpy_helper, save

    shape = ["batch", "length"]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
    output = helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, ["batch", int(weights.shape[1])]
    )
    constants = {
        "weights": weights,
        "bias": bias,
        "last": np.array([2], dtype=np.int64),
        "words": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["found"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["found", "column"], ["real"]),
        # Type ids carry no weight here, but a graph's input must be used.
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["types", "types"], ["zero"]),
        helper.make_node("Unsqueeze", ["zero", "last"], ["nothing"]),
        helper.make_node("Add", ["real", "nothing"], ["all"]),
        helper.make_node("ReduceSum", ["all", "words"], ["summed"], keepdims=0),
        helper.make_node("Add", ["summed", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [output],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    save(model, str(path))
