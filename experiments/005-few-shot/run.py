"""Few examples a class: this package against SetFit, on the same encoder and the same examples.

    python experiments/005-few-shot/run.py CONFIG --root DIR [--shots 8 16 64] [--seeds 1 2 3]
        [--systems framing setfit frozen]

The examples are drawn from a benchmark's training split; the other sentences of it and of the
development split are the test. Appends a line for each training to results.jsonl. SetFit comes with
the extra [bench].
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerFast

from framing.arrays import FloatArray, gold_array
from framing.artifacts import RUN
from framing.config import RunConfig, load_config
from framing.encoding import first_segment
from framing.export import pad_id
from framing.metrics import count, f1, macro
from framing.model.classifier import load_classifier
from framing.model.encoder import find_encoder
from framing.model.finetune import model_logits
from framing.provenance import machine
from framing.records import Sentence
from framing.study import Study, load_study
from framing.train import Stage, examples, fine_tune, hide_loading_bars

HERE = Path(__file__).parent
#: Documents that are tested on.
TESTED = 800
#: What few sentences ask for, on top of a config's data and input.
RECIPE = (
    "training.linear_start=true",
    "training.epochs=6",
    "training.batch_size=16",
    "training.learning_rate=5.0e-5",
    "training.head_factor=3",
    "training.evaluations=0",
    "training.class_weighting=0",
    "encoder.pooling=mean",
    "encoder.ngrams=false",
    "encoder.ngrams_by_target=false",
    "encoder.inner_dropout=0",
)


def draw(study: Study, head_name: str, shots: int, seed: int) -> tuple[Study, list[Sentence]]:
    """A study that trains on some sentences a class, and the sentences to test on."""
    pool = study.split("train") + study.split("dev")
    labels = {s.id: study.gold[s.id].values[head_name][0] for s in pool}
    order = np.random.default_rng(seed).permutation(len(pool))
    chosen: list[Sentence] = []
    for label in study.book.head(head_name).labels:
        chosen += [pool[int(k)] for k in order if labels[pool[int(k)].id] == label][:shots]
    documents = {s.doc_id for s in chosen}
    rest = sorted({s.doc_id for s in pool} - documents)
    tested = {rest[int(k)] for k in np.random.default_rng(0).permutation(len(rest))[:TESTED]}
    splits = dataclasses.replace(
        study.splits,
        documents={
            "train": tuple(sorted(documents)),
            "dev": tuple(sorted(tested)),
            "test": study.splits.documents["test"],
        },
    )
    drawn = dataclasses.replace(study, splits=splits)
    return drawn, drawn.split("dev")


def labels_of(study: Study, sentences: Sequence[Sentence], head_name: str) -> np.ndarray:
    """Label indices."""
    head = study.book.head(head_name)
    return gold_array(study.gold_of(sentences), study.book).values[:, head.slice].argmax(axis=1)


def text_of(sentence: Sentence, config: RunConfig) -> str:
    """One text for systems that know no pairs."""
    from framing.encoding import InputSettings

    settings = InputSettings(config.encoder.context, config.encoder.max_length)
    first = first_segment(sentence, settings)
    return f"{first}: {sentence.text}" if first else sentence.text


def by_framing(
    config: RunConfig, study: Study, test: Sequence[Sentence], head_name: str, seed: int
) -> tuple[float, FloatArray]:
    """Seconds of training, and predicted label indices."""
    with tempfile.TemporaryDirectory() as temporary:
        stage = Stage(config, study, seed, Path(temporary), lambda _: None)
        start = time.perf_counter()
        fine_tune(stage)
        seconds = time.perf_counter() - start
        checkpoint = stage.folder / RUN.checkpoint
        tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint, local_files_only=True)
        found = examples(stage, tokenizer, "dev")
        assert len(found.sentences) == len(test)
        logits = model_logits(load_classifier(checkpoint), found.sentences, pad_id(tokenizer))
    return seconds, logits[:, study.book.head(head_name).slice].argmax(axis=1)


def by_setfit(
    config: RunConfig, study: Study, test: Sequence[Sentence], head_name: str, seed: int
) -> tuple[float, FloatArray]:
    """The same with SetFit as its paper uses it: 20 iterations, one epoch, batches of 16."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.linear_model import LogisticRegression

    train = study.split("train")
    data = Dataset.from_dict(
        {
            "text": [text_of(s, config) for s in train],
            "label": labels_of(study, train, head_name).tolist(),
        }
    )
    with tempfile.TemporaryDirectory() as temporary:
        start = time.perf_counter()
        body = SentenceTransformer(find_encoder(config.encoder).location, device="cpu")
        body.max_seq_length = config.encoder.max_length
        model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1000))
        arguments = TrainingArguments(
            output_dir=temporary,
            batch_size=16,
            num_epochs=1,
            num_iterations=20,
            seed=seed,
            report_to="none",
            save_strategy="no",
        )
        Trainer(model=model, args=arguments, train_dataset=data).train()
        seconds = time.perf_counter() - start
    found = model.predict([text_of(s, config) for s in test], use_labels=False)
    return seconds, np.asarray(found)


