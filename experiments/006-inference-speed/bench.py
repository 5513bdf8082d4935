"""Speed, memory and start of offline inference, beside what people would otherwise use.

    python experiments/006-inference-speed/bench.py RUN BUNDLE [--small BUNDLE] [--sentences 512]
        [--stream FILE] [--largest 100000] [--out results.json]

RUN is a trained run, BUNDLE what `framing export` made of it, --small that of a smaller model.
Every system labels the same sentences in a process of its own, one after the other, so that memory
and start can be told apart, in several rounds. All times are of this machine and of their minute:
what counts are ratios within a round, of which the median is given, with the lowest and the
highest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FRAMING = str(Path(sys.executable).with_name("framing"))
ARTICLE = HERE.parents[1] / "examples" / "talks.txt"
#: Share of framed sentences in the stream for the screen.
FRAMED = 0.05
RECALL = 0.99
REFERENCE = "pipeline, batch 32"
SMALL = "framing, smaller model, int8"
SCREENED = f"framing, int8, screen {RECALL}"
SMALL_SCREENED = f"{SMALL}, screen {RECALL}"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Sentences as dictionaries with text and previous."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# What follows runs in the process of one system: each gives a function from rows to labels.


def framing_labeller(folder: str, recall: float | None = None) -> Callable[[Sequence[Any]], Any]:
    """This package."""
    from framing.inference.bundle import load_bundle
    from framing.inference.labeller import Labeller
    from framing.records import Sentence

    labeller = Labeller(load_bundle(folder), recall=recall)

    def label(rows: Sequence[Any]) -> Any:
        sentences = [
            Sentence(str(k), r["text"], "d", previous=r["previous"]) for k, r in enumerate(rows)
        ]
        out = []
        for start in range(0, len(sentences), 1024):
            out += labeller.label(sentences[start : start + 1024])
        return [list(prediction.labels["frames"]) for prediction in out]

    return label


def decided(logits: np.ndarray, folder: str) -> list[list[str]]:
    """Frames by the bundle's own thresholds, for systems that give logits."""
    from framing.decisions import calibrated_probabilities, to_predictions
    from framing.inference.bundle import load_bundle

    bundle = load_bundle(folder)
    p = calibrated_probabilities(logits, bundle.codebook, bundle.decisions)
    ids = [str(k) for k in range(len(p))]
    found = to_predictions(ids, p, bundle.codebook, bundle.decisions, "")
    return [list(prediction.labels["frames"]) for prediction in found]


