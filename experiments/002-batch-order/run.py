"""Compare three orders of training batches on the bundled corpus. See README.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import transformers
from transformers import set_seed

from framing.config import RunConfig, load_config
from framing.model import finetune
from framing.model.classifier import freeze_embeddings, new_classifier
from framing.model.encoder import find_encoder, load_encoder, load_fast_tokenizer
from framing.provenance import machine, versions
from framing.study import Study, load_study
from framing.train import Stage, examples

HERE = Path(__file__).parent
ORDERS = ("random", "length_buckets", "group_by_length")


def measure(order: str, seed: int, config: RunConfig, study: Study) -> dict[str, Any]:
    """Train one epoch in one order; the development score and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(config, study, seed, Path(folder), print)
        source = find_encoder(config.encoder)
        tokenizer = load_fast_tokenizer(source)
        train, dev = (examples(stage, tokenizer, split) for split in ("train", "dev"))
        set_seed(seed)
        model = new_classifier(load_encoder(source, "eager"), study.book, config.encoder.dropout)
        freeze_embeddings(model)
        started = time.monotonic()
        with patched(order):
            outcome = finetune.finetune(
                model,
                config=config,
                book=study.book,
                train=train,
                dev=dev,
                pad_id=0,
                seed=seed,
                folder=Path(folder) / "trainer",
            )
    seconds = time.monotonic() - started
    return {"order": order, "seed": seed, "score": outcome.best_score, "seconds": seconds}


def patched(order: str) -> Any:
    """Replace the package's sampler by one of transformers' own."""
    if order == "length_buckets":
        return contextlib.nullcontext()

    def trainer_class(lengths: list[int]) -> type[transformers.Trainer]:
        class Plain(transformers.Trainer):
            def _get_train_sampler(self, *_: Any) -> Any:
                if order == "random":
                    return super()._get_train_sampler()
                from transformers.trainer_pt_utils import LengthGroupedSampler

                return LengthGroupedSampler(self.args.train_batch_size, lengths=lengths)

        return Plain

    return mock.patch.object(finetune, "_trainer_class", trainer_class)


def main() -> None:
    """Run all orders and seeds and write scores.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    path = HERE.parent.parent / "configs" / "security_talks.yaml"
    config = load_config(path, ["training.epochs=1"])
    study = load_study(config)
    rows = [measure(order, seed, config, study) for seed in args.seeds for order in ORDERS]
    result = {"rows": rows, "machine": machine(), "versions": versions()}
    (HERE / "scores.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
