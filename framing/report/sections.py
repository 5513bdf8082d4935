"""The sections of a report: the same for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from framing.artifacts import RUN
from framing.codebook import Variable
from framing.evaluation.schema import LEAST_DOCUMENTS, ConfidentError
from framing.records import ADJUDICATOR
from framing.report import tables
from framing.report.blocks import (
    Block,
    Bullets,
    Commands,
    Definition,
    Definitions,
    Figures,
    Mistake,
    Mistakes,
    Section,
    Text,
)
from framing.report.formatting import count, listed, number, plain, things, titled
from framing.report.verdicts import how_to_read, learning_gains, overall, verdict, warnings
from framing.report.view import View, variable_name

_CURVES = (
    "Each curve shows precision and recall over all thresholds; the mark is the threshold stored "
    "with the model, the dashed line the label's share in gold, which is the precision of "
    "labelling at random."
)
_RELIABILITY = (
    "The calibration error is raised by chance, the more the fewer sentences there are: exact "
    "probabilities have one above 0 too. Where its interval begins at 0, the outcomes are such as "
    "exact probabilities may have. Points on the diagonal are probabilities that mean what they "
    "say. Bars count the probabilities in each bin, on a logarithmic scale."
)
_OTHER_SHARES = (
    "These probabilities are made for texts in which labels are as frequent as the config expects "
    "({shares}). Where they are more frequent here, probabilities are too low by design, and the "
    "calibration error, Brier score and log loss too high; of other runs they can be compared "
    "with those of the same expected shares alone."
)
_ERRORS = (
    "The wrong decisions that the model was surest of. Look for mistakes of the gold labels, "
    "cases that the codebook leaves open, and what the model has learnt instead of the meaning."
)
_SLICES = (
    "Figures of the same model on one source, genre and so on. Differences between parts are not "
    "tested; small parts have wide intervals, and those from fewer than "
    f"{LEAST_DOCUMENTS} documents should be wider still."
)
_PUBLISHED = (
    "Published values come without intervals, and from one training or the best of several. A "
    "distance from them that lies within this run's interval says nothing."
)
_LEARNING = (
    "The recipe of this run, trained again with some of these data's own sentences beside its "
    "training data. Every sentence is scored by a model that saw other documents of these data "
    "alone, so all points are scored on the same sentences, and intervals are for documents. Each "
    "training is one seed: small steps between neighbouring points are chance."
)
_LEARNING_TESTED = (
    "Average precision is that of each fold, ranked by one model, and their mean, also for the run "
    "without sentences added; its figure of all sentences stands above. Differences are those of "
    "the points from the run without sentences added. They tell whether the added ones pay, not "
    "whether still more would: a rise from one point to the next was not tested."
)
_LEARNING_UNTESTED = (
    "Differences between points were not tested, so a rise may be chance. Average precision of the "
    "points with sentences added ranks those of several models together, which lowers it: make the "
    "curve again to have it fold by fold."
)
_AGREEMENT = (
    "Alpha is 1 for perfect agreement and 0 for what chance alone would give. It was computed on "
    "those of the scored sentences that at least two coders had coded; framing data audit tells "
    "it for all that was coded."
)


def sections(view: View) -> tuple[Section, ...]:
    """All sections of a report, in order."""
    return (
        _summary(view),
        _warnings(view),
        _systems(view),
        *_official(view),
        *(_variable(view, variable) for variable in view.book.variables),
        _calibration(view),
        _agreement(view),
        _prevalence(view),
        _slices(view),
        *_learning_curve(view),
        _errors(view),
        codebook_section(view),
        data_section(view),
        _provenance(view),
    )


def title(view: View) -> str:
    """A report's title."""
    return plain(view.book.title) or titled(view.book.name)


def subtitle(view: View) -> str:
    """Run and data in one sentence."""
    data = view.scores.data
    return (
        f"Run {plain(view.scores.run)}, scored on {plain(data.name)} ({plain(data.split)}): "
        f"{things(data.sentences, 'sentence')} in {things(data.documents, 'document')}."
    )


def _summary(view: View) -> Section:
    texts = tuple(text for text in (overall(view), how_to_read(view)) if text)
    verdicts = (verdict(view, variable) for variable in view.book.variables)
    return Section("summary", "What the model scores", (*verdicts, Text(texts)))


def _warnings(view: View) -> Section:
    found = warnings(view)
    block: Block = Bullets(found, alarming=True)
    if not found:
        block = Text(("Nothing was found that weakens the figures.",))
    return Section("warnings", "Warnings", (block,))