def pipeline_labeller(run: str, batch: int) -> Callable[[Sequence[Any]], Any]:
    """The same model in transformers' pipeline, in float32, as its documentation shows it."""
    from transformers import PreTrainedTokenizerFast, pipeline

    from framing.model.classifier import load_classifier

    model = load_classifier(Path(run) / "checkpoint", "sdpa")
    model.config.id2label = {k: str(k) for k in range(model.config.n_logits)}
    tokenizer = PreTrainedTokenizerFast.from_pretrained(
        Path(run) / "checkpoint",
        # Without segment ids the model would read another input than in the bundle.
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    settings = json.loads((Path(run) / "bundle" / "bundle.json").read_text())
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")

    def label(rows: Sequence[Any]) -> Any:
        pairs: Iterator[Any] = ({"text": r["previous"], "text_pair": r["text"]} for r in rows)
        options = {"truncation": "longest_first", "max_length": settings["max_length"]}
        out = np.zeros((len(rows), model.config.n_logits))
        found = classify(pairs, batch_size=batch, top_k=None, function_to_apply="none", **options)
        for k, scores in enumerate(found):
            for score in scores:
                out[k, int(score["label"])] = score["score"]
        return decided(out, f"{run}/bundle")

    return label


def onnx_labeller(run: str) -> Callable[[Sequence[Any]], Any]:
    """ONNX Runtime out of the box: dynamic int8, batches of 32 as they come."""
    import onnxruntime
    from onnxruntime.quantization import quantize_dynamic
    from tokenizers import Tokenizer

    from framing.encoding import OWN_PLACES, own_places

    with tempfile.TemporaryDirectory() as temporary:
        path = f"{temporary}/model.onnx"
        quantize_dynamic(f"{run}/bundle/model.onnx", path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(f"{run}/bundle/tokenizer.json")
    settings = json.loads((Path(run) / "bundle" / "bundle.json").read_text())
    tokenizer.enable_padding()
    tokenizer.enable_truncation(settings["max_length"], strategy="longest_first")

    def label(rows: Sequence[Any]) -> Any:
        logits = []
        for start in range(0, len(rows), 32):
            batch = tokenizer.encode_batch(
                [(r["previous"], r["text"]) for r in rows[start : start + 32]]
            )
            feeds = {
                "input_ids": np.array([e.ids for e in batch]),
                "attention_mask": np.array([e.attention_mask for e in batch]),
                "token_type_ids": np.array([e.type_ids for e in batch]),
            }
            if OWN_PLACES in settings["inputs"]:
                feeds[OWN_PLACES] = own_places(feeds)
            logits.append(session.run(["logits"], feeds)[0])
        return decided(np.concatenate(logits), f"{run}/bundle")

    return label


def sentence_transformer(head: bool) -> Callable[[Sequence[Any]], Any]:
    """Sentence embeddings with a linear head, by sentence-transformers or by SetFit."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    from framing.config import EncoderConfig
    from framing.model.encoder import find_encoder

    body = SentenceTransformer(find_encoder(EncoderConfig()).location, device="cpu")
    body.max_seq_length = 64
    # Its labels do not count here, only its speed: any fitted head will do.
    states = np.random.default_rng(0).normal(size=(64, 384))
    fitted = LogisticRegression().fit(states, np.arange(64) % 4)
    if head:
        from setfit import SetFitModel

        model = SetFitModel(model_body=body, model_head=fitted)
        return lambda rows: list(model.predict([f"{r['previous']} {r['text']}" for r in rows]))
    return lambda rows: list(
        fitted.predict(body.encode([f"{r['previous']} {r['text']}" for r in rows]))
    )


SYSTEMS: dict[str, tuple[Callable[[argparse.Namespace], Any], float]] = {
    # Name -> opens it, share of the sentences that it gets (slow ones need fewer to be timed).
    "framing, int8": (lambda a: framing_labeller(a.bundle), 1),
    SMALL: (lambda a: framing_labeller(a.small), 1),
    "framing, float32": (lambda a: framing_labeller(f"{a.run}/bundle"), 1),
    REFERENCE: (lambda a: pipeline_labeller(a.run, 32), 1),
    "pipeline, batch 1": (lambda a: pipeline_labeller(a.run, 1), 0.25),
    "onnxruntime dynamic int8, batch 32": (lambda a: onnx_labeller(a.run), 1),
    "sentence-transformers + linear": (lambda _: sentence_transformer(False), 1),
    "setfit": (lambda _: sentence_transformer(True), 1),
}
STREAM_SYSTEMS: dict[str, tuple[Callable[[argparse.Namespace], Any], float]] = {
    SCREENED: (lambda a: framing_labeller(a.bundle, RECALL), 1),
    SMALL_SCREENED: (lambda a: framing_labeller(a.small, RECALL), 1),
    "framing, int8, stream": (lambda a: framing_labeller(a.bundle), 0.5),
    f"{REFERENCE}, stream": (lambda a: pipeline_labeller(a.run, 32), 0.1),
}


def work(args: argparse.Namespace) -> None:
    """In a process of its own: label, and print what it took."""
    begin = time.perf_counter()
    opener, share = (SYSTEMS | STREAM_SYSTEMS)[args.worker]
    rows = read_rows(Path(args.rows))
    # Evenly, so that all systems see the same lengths.
    rows = rows[:: round(1 / share)]
    label = opener(args)
    label(rows[:8])
    opened = time.perf_counter() - begin
    times = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        labels = label(rows)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {
        "sentences": len(rows),
        "seconds": [round(t, 3) for t in times],
        "per_second": round(len(rows) / statistics.median(times), 1),
        "open_seconds": round(opened, 2),
        "peak_mb": round(peak),
        "step": round(1 / share),
        "labels": [x if isinstance(x, list) else [str(x)] for x in labels],
    }
    Path(args.result).write_text(json.dumps(result), encoding="utf-8")


# What follows runs in the main process.


def measure_all(names: Sequence[str], args: argparse.Namespace, rows: Path) -> dict[str, Any]:
    """Run every system once a round, and put the rounds together."""
    rounds = [{name: measure(name, args, rows) for name in names} for _ in range(args.rounds)]
    out = {}
    for name in names:
        found = [measured[name] for measured in rounds]
        rates = [f["per_second"] for f in found]
        out[name] = found[0] | {
            "seconds": [f["seconds"] for f in found],
            "rates": rates,
            "per_second": round(statistics.median(rates), 1),
            "open_seconds": round(statistics.median(f["open_seconds"] for f in found), 2),
            "peak_mb": max(f["peak_mb"] for f in found),
        }
    return out


def add_ratios(found: dict[str, Any], reference: dict[str, Any]) -> None:
    """Say how many times as many sentences a second a system labels, round by round."""
    ratios = [a / b for a, b in zip(found["rates"], reference["rates"], strict=True)]
    found["ratio"] = round(statistics.median(ratios), 2)
    found["ratio_range"] = f"{min(ratios):.2f} to {max(ratios):.2f}"


def measure(name: str, args: argparse.Namespace, rows: Path) -> dict[str, Any]:
    """Run one system in a process of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary) / "result.json"
        command = [sys.executable, __file__, args.run, args.bundle, "--worker", name]
        command += ["--small", args.small] if args.small else []
        command += ["--rows", str(rows), "--result", str(result), "--repeats", str(args.repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    print(f"{name}: {found['per_second']} sentences/s, {found['peak_mb']} MB", flush=True)
    return found


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def fitting(previous: str, text: str, count: Callable[[str], int], most: int) -> str:
    """The end of the sentence before, so short that no system need cut a pair in its own way."""
    words = previous.split()
    while words and count(" ".join(words)) + count(text) > most:
        words = words[1:]
    return " ".join(words)


def corpus_rows(n: int, bundle: str) -> tuple[list[dict[str, str]], list[list[str]]]:
    """Test sentences of the bundled corpus with their gold frames."""
    from framing.config import load_config
    from framing.inference.bundle import load_bundle
    from framing.study import load_study

    study = load_study(load_config(HERE.parents[1] / "configs" / "security_talks.yaml"))
    sentences = study.split("test")
    step = max(1, len(sentences) // n)
    chosen = sentences[::step][:n]
    gold = [list(study.gold[s.id].values["frames"]) for s in chosen]
    opened = load_bundle(bundle)
    most = opened.settings.max_length - opened.tokenizer.num_special_tokens_to_add(True)

    def length(text: str) -> int:
        return len(opened.tokenizer.encode(text, add_special_tokens=False).ids)

    rows = [{"text": s.text, "previous": fitting(s.previous, s.text, length, most)} for s in chosen]
    return rows, gold


def stream_rows(n: int, archive: Path | None, bundle: str) -> list[dict[str, str]]:
    """A stream in which `FRAMED` of the sentences have a frame; no sentence stands in it twice."""
    rows, gold = corpus_rows(100_000, bundle)
    framed = [r for r, g in zip(rows, gold, strict=True) if g]
    others = [r for r, g in zip(rows, gold, strict=True) if not g]
    if archive is not None:
        texts = [r["text"] for r in read_rows(archive)]
        others = [{"text": t, "previous": p} for p, t in zip(["", *texts[:-1]], texts, strict=True)]
    n = min(n, int(len(others) / (1 - FRAMED)), int(len(framed) / FRAMED))
    rng = np.random.default_rng(0)
    many = round(FRAMED * n)
    mixed = [framed[k] for k in rng.permutation(len(framed))[:many]]
    mixed += [others[k] for k in rng.permutation(len(others))[: n - many]]
    return [mixed[k] for k in rng.permutation(len(mixed))]


def macro_f1(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """Over the labels of gold."""
    from framing.metrics import count, f1, macro

    names = sorted({name for row in gold for name in row})
    hot = [np.array([[name in row for name in names] for row in rows]) for rows in (gold, found)]
    return float(macro(f1(count(*hot))))


def agreement(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Share of the sentences with the same labels."""
    return float(np.mean([a == b for a, b in zip(first, second, strict=True)]))


def start_seconds(commands: Mapping[str, Sequence[str]], repeats: int = 9) -> dict[str, float]:
    """Median seconds of processes from their start to their end, by turns.

    Where Python is told to keep no compiled modules, every start would compile them again. Here, as
    on most machines, they are kept: by a start before those that count.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=environment)
            times[name].append(time.perf_counter() - start)
    return {name: round(statistics.median(found[1:]), 3) for name, found in times.items()}


BARE = """
import sys, json, numpy as np, onnxruntime
from tokenizers import Tokenizer
folder, article = sys.argv[1:]
session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
tokenizer.enable_padding()
batch = tokenizer.encode_batch(open(article).read().split(". "))
feeds = {"input_ids": [e.ids for e in batch], "attention_mask": [e.attention_mask for e in batch],
         "token_type_ids": [e.type_ids for e in batch]}
length = len(feeds["input_ids"][0])
feeds["own_places"] = np.tile(np.arange(length), (len(batch), 1))
wanted = {node.name for node in session.get_inputs()}
session.run(None, {k: np.array(v) for k, v in feeds.items() if k in wanted})
"""


def growth(bundle: str, largest: int) -> list[dict[str, Any]]:
    """Seconds and peak memory of `framing predict` over streams of rising length.

    One sentence over and over: the model runs once a part, so that what is measured is everything
    else, which is what could grow.
    """
    out = []
    size = 1000
    with tempfile.TemporaryDirectory() as temporary:
        while size <= largest:
            rows = Path(temporary) / f"{size}.jsonl"
            with rows.open("w", encoding="utf-8") as file:
                for k in range(size):
                    text = f"The ministers met in Geneva for the {k % 7}th time."
                    file.write(json.dumps({"id": str(k), "text": text}) + "\n")
            target = Path(temporary) / f"{size}.out.jsonl"
            command = [FRAMING, "predict", "--model", bundle, str(rows)]
            start = time.perf_counter()
            process = subprocess.Popen([*command, "--out", str(target)], stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            assert status == 0, command
            peak = round(usage.ru_maxrss / 1024)
            out.append({"sentences": size, "seconds": round(seconds, 2), "peak_mb": peak})
            print(f"growth: {out[-1]}", flush=True)
            rows.unlink()
            target.unlink()
            size *= 10
    return out


def compare_sentences(results: dict[str, Any], gold: Sequence[Any]) -> None:
    """Add ratios, agreement with the reference, and scores."""
    reference = results[REFERENCE]
    for name, found in results.items():
        if name != REFERENCE:
            add_ratios(found, reference)
        # The heads of others are not trained.
        if not name.startswith(("framing", "onnx", "pipeline")):
            continue
        if name != REFERENCE:
            theirs = reference["labels"][:: found["step"]]
            found["agreement"] = round(agreement(found["labels"], theirs), 4)
        if found["step"] == 1:
            found["macro_f1_frames"] = round(macro_f1(gold, found["labels"]), 4)


def compare_streams(streamed: dict[str, Any]) -> None:
    """Add ratios, and how much of the full model's labels the screen keeps."""
    full = streamed["framing, int8, stream"]
    wanted = [bool(x) for x in full["labels"]]
    for name in (SCREENED, SMALL_SCREENED):
        if name in streamed:
            kept = [bool(x) for x in streamed[name]["labels"]][:: full["step"]]
            found = sum(a and b for a, b in zip(kept, wanted, strict=True))
            streamed[name]["recall_of_full_model"] = round(found / max(sum(wanted), 1), 4)
    for found in streamed.values():
        add_ratios(found, streamed[f"{REFERENCE}, stream"])


def chosen(systems: Mapping[str, Any], args: argparse.Namespace) -> list[str]:
    """Names of the systems, without a smaller model where none is given."""
    return [name for name in systems if args.small or not name.startswith(SMALL)]


def compare(args: argparse.Namespace) -> dict[str, Any]:
    """All measurements."""
    from framing.provenance import machine, versions

    rows, gold = corpus_rows(args.sentences, args.bundle)
    stream = stream_rows(args.stream_sentences, args.stream, args.bundle)
    with tempfile.TemporaryDirectory() as temporary:
        plain = write_rows(Path(temporary) / "rows.jsonl", rows)
        mixed = write_rows(Path(temporary) / "stream.jsonl", stream)
        results = measure_all(chosen(SYSTEMS, args), args, plain)
        streamed = measure_all(chosen(STREAM_SYSTEMS, args), args, mixed)
    compare_sentences(results, gold)
    compare_streams(streamed)
    for found in (*results.values(), *streamed.values()):
        found.pop("labels", None)
    article = str(ARTICLE)
    start = start_seconds(
        {
            "framing predict, int8": [FRAMING, "predict", "--model", args.bundle, article],
            "bare script": [sys.executable, "-c", BARE, args.bundle, article],
        }
    )
    print(f"start: {start}", flush=True)
    return {
        "machine": machine(),
        "versions": versions(),
        "bundle_mb": round(sum(p.stat().st_size for p in Path(args.bundle).iterdir()) / 1e6, 1),
        "sentences": results,
        "stream": {"framed": FRAMED, "sentences": len(stream), "systems": streamed},
        "start_seconds": start,
        "growth": growth(args.bundle, args.largest),
    }


def table(results: dict[str, Any]) -> str:
    """The results for people."""
    machine = results["machine"]
    out = ["# Results", "", f"Written by bench.py. Machine: {machine}.", ""]
    columns = [
        "per_second",
        "ratio",
        "ratio_range",
        "macro_f1_frames",
        "agreement",
        "peak_mb",
        "open_seconds",
    ]
    out += [f"| system | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for name, found in results["sentences"].items():
        cells = [str(found.get(column, "")) for column in columns]
        out.append(f"| {name} | {' | '.join(cells)} |")
    stream = results["stream"]
    out += ["", f"Stream of {stream['sentences']} sentences, {stream['framed']:.0%} framed:", ""]
    columns = ["per_second", "ratio", "ratio_range", "recall_of_full_model"]
    out += [f"| system | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for name, found in stream["systems"].items():
        cells = [str(found.get(column, "")) for column in columns]
        out.append(f"| {name} | {' | '.join(cells)} |")
    out += ["", "Start to end of a process that labels an article, seconds (median of 9):", ""]
    out += [f"- {name}: {seconds}" for name, seconds in results["start_seconds"].items()]
    out += ["", "Growth, one sentence over and over (what is measured is all but the model):", ""]
    out += ["| sentences | seconds | peak_mb |", "| --- | --- | --- |"]
    out += [f"| {g['sentences']} | {g['seconds']} | {g['peak_mb']} |" for g in results["growth"]]
    return "\n".join(out) + "\n"


def main() -> None:
    """Measure everything, or be the worker of one system."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("bundle")
    parser.add_argument("--small", help="bundle of a smaller model")
    parser.add_argument("--sentences", type=int, default=512)
    parser.add_argument("--stream-sentences", type=int, default=4000)
    parser.add_argument("--stream", type=Path, help="JSON lines with text: what has no frames")
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=2, help="in one process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    for hidden in ("--worker", "--rows", "--result"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args)
        return
    args.run, args.bundle = str(Path(args.run).resolve()), str(Path(args.bundle).resolve())
    args.small = args.small and str(Path(args.small).resolve())
    results = compare(args)
    args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    args.out.with_suffix(".md").write_text(table(results), encoding="utf-8")
    print(f"{args.out}: results, and a table beside it")


if __name__ == "__main__":
    main()
