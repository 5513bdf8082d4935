"""`framing data audit|split|list|show|check`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framing.errors import ConfigError, DataError, DependencyError, counted
from framing.records import ADJUDICATOR, GOLD

if TYPE_CHECKING:
    from rich.console import Console

    from framing.data.corpus import Corpus
    from framing.data.leakage import LeakageReport
    from framing.data.splits import Splits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_audit(
        actions.add_parser(
            "audit",
            help="print counts, label shares, agreement and leakage",
            description="Print counts, label shares, coders' agreement and leakage across splits.",
        )
    )
    _add_split(
        actions.add_parser(
            "split",
            help="divide documents into train, dev and test",
            description="Divide documents into train, dev and test with like shares of every "
            "label.",
        )
    )
    actions.add_parser(
        "list",
        help="list bundled corpora and benchmarks",
        description="List bundled corpora and the benchmarks that can be read.",
    )
    show = actions.add_parser(
        "show",
        help="show a benchmark's card",
        description="Show what a benchmark is, how to get and score it, and published results.",
    )
    _add_benchmark(show)
    check = actions.add_parser(
        "check",
        help="check a benchmark's files",
        description="Compare a benchmark's files with the hashes and counts of its card.",
    )
    _add_benchmark(check)
    check.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="folder of its files"
    )


def _add_audit(parser: argparse.ArgumentParser) -> None:
    _add_corpus(parser)
    parser.add_argument(
        "--splits", type=Path, help="split manifest; bundled corpora and benchmarks have their own"
    )
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="FIELD",
        help="also count by this metadata field, such as source",
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    _add_corpus(parser)
    parser.add_argument("--out", type=Path, required=True, help="manifest to write (JSON)")
    parser.add_argument(
        "--fractions",
        type=_fractions,
        default="70,10,20",
        metavar="TRAIN,DEV,TEST",
        help="shares of the sentences in percent (default: 70,10,20)",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides ties (default: 0)")
    parser.add_argument(
        "--stratify",
        action="append",
        default=[],
        metavar="FIELD",
        help="keep the shares of this metadata field alike too; may be given again",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing manifest")


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("benchmark", metavar="NAME", help="a benchmark (see framing data list)")


def _add_corpus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "corpus",
        help="a file, a folder with sentences.* and annotations.*, a bundled corpus, or "
        "(with --root) a benchmark",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the benchmark's files")
    parser.add_argument("--codebook", type=Path, help="codebook (YAML); needed for your own data")
    parser.add_argument("--columns", type=Path, help="YAML file that says which column holds what")
    parser.add_argument(
        "--adjudicator", metavar="NAME", help=f"final coder (default: {ADJUDICATOR}, if any)"
    )


def _fractions(text: str) -> dict[str, float]:
    from framing.data.splits import NAMES

    try:
        shares = [float(part) / 100 for part in text.split(",")]
    except ValueError:
        shares = []
    if len(shares) != len(NAMES) or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise argparse.ArgumentTypeError(
            f"expected three percentages that sum to 100, such as 70,10,20; found {text!r}"
        )
    return dict(zip(NAMES, shares, strict=True))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.action in ("list", "show", "check"):
        from framing.cli import benchmarks

        return benchmarks.run(args)
    if args.action == "split":
        from framing.artifacts import refuse_existing

        refuse_existing(args.out, args.overwrite)
    corpus = _load(args)
    adjudicator = _adjudicator(corpus, args.adjudicator)
    command = _audit if args.action == "audit" else _split
    return command(corpus, args, adjudicator)


def _load(args: argparse.Namespace) -> Corpus:
    from framing.codebook import load_codebook
    from framing.corpora import BUNDLED
    from framing.data.benchmarks import load_benchmark, load_card
    from framing.data.bundled import load_bundled
    from framing.data.columns import ColumnMapping, read_column_fields
    from framing.data.readers import read_corpus

    path = Path(args.corpus)
    if args.root is not None:
        _refuse_own(args, "the benchmark")
        return load_benchmark(load_card(args.corpus), args.root)
    if args.corpus in BUNDLED and args.codebook is None and not path.exists():
        _refuse_own(args, "the bundled corpus")
        return load_bundled(args.corpus)
    if args.codebook is None:
        raise DataError(_no_codebook(args.corpus))
    fields = {} if args.columns is None else read_column_fields(args.columns)
    return read_corpus(path, load_codebook(args.codebook), ColumnMapping.from_dict(fields))


def _adjudicator(corpus: Corpus, named: str | None) -> str:
    from framing.data.corpus import check_adjudicator

    if named is None:
        return ADJUDICATOR
    check_adjudicator(corpus, named, "--adjudicator")
    return named


def _refuse_own(args: argparse.Namespace, what: str) -> None:
    given = [name for name in ("codebook", "columns") if getattr(args, name) is not None]
    if given:
        raise ConfigError(
            f"--{' and --'.join(given)}: for data of your own; {what} {args.corpus} brings these"
        )


def _no_codebook(corpus: str) -> str:
    from framing.corpora import BENCHMARKS, BUNDLED

    if corpus in BENCHMARKS and not Path(corpus).exists():
        return (
            f"{corpus}: is a benchmark; name the folder of its files with --root DIR "
            f"(framing data show {corpus} says how to get them)"
        )
    return (
        f"{corpus}: give the codebook of your data with --codebook FILE, or the name of a "
        f"bundled corpus: {', '.join(BUNDLED)}"
    )


def _console() -> Console:
    """A console that does not cut tables off when they go into a file."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=160)


