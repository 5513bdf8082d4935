"""What might lift a small encoder, each by itself: official figures on dev and test.

    python experiments/004-public-benchmarks/lifts.py LIFT CONFIG --root DIR
        [--from RUN] [--seeds 1 2]

Lifts: normalised (hashtags as words, no mentions of users), masked (a tenth of the tokens hidden in
training), averaged (an exponential mean of the weights over the steps), adapted (the encoder first
learns to fill in masked tokens of the training texts), intermediate (the encoder of another run,
--from). Appends to results.jsonl as run.py does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import run
import torch
from torch import Tensor, nn
from torch.nn import functional

from framing import train as training
from framing.artifacts import RUN
from framing.config import load_config
from framing.model import finetune as tuning
from framing.model.classifier import load_classifier
from framing.model.dataset import Collator, LengthBuckets
from framing.model.encoder import find_encoder, load_encoder, load_fast_tokenizer
from framing.study import Study, load_study
from framing.train import hide_loading_bars

#: Share of tokens hidden: in training for a task, and where they are to be filled in.
MASKED, FILLED_IN = 0.1, 0.15
#: Decay of the exponential mean a step, reached after a while (at step s at most s / (s + 10)).
DECAY = 0.98
#: Passes over the training texts, sentences a step and learning rate of the masked model.
PASSES, BATCH, RATE = 5, 32, 1e-4

_HASHTAG = re.compile(r"#(\w+)")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def normal_text(text: str) -> str:
    """Hashtags as words; no mark of the shared task, no mentions of users."""
    text = re.sub(r"#SemST\b|@user\b", " ", text)
    return " ".join(_HASHTAG.sub(lambda m: " ".join(_WORD.findall(m[1])) or m[1], text).split())


@contextmanager
def normalised() -> Iterator[None]:
    """Read the benchmark with normal text."""

    def load(config: Any) -> Study:
        study = load_study(config)
        sentences = tuple(
            dataclasses.replace(s, text=normal_text(s.text) or s.text)
            for s in study.corpus.sentences
        )
        return dataclasses.replace(
            study, corpus=dataclasses.replace(study.corpus, sentences=sentences)
        )

    with mock.patch.object(run, "load_study", load):
        yield


def hide(ids: Tensor, share: float, mask_id: int, special: Tensor) -> tuple[Tensor, Tensor]:
    """Replace a share of the tokens; also says which."""
    chosen = (torch.rand(ids.shape) < share) & ~torch.isin(ids, special)
    return ids.masked_fill(chosen, mask_id), chosen


@contextmanager
def masked(tokenizer: Any) -> Iterator[None]:
    """Hide tokens of every training batch."""
    plain, special = Collator.__call__, torch.tensor(tokenizer.all_special_ids)

    def call(self: Collator, rows: Any) -> dict[str, Tensor]:
        batch = plain(self, rows)
        batch["input_ids"], _ = hide(batch["input_ids"], MASKED, tokenizer.mask_token_id, special)
        return batch

    with mock.patch.object(Collator, "__call__", call):
        yield


@contextmanager
def averaged() -> Iterator[None]:
    """Keep the mean of the weights over the last steps, not the last weights."""
    optimizer, finetune = tuning._optimizer, training.finetune
    mean: dict[Tensor, Tensor] = {}

    def with_mean(model: nn.Module, config: Any) -> Any:
        made = optimizer(model, config)
        steps = iter(range(1, 10**9))

        def update(*_: Any) -> None:
            step = next(steps)
            decay = min(DECAY, step / (step + 10))
            for group in made.param_groups:
                for p in group["params"]:
                    mean.setdefault(p, p.detach().clone()).lerp_(p.detach(), 1 - decay)

        made.register_step_post_hook(update)
        return made

    def tuned(model: nn.Module, **options: Any) -> Any:
        outcome = finetune(model, **options)
        with torch.no_grad():
            for parameter, value in mean.items():
                parameter.copy_(value)
        mean.clear()
        return outcome

    with (
        mock.patch.object(tuning, "_optimizer", with_mean),
        mock.patch.object(training, "finetune", tuned),
    ):
        yield


def adapt(config: Any, seed: int, folder: Path) -> None:
    """Let the encoder fill in masked tokens of the training texts, and write it to a folder.

    Its output layer is new: the transposed embeddings behind one linear layer, as in BERT.
    """
    torch.manual_seed(seed)
    source = find_encoder(config.encoder)
    tokenizer, encoder = load_fast_tokenizer(source), load_encoder(source, "eager")
    study = load_study(config)
    ids = tokenizer([s.text for s in study.split("train")], truncation=True, max_length=96)
    rows = ids["input_ids"]
    embeddings = encoder.get_input_embeddings().weight
    head = nn.Sequential(
        nn.Linear(embeddings.shape[1], embeddings.shape[1]),
        nn.GELU(),
        nn.LayerNorm(embeddings.shape[1]),
    )
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], RATE, fused=True)
    special = torch.tensor(tokenizer.all_special_ids)
    sampler = LengthBuckets([len(row) for row in rows], BATCH, seed)
    for epoch in range(PASSES):
        sampler.set_epoch(epoch)
        order, losses = list(sampler), []
        for start in range(0, len(order), BATCH):
            batch = tokenizer.pad(
                {"input_ids": [rows[k] for k in order[start : start + BATCH]]}, return_tensors="pt"
            )
            hidden, chosen = hide(batch["input_ids"], FILLED_IN, tokenizer.mask_token_id, special)
            states = encoder(hidden, batch["attention_mask"]).last_hidden_state[chosen]
            loss = functional.cross_entropy(head(states) @ embeddings.T, batch["input_ids"][chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        print(f"masked model, pass {epoch + 1}: loss {sum(losses) / len(losses):.3f}", flush=True)
    encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def take_encoder(source: Path, folder: Path) -> None:
    """Write the encoder of a run as an encoder of its own."""
    load_classifier(source / RUN.checkpoint).encoder.save_pretrained(folder)
    load_fast_tokenizer(find_encoder(load_config(source / RUN.config).encoder)).save_pretrained(
        folder
    )


def main() -> None:
    """Run the trainings asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "lift", choices=["normalised", "masked", "averaged", "adapted", "intermediate"]
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--root", required=True)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    args = parser.parse_args()
    hide_loading_bars()
    overrides = [f"data.root={Path(args.root).resolve()}"]
    config = load_config(args.config, overrides)
    tokenizer = load_fast_tokenizer(find_encoder(config.encoder))
    patches: dict[str, Callable[[], Any]] = {
        "normalised": normalised,
        "masked": lambda: masked(tokenizer),
        "averaged": averaged,
    }
    for seed in args.seeds:
        with ExitStack() as stack:
            if args.lift in patches:
                stack.enter_context(patches[args.lift]())
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                if args.lift == "adapted":
                    adapt(config, seed, folder)
                else:
                    take_encoder(args.source, folder)
                overrides = [*overrides[:1], f"encoder.path={folder}"]
            result = run.run(args.config, overrides, seed, ("test",), None)
        result["set"] = [o for o in result["set"] if not o.startswith("encoder.path=")]
        with (run.HERE / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": args.lift, **result}) + "\n")
        print(args.lift, seed, result["seconds"], result["official"], flush=True)


if __name__ == "__main__":
    main()