def _systems(view: View) -> Section:
    described = tuple(
        (view.system_name(s.name), plain(s.description)) for s in (view.model, *view.others)
    )
    blocks: list[Block] = [Definitions(described)]
    for variable in view.book.variables:
        blocks.append(tables.systems_table(view, variable))
        blocks.append(tables.baseline_labels_table(view, variable))
    if view.scores.comparisons:
        blocks.append(tables.comparisons_table(view))
    return Section("systems", "Model, coders and baselines", tuple(blocks))


def _official(view: View) -> Iterator[Section]:
    if view.scores.official:
        blocks: list[Block] = []
        for figure in view.scores.official:
            texts = (f"{plain(figure.name)}: {plain(figure.protocol)}", plain(figure.note))
            blocks += [Text(tuple(t for t in texts if t)), tables.official_table(view, figure)]
        yield Section("official", "Beside published results", (*blocks, Text((_PUBLISHED,))))


def _variable(view: View, variable: Variable) -> Section:
    blocks: list[Block] = [tables.label_table(view, variable)]
    if variable.kind == "multi_label" and _has_curves(view, variable):
        blocks += [Text((_CURVES,)), Figures("curves", (variable.id,))]
    if variable.per is not None:
        blocks.append(tables.heads_table(view, variable))
        blocks.append(tables.pairs_table(view, variable))
    if any(c.variable == variable.id for c in view.scores.confusions):
        blocks.append(Figures("confusions", (variable.id,)))
        blocks += tables.confusion_tables(view, variable)
    return Section(f"variable-{variable.id}", f"{variable_name(variable)} in detail", tuple(blocks))


def _has_curves(view: View, variable: Variable) -> bool:
    return any(curve.head == variable.id for curve in view.scores.curves)


def _calibration(view: View) -> Section:
    blocks: list[Block] = [tables.calibration_table(view)]
    if view.scores.reliability:
        shares = view.scores.facts.get("expected shares")
        other = [_OTHER_SHARES.format(shares=plain(shares))] if shares else []
        blocks.append(Text((_RELIABILITY, *other)))
        blocks.append(Figures("reliability", tuple(v.id for v in view.book.variables)))
        blocks.append(tables.bins_table(view))
    return Section("calibration", "Calibration", tuple(blocks))


def _agreement(view: View) -> Section:
    blocks: tuple[Block, ...] = (Text((_AGREEMENT,)), tables.agreement_table(view))
    if not view.scores.agreement:
        blocks = (Text(("Agreement needs at least two coders; there is none to report.",)),)
    return Section("agreement", "Agreement of the coders", blocks)


def _prevalence(view: View) -> Section:
    return Section("prevalence", "How often each label occurs", (tables.prevalence_table(view),))


def _slices(view: View) -> Section:
    found = [tables.slices_table(view, variable) for variable in view.book.variables]
    made = tuple(table for table in found if table is not None)
    text = _SLICES if made else "No part of the data was large enough to be scored on its own."
    return Section("slices", "Parts of the data", (Text((text,)), *made))


def _learning_curve(view: View) -> Iterator[Section]:
    if view.scores.learning_curve:
        variables = tuple(variable.id for variable in view.book.variables)
        gains = tuple(learning_gains(view))
        texts = [_LEARNING]
        if view.scores.signature.resamples and any(p.folds for p in view.scores.learning_curve):
            texts.append(_LEARNING_TESTED if gains else _LEARNING_UNTESTED)
        blocks: list[Block] = [
            Text(tuple(texts)),
            *((Bullets(gains),) if gains else ()),
            Figures("learning", variables),
            tables.learning_curve_table(view),
            *tables.learning_gains_tables(view),
        ]
        yield Section("learning-curve", "What sentences of your own are worth", tuple(blocks))


def _errors(view: View) -> Section:
    if not view.scores.errors:
        return Section("errors", "Most confident errors", (Text(("The model makes no error.",)),))
    items = tuple(_mistake(view, error) for error in view.scores.errors)
    return Section("errors", "Most confident errors", (Text((_ERRORS,)), Mistakes(items)))


def _mistake(view: View, error: ConfidentError) -> Mistake:
    variable = view.book.head(error.head).variable
    label = view.label_name(variable, error.label)
    given = "wrongly given" if error.label in error.predicted else "missed"
    origin = f"Sentence {plain(error.sentence_id)}, document {plain(error.doc_id)}"
    if error.source:
        origin += f", {plain(error.source)}"
    coders = tuple(
        (_coder(name), _given(view, variable, text)) for name, text in error.coders.items()
    )
    return Mistake(
        heading=f"{view.head_name(error.head)}: {label} {given}, "
        f"probability {number(error.probability)}",
        origin=origin,
        previous=plain(error.previous),
        text=plain(error.text),
        fields=(
            ("Gold", _names(view, variable, error.gold)),
            ("Predicted", _names(view, variable, error.predicted)),
            *coders,
        ),
    )