def _split(corpus: Corpus, args: argparse.Namespace, adjudicator: str) -> int:
    from framing.data.gold import gold_annotations
    from framing.data.splits import make_splits, save_splits

    gold = gold_annotations(corpus.annotations, corpus.codebook, adjudicator)
    splits = make_splits(corpus, gold, args.fractions, args.seed, tuple(args.stratify))
    save_splits(args.out, splits)
    console = _console()
    _print_table(console, "Splits", splits.counts)
    console.print(f"Written: {args.out}. Use it in a config: data: {{splits: {{file: ...}}}}")
    return 0


def _audit(corpus: Corpus, args: argparse.Namespace, adjudicator: str) -> int:
    from framing.data.facts import corpus_facts
    from framing.data.notices import notices

    splits = _audit_splits(corpus, args, adjudicator)
    facts = corpus_facts(corpus, splits, args.by, adjudicator)
    console = _console()
    console.print(
        f"[bold]{corpus.name}[/bold]: {facts['sentences']:,} sentences in "
        f"{facts['documents']:,} documents, codebook {facts['codebook']}, hash {corpus.hash[:12]}"
    )
    _print_coders(console, facts)
    _print_coverage(console, corpus)
    for notice in notices(corpus, adjudicator):
        console.print(f"Note: {notice}", markup=False)
    _print_labels(console, facts["labels"])
    for field, groups in facts["by"].items():
        rows = {
            value or "(none)": {
                "documents": group["documents"],
                "sentences": group["sentences"],
                **group["shares"],
            }
            for value, group in groups.items()
        }
        _print_table(console, f"Documents, sentences and shares by {field}", rows, across=False)
    _print_agreement(console, facts["agreement"])
    _print_repeats(console, corpus)
    if splits is not None:
        _print_table(console, "Splits", facts["splits"])
        _print_leakage(console, corpus, splits)
    return 0


def _audit_splits(corpus: Corpus, args: argparse.Namespace, adjudicator: str) -> Splits | None:
    from framing.corpora import BUNDLED
    from framing.data.benchmarks import benchmark_splits, load_card
    from framing.data.bundled import load_bundled_splits
    from framing.data.gold import gold_annotations
    from framing.data.splits import load_splits

    if args.splits is not None:
        return load_splits(args.splits, corpus)
    if args.root is not None:
        gold = gold_annotations(corpus.annotations, corpus.codebook, adjudicator)
        return benchmark_splits(load_card(args.corpus), corpus, gold)
    if args.codebook is None and args.corpus in BUNDLED:
        return load_bundled_splits(args.corpus, corpus)
    return None