def by_frozen(
    config: RunConfig, study: Study, test: Sequence[Sentence], head_name: str, seed: int
) -> tuple[float, FloatArray]:
    """The same with a logistic regression on the encoder as it comes."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    train = study.split("train")
    start = time.perf_counter()
    body = SentenceTransformer(find_encoder(config.encoder).location, device="cpu")
    states = body.encode([text_of(s, config) for s in train])
    fitted = LogisticRegression(max_iter=1000, random_state=seed).fit(
        states, labels_of(study, train, head_name)
    )
    seconds = time.perf_counter() - start
    return seconds, fitted.predict(body.encode([text_of(s, config) for s in test]))


SYSTEMS = {
    "framing": by_framing,
    "setfit": by_setfit,
    "frozen": by_frozen,
}


def write_table() -> None:
    """Write results.md from results.jsonl: means over seeds, and time as a ratio to SetFit's."""
    lines = (HERE / "results.jsonl").read_text(encoding="utf-8").splitlines()
    results = [json.loads(line) for line in lines]
    out = [
        "# Results",
        "",
        "Written by run.py. Macro-F1, seconds of training: means over seeds.",
        "",
    ]
    out += ["| benchmark | a class | system | seeds | macro-F1 | seconds | of SetFit's |"]
    out += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for config, shots in dict.fromkeys((r["config"], r["shots"]) for r in results):
        mine = [r for r in results if (r["config"], r["shots"]) == (config, shots)]
        means = {}
        for name in dict.fromkeys(r["system"] for r in mine):
            runs = [r for r in mine if r["system"] == name]
            if runs:
                found = [r["macro_f1"] for r in runs]
                spread = f" ({', '.join(f'{v:.3f}' for v in found)})"
                seconds = float(np.mean([r["seconds"] for r in runs]))
                means[name] = (len(runs), f"{np.mean(found):.3f}{spread}", seconds)
        for name, (n, scores, seconds) in means.items():
            ratio = f"{seconds / means['setfit'][2]:.2f}" if "setfit" in means else ""
            out.append(
                f"| {config} | {shots} | {name} | {n} | {scores} | {seconds:.0f} | {ratio} |"
            )
    (HERE / "results.md").write_text("\n".join(out) + "\n", encoding="utf-8")


def main() -> None:
    """Run the trainings asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--root", required=True)
    parser.add_argument("--head", default="stance")
    parser.add_argument("--shots", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    args = parser.parse_args()
    hide_loading_bars()
    root = f"data.root={Path(args.root).resolve()}"
    config = load_config(args.config, [root, *RECIPE, *args.overrides])
    whole = load_study(config)
    for shots in args.shots:
        for seed in args.seeds:
            study, test = draw(whole, args.head, shots, seed)
            gold = labels_of(study, test, args.head)
            n = len(study.book.head(args.head).labels)
            for name in args.systems:
                seconds, found = SYSTEMS[name](config, study, test, args.head, seed)
                hot = np.eye(n, dtype=bool)
                score = float(macro(f1(count(hot[gold], hot[found.astype(int)]))))
                result = {
                    "config": args.config.stem,
                    "set": args.overrides,
                    "system": name,
                    "shots": shots,
                    "seed": seed,
                    "macro_f1": round(score, 4),
                    "seconds": round(seconds, 1),
                    "n": len(test),
                    "machine": machine(),
                }
                with (HERE / "results.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
                write_table()
                print(args.config.stem, name, shots, seed, score, round(seconds, 1), flush=True)


if __name__ == "__main__":
    main()