def _names(view: View, variable: str, labels: tuple[str, ...]) -> str:
    return ", ".join(view.label_name(variable, label) for label in labels) or "(none present)"


def _coder(name: str) -> str:
    return titled(name) if name == ADJUDICATOR else f"Coder {plain(name)}"


def _given(view: View, variable: str, text: str) -> str:
    """What a coder gave, with the labels' names where it names labels."""
    known = view.book.variable(variable).label_ids
    parts = text.split(", ")
    return ", ".join(view.label_name(variable, p) if p in known else plain(p) for p in parts)


def codebook_section(view: View) -> Section:
    """The codebook with all definitions."""
    book = view.book
    about = f"Codebook {book.name}, version {book.version}, language {plain(book.language)}."
    paragraphs = tuple(text for text in (plain(book.description), about) if text)
    blocks = (Definition(v, variable_name(v), _how(view, v)) for v in book.variables)
    return Section("codebook", "Codebook", (Text(paragraphs), *blocks))


def _how(view: View, variable: Variable) -> str:
    if variable.kind == "multi_label":
        return "Any number of labels, or none."
    if variable.per is None:
        return "Exactly one label."
    parent = view.book.variable(variable.per)
    return f"Exactly one label for each label of {variable_name(parent)} that is present."


def data_section(view: View) -> Section:
    """What was scored, what was left out, what leaked."""
    data = view.scores.data
    items = (
        ("Corpus or file", plain(data.name)),
        ("Split", plain(data.split)),
        ("Sentences", count(data.sentences)),
        ("Documents", count(data.documents)),
        ("Coders", listed([plain(c) for c in data.coders]) or "none named"),
        ("Gold", plain(data.gold_rule)),
        *_leakage_items(view),
    )
    blocks: list[Block] = [Definitions(items)]
    if any(data.uncoded.values()):
        blocks.append(tables.uncoded_table(view, data.uncoded))
    if view.scores.leakage is not None and view.scores.leakage.examples:
        blocks.append(tables.leakage_table(view.scores.leakage.examples))
    return Section("data", "Data", tuple(blocks))


def _leakage_items(view: View) -> Iterator[tuple[str, str]]:
    leakage = view.scores.leakage
    if leakage is None:
        yield "In the training data too", "not checked, since the training data was not at hand"
        return
    yield "In the training data word for word", count(leakage.exact)
    yield f"Nearly so (similarity {number(leakage.threshold)} or more)", count(leakage.near)


def _provenance(view: View) -> Section:
    scores = view.scores
    # The card's base model is the encoder again, as the Hub knows it.
    told = {k: v for k, v in scores.facts.items() if k != "base_model"}
    facts = ((titled(k), plain(v)) for k, v in told.items() if not k.startswith("warning"))
    hashes = (
        ("Run", plain(scores.run)),
        ("Bundle", plain(scores.bundle)),
        ("Data", plain(scores.data.hash)),
        ("Codebook", view.book.hash),
    )
    signatures = tuple((f"F1, {variable_name(v)}", signature(view, v)) for v in view.book.variables)
    return Section(
        "provenance",
        "How these figures came about",
        (
            Definitions(tuple(facts)),
            Text(("Hashes (SHA-256) of what the figures depend on:",)),
            Definitions(hashes, code=True),
            Text(("Signatures; two scores can be compared where these are alike:",)),
            Definitions(signatures, code=True),
            Text(("To train again, and to make this report again from the scores:",)),
            Commands(
                (
                    f"framing train {plain(scores.run)}/{RUN.config}",
                    f"framing report {plain(scores.run)}",
                )
            ),
        ),
    )


def signature(view: View, variable: Variable) -> str:
    """Everything needed to compute a variable's figures again, in one line."""
    found = view.scores.signature
    fields = {
        "variable": variable.id,
        "labels": ",".join(variable.label_ids),
        "absent": plain(found.absent),
        "n": str(found.n),
        "documents": str(found.documents),
        "resamples": str(found.resamples),
        "confidence": f"{found.confidence:g}",
        "seed": str(found.seed),
        "version": plain(found.version),
    }
    return " | ".join(f"{key}: {value}" for key, value in fields.items())