def _print_coders(console: Console, facts: Mapping[str, Any]) -> None:
    if set(facts["annotations"]) == {GOLD}:
        sentences = counted(facts["annotations"][GOLD], "sentence")
        console.print(f"Labels are given as gold for {sentences}; no coder is named")
        return
    coders = ", ".join(f"{coder} {n:,}" for coder, n in facts["annotations"].items())
    console.print(f"Annotations by coder: {coders}", markup=False)
    for number, sentences in facts["coders_per_sentence"].items():
        console.print(f"  coded by {number}: {sentences:,} sentences")


def _print_coverage(console: Console, corpus: Corpus) -> None:
    from framing.data.facts import coverage

    rows: dict[str, dict[str, int]] = {}
    for coder, of in coverage(corpus).items():
        rows[coder] = {}
        for variable in corpus.codebook.variables:
            found = of[variable.id]
            rows[coder][variable.id] = found.coded
            # Whoever coded a single_label variable gave a label.
            if variable.kind == "multi_label":
                rows[coder][f"{variable.id}, any label"] = found.labelled
    _print_table(console, "Sentences coded, by coder and variable", rows, across=False)


def _print_labels(console: Console, labels: Mapping[str, Mapping[str, int]]) -> None:
    rows = {
        f"{head}.{label}": {"gold": count}
        for head, of in labels.items()
        for label, count in of.items()
    }
    _print_table(console, "Gold labels", rows, across=False)


def _print_agreement(console: Console, agreement: Mapping[str, Any]) -> None:
    if not agreement["alpha"]:
        console.print("Agreement: fewer than two coders, so none can be computed")
        return
    rows: dict[str, dict[str, Any]] = {}
    for name, found in agreement["alpha"].items():
        rows[name] = {"alpha": found["alpha"], "sentences": found["units"]}
        for pair, values in agreement["f1"].items():
            # Single_label variables have none, and eight coders would give 28 empty columns.
            if values:
                rows[name][f"F1 {pair}"] = values.get(name)
    _print_table(console, "Agreement (Krippendorff's alpha)", rows, across=False)


def _print_table(
    console: Console, title: str, groups: Mapping[str, Mapping[str, Any]], across: bool = True
) -> None:
    """Print groups as columns of a table, or as its rows."""
    from rich.markup import escape
    from rich.table import Table

    if across:
        keys = list(dict.fromkeys(key for group in groups.values() for key in group))
        groups = {key: {name: group.get(key) for name, group in groups.items()} for key in keys}
    columns = list(dict.fromkeys(key for group in groups.values() for key in group))
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")
    for column in columns:
        table.add_column(escape(column), justify="right", overflow="fold")
    for name, group in groups.items():
        table.add_row(escape(name), *(_cell(group.get(column)) for column in columns))
    console.print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def _print_repeats(console: Console, corpus: Corpus) -> None:
    from framing.data.leakage import find_repeats

    report = find_repeats(corpus.sentences)
    console.print(
        f"Repeated: {counted(report.same, 'sentence')} with the text of an earlier one, "
        f"{report.across} of them in another document; {report.short} of fewer than four words"
    )
    text = {s.id: s.text for s in corpus.sentences}
    for found, first in report.examples:
        console.print(f"  {found} as {first}: {text[found]}", markup=False)


def _print_leakage(console: Console, corpus: Corpus, splits: Splits) -> None:
    text = {s.id: s.text for s in corpus.sentences}
    for name in ("dev", "test"):
        if "train" in splits.documents and name in splits.documents:
            report = _leakage(corpus, splits, name)
            console.print(
                f"Leakage from train into {name}: {report.exact} the same, {report.near} nearly "
                f"the same (cosine of character 5-grams at least {report.threshold:g}), "
                f"{report.short} of fewer than four words"
            )
            for found, training, similarity in report.examples:
                console.print(f"  {similarity:.3f} {found}: {text[found]}", markup=False)
                console.print(f"        {training}: {text[training]}", markup=False)


def _leakage(corpus: Corpus, splits: Splits, name: str) -> LeakageReport:
    from framing.data.leakage import find_leakage

    parts = {part: splits.sentences_of(corpus, part) for part in ("train", name)}
    try:
        return find_leakage(parts["train"], parts[name])
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"looking for leakage needs the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
