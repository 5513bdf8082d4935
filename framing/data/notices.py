"""What is most likely not meant in a corpus: lines of `framing data audit` that say what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from framing.data.corpus import Corpus, metadata_fields
from framing.data.facts import Coverage, coverage
from framing.data.gold import by_sentence, is_coder
from framing.errors import counted
from framing.records import ADJUDICATOR, GOLD, Annotation

_MOST_NAMES = 5
#: What people call a coder whose word is final.
_FINAL = ("adjudicator", "adjudicated", "consensus", "final", "gold")
#: Sentences, and their share, below which nothing is said of rows without any code, or of ties.
_LEAST, _LEAST_SHARE = 10, 0.05
_EMPTY_CELLS = (
    'An empty cell means "coded, none present". Where it means "not coded", say so with '
    '`missing: [""]` and write a code for none: docs/data.md, "Empty cells"'
)


def notices(corpus: Corpus, adjudicator: str = ADJUDICATOR) -> list[str]:
    """Look for what can be read but is most likely not meant.

    Args:
        corpus: The corpus.
        adjudicator: The coder whose word is final.

    Returns:
        Each in one line, with what to do.
    """
    return [
        *_documents(corpus),
        *_order(corpus),
        *_differing(corpus),
        *_uncoded(corpus),
        *_final_coders(corpus, adjudicator),
        *_empty_cells(corpus, adjudicator),
    ]


def _documents(corpus: Corpus) -> Iterator[str]:
    if lacking := corpus.without_document:
        yield (
            f"{counted(len(lacking), 'sentence')} without a doc_id, though others have one, such "
            f"as {min(lacking)!r}: each is taken as a document of its own, and no splits are made. "
            "Fill these cells, or say under `columns` what they mean: `missing_doc_id: sentence` "
            "or `missing_doc_id: file`"
        )


def _order(corpus: Corpus) -> Iterator[str]:
    if unordered := corpus.unordered_documents:
        yield (
            f"{counted(len(unordered), 'document')} whose rows do not tell the order of sentences, "
            f"such as {min(unordered)!r}: coders have them in different orders, or the rows are "
            "sorted by coder and no coder coded them all. No previous sentence is filled in there; "
            "give a column position"
        )


def _differing(corpus: Corpus) -> Iterator[str]:
    for name, sentence_id in corpus.differing_fields.items():
        yield (
            f"{name}: rows of one sentence differ, such as those of {sentence_id!r}; what the "
            "first says is kept. If the column tells of the coding, name it under "
            "`columns: {ignore: [...]}`"
        )


def _uncoded(corpus: Corpus) -> Iterator[str]:
    """Variables without any value, such as one whose column is misspelt."""
    given = {name for annotation in corpus.annotations for name in annotation.values}
    fields = ", ".join(sorted(metadata_fields(corpus.sentences))) or "(none)"
    for variable in corpus.codebook.variables:
        heads = {head.name for head in corpus.codebook.heads if head.variable == variable.id}
        if corpus.annotations and not heads & given:
            yield (
                f"{variable.id}: coded in no sentence. Check the name of its column, or take it "
                f"out of the codebook. Columns that hold no variable: {fields}"
            )


def _final_coders(corpus: Corpus, adjudicator: str) -> Iterator[str]:
    """Coders who are taken as one of many, though their name says that their word is final."""
    known = {adjudicator, GOLD}
    for coder in corpus.coders:
        if coder not in known and coder.casefold() in _FINAL:
            yield (
                f"coder {coder!r} is taken as one of the coders. If his word is final, say so: "
                f"`data: {{adjudicator: {coder}}}` in a run config, or --adjudicator {coder}"
            )


def _empty_cells(corpus: Corpus, adjudicator: str) -> Iterator[str]:
    """Signs that coders left cells empty where they did not code."""
    groups = list(by_sentence(corpus.annotations).values())
    covered = coverage(corpus)
    for variable in corpus.codebook.variables:
        if variable.kind == "multi_label":
            yield from _never({c: of[variable.id] for c, of in covered.items()}, variable.id)
            yield from _apart(groups, variable.id, adjudicator)
            yield from _overruled(groups, variable.id, adjudicator)
            yield from _ties(groups, variable.id, adjudicator)
    yield from _nothing_at_all(corpus, adjudicator)


def _nothing_at_all(corpus: Corpus, adjudicator: str) -> Iterator[str]:
    """Coders with rows in which nothing stands, though of every sentence something must be said."""
    always = [h.name for h in corpus.codebook.heads if h.kind == "single_label" and not h.condition]
    rows, full, empty = Counter[str](), Counter[str](), Counter[str]()
    for annotation in corpus.annotations:
        if is_coder(annotation, adjudicator):
            rows[annotation.coder] += 1
            full[annotation.coder] += any(name in annotation.values for name in always)
            empty[annotation.coder] += not any(annotation.values.values())
    found = [
        f"{coder} ({counted(empty[coder], 'sentence')} of {rows[coder]:,})"
        for coder in sorted(rows)
        # A few may have been overlooked; those who fill the variable nowhere else tell nothing.
        if empty[coder] >= max(_LEAST, _LEAST_SHARE * rows[coder])
        and full[coder] >= (1 - _LEAST_SHARE) * (rows[coder] - empty[coder]) > 0
    ]
    if found:
        yield (
            f"no code of any variable by {_names(found)}, though {' and '.join(always)} must have "
            "one wherever somebody coded: most likely these sentences were not coded, and now "
            f"count as none present. {_EMPTY_CELLS}"
        )


def _never(covered: Mapping[str, Coverage], head: str) -> Iterator[str]:
    """Coders who never gave a label, although others did."""
    never = [c for c, of in covered.items() if of.coded and not of.labelled]
    if never and any(of.labelled for of in covered.values()):
        names = _names([f"{c} (coded {counted(covered[c].coded, 'sentence')})" for c in never])
        yield f"{head}: no label at all by {names}, though others gave some. {_EMPTY_CELLS}"


def _apart(groups: Sequence[Sequence[Annotation]], head: str, adjudicator: str) -> Iterator[str]:
    """Coders whose every label stands where all other coders have none."""
    agreed: dict[str, bool] = {}
    for group in groups:
        own = [a for a in group if is_coder(a, adjudicator) and head in a.values]
        labelled = [a.coder for a in own if a.values[head]]
        if len(own) > 1:
            for coder in labelled:
                agreed[coder] = agreed.get(coder, False) or len(labelled) > 1
    apart = sorted(coder for coder, ever in agreed.items() if not ever)
    if apart:
        yield (
            f"{head}: wherever {_names(apart)} gave a label, every other coder of the sentence has "
            f"none. {_EMPTY_CELLS}"
        )


def _overruled(
    groups: Sequence[Sequence[Annotation]], head: str, adjudicator: str
) -> Iterator[str]:
    """Sentences on which a final "none" overrules labels that all coders gave alike."""
    count = 0
    for group in groups:
        coded = [a for a in group if head in a.values]
        final = [a.values[head] for a in coded if a.coder == adjudicator]
        given = [a.values[head] for a in coded if is_coder(a, adjudicator)]
        unanimous = len(given) > 1 and len(set(given)) == 1
        count += final == [()] and unanimous and given[0] != ()
    if count:
        yield (
            f"{head}: {adjudicator} gave no label on {counted(count, 'sentence')} on which all "
            f"coders gave the same labels, and his word is gold. {_EMPTY_CELLS}"
        )


def _ties(groups: Sequence[Sequence[Annotation]], head: str, adjudicator: str) -> Iterator[str]:
    """Labels that half of the coders gave, and nobody decided on."""
    tied = labelled = 0
    for group in groups:
        coded = [a for a in group if head in a.values]
        given = [a.values[head] for a in coded if is_coder(a, adjudicator)]
        if len(given) < len(coded):
            continue
        votes = Counter(label for labels in given for label in labels)
        labelled += bool(votes)
        tied += any(2 * count == len(given) for count in votes.values())
    if tied >= max(_LEAST, _LEAST_SHARE * labelled):
        yield (
            f"{head}: in {tied:,} of the {counted(labelled, 'sentence')} with any label, half of "
            "the coders gave a label that the others did not. It counts as absent: of two coders "
            "both must give it. Let a third coder or an adjudicator decide, or train with "
            "`training: {soft_labels: true}`"
        )


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = list(names[:_MOST_NAMES]) + ([f"{more} more"] if more > 0 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
