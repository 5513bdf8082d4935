"""Scores as a model card: ``README.md`` with the front matter of the Hugging Face Hub.

Facts that the card reads, all optional: ``license`` (an identifier that the Hub knows),
``base_model`` or ``encoder`` (named owner/name), ``training_data`` (what it was trained on) and
``data_origin`` (where the scored texts come from, such as that they were composed).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from framing.artifacts import RUN
from framing.codebook import Variable
from framing.evaluation.schema import Score, Scores
from framing.report.blocks import (
    Block,
    Bullets,
    Column,
    Commands,
    Definitions,
    Row,
    Section,
    Table,
    Text,
)
from framing.report.formatting import number, plain, things, titled
from framing.report.markdown import escape, join, render_sections
from framing.report.sections import codebook_section, data_section, subtitle, title
from framing.report.tables import calibration_table, label_table, systems_table
from framing.report.verdicts import how_to_read, verdict, warnings
from framing.report.view import METRIC_TITLES, View, variable_name

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")
_CARD_METRICS = ("f1", "average_precision", "accuracy", "kappa")
_READ_BY_CARD = ("license", "base_model", "training_data", "data_origin")


def render_card(scores: Scores) -> str:
    """Render the model card.

    Args:
        scores: What evaluation wrote.

    Returns:
        Markdown with YAML front matter, the same for the same scores.

    Raises:
        CodebookError: The scores hold no valid codebook.
    """
    view = View(scores)
    fields = yaml.safe_dump(front_matter(view), sort_keys=False, allow_unicode=True, width=100)
    parts = (
        _use(view),
        _how_to_use(view),
        _training(view),
        _evaluation(view),
        _limits(view),
        _decisions(view),
        codebook_section(view),
        data_section(view),
    )
    body = join([f"# {escape(title(view))}", escape(_opening(view)), *render_sections(parts)])
    return f"---\n{fields}---\n\n{body}"


def front_matter(view: View) -> dict[str, Any]:
    """What the Hub reads: licence, language, base model and figures with their intervals."""
    facts = view.scores.facts
    fields: dict[str, Any] = {
        "license": plain(facts.get("license", "")) or "unknown",
        "language": [plain(view.book.language)],
        "library_name": "framing",
        # The Hub's name of the task. Its widget would run a pipeline that knows no heads.
        "pipeline_tag": "text-classification",
        "inference": False,
        "tags": ["framing", "content-analysis", "sentence-classification", "onnx"],
    }
    if base := _base_model(facts):
        fields["base_model"] = base
    results = [_result(view, variable) for variable in view.book.variables]
    results = [result for result in results if result["metrics"]]
    if results:
        fields["model-index"] = [{"name": plain(view.scores.run), "results": results}]
    return fields


def _base_model(facts: Mapping[str, str]) -> str:
    """The encoder's name on the Hub, "" where it has none."""
    if "base_model" in facts:
        # Old models of the Hub have no owner, such as roberta-base.
        return plain(facts["base_model"])
    encoder = facts.get("encoder", "")
    return encoder if _HUB_NAME.match(encoder) else ""


def _result(view: View, variable: Variable) -> dict[str, Any]:
    data = view.scores.data
    kind = variable.kind.replace("_", "-")
    return {
        "task": {
            "type": "text-classification",
            "name": f"{variable_name(variable)} ({kind} classification)",
        },
        "dataset": {
            "type": plain(data.name),
            "name": plain(data.name),
            "split": plain(data.split),
            "revision": plain(data.hash),
        },
        "metrics": list(_metrics(view, variable)),
    }


def _metrics(view: View, variable: Variable) -> Iterator[dict[str, Any]]:
    whole = variable.id if variable.per is None else ""
    for score in view.model.scores:
        pooled = score.variable == variable.id and score.head == whole
        if pooled and score.metric in _CARD_METRICS and score.value is not None:
            yield _metric(view, variable, score)


def _metric(view: View, variable: Variable, score: Score) -> dict[str, Any]:
    name = METRIC_TITLES[score.metric]
    if score.label:
        name = f"{name}, {view.label_name(variable.id, score.label)}"
    found: dict[str, Any] = {
        "type": score.metric,
        "name": f"{variable_name(variable)}: {name}",
        "value": round(score.value or 0.0, 6),
    }
    if score.low is not None and score.high is not None:
        found["args"] = {
            "confidence": view.scores.signature.confidence,
            "low": round(score.low, 6),
            "high": round(score.high, 6),
        }
    return found


def _opening(view: View) -> str:
    variables = ", ".join(
        f"{variable_name(v)} ({things(len(v.labels), 'label')})" for v in view.book.variables
    )
    return (
        f"A text classifier that codes sentences after the codebook {view.book.name}, version "
        f"{view.book.version}: {variables}. It was trained and scored with framing. "
        f"{plain(view.book.description)}"
    ).strip()


def _use(view: View) -> Section:
    language = plain(view.book.language)
    return Section(
        "use",
        "Intended use",
        (
            Text(
                (
                    "Content analysis of many texts, where people would otherwise code every "
                    "sentence after the codebook below: counting, comparing and finding "
                    "sentences, with the error rates below taken into account.",
                    "Not intended:",
                )
            ),
            Bullets(
                (
                    "judging a person, an author or an outlet by single sentences",
                    "deciding anything about anyone without a person who reads the text",
                    "moderating or filtering what people may say or read",
                    f"texts in another language than {language}, or of other kinds, topics or "
                    "times than those scored, unless coded sentences of that kind were scored "
                    "first",
                )
            ),
        ),
    )


def _how_to_use(view: View) -> Section:
    run = plain(view.scores.run)
    return Section(
        "how-to-use",
        "How to use it",
        (
            Text(("Offline, beside the folder that this file stands in:",)),
            Commands((f"framing predict --model {run} article.txt",)),
            Text(
                (
                    "Each prediction holds every label's probability, the decided labels and "
                    "the hash of the bundle that made it.",
                    f"The folder {RUN.checkpoint}/ loads in transformers once "
                    "framing.model.classifier is imported (docs/training.md) and gives raw logits, "
                    "named by id2label; calibration and thresholds stand in "
                    f"{RUN.bundle}/. transformers has no pipeline for it.",
                )
            ),
        ),
    )


def _training(view: View) -> Section:
    facts = view.scores.facts
    told = facts.get("training_data") or (
        f"The training data is named by {RUN.config}, and its hashes by {RUN.record}, beside "
        "this file."
    )
    rest = tuple(
        (titled(key), plain(text))
        for key, text in facts.items()
        if key not in _READ_BY_CARD and not key.startswith("warning")
    )
    blocks: tuple[Block, ...] = (Text((plain(told),)),)
    return Section("training", "Training", (*blocks, Definitions(rest)) if rest else blocks)


def _evaluation(view: View) -> Section:
    blocks: list[Block] = [Text((subtitle(view), how_to_read(view)))]
    for variable in view.book.variables:
        found = verdict(view, variable)
        blocks.append(Text((f"{found.title}. {found.lead}",)))
        blocks.append(Bullets(found.sentences))
        blocks.append(systems_table(view, variable))
        blocks.append(label_table(view, variable))
    blocks.append(
        Text((f"Figures, curves and the most confident errors are in {RUN.report_html}.",))
    )
    return Section("evaluation", "Evaluation", tuple(blocks))


def _limits(view: View) -> Section:
    origin = view.scores.facts.get("data_origin", "")
    told = (
        f"The scored text: {plain(origin)}"
        if origin
        else (
            "Where the scored text comes from is not recorded. If it was composed for training "
            "rather than taken from real sources, the figures say little about real text."
        )
    )
    fixed = (
        told,
        "The figures hold for text like the scored text. Score coded sentences of your own "
        "before you rely on the model for other sources, topics or times.",
        "Counts of predicted labels are biased where precision and recall differ; correct for "
        "it, or report both.",
        "Gold labels are people's or machines' judgements and have errors of their own.",
    )
    return Section("limits", "Limits", (Bullets((*fixed, *warnings(view))),))


def _decisions(view: View) -> Section:
    blocks: list[Block] = [
        Text(
            (
                "Probabilities were calibrated on the development split: label by label (Platt "
                "scaling) where any number of labels may be given, by one temperature where "
                "exactly one is. A label of the first kind is given when its probability is at "
                "least its threshold, which was chosen on the development split too; of the "
                "second kind the most probable label is given.",
            )
        )
    ]
    if view.scores.uncalibrated:
        blocks.append(
            Text(("This does not hold for what the limits above name as not calibrated.",))
        )
    if shares := view.scores.facts.get("expected shares"):
        blocks.append(
            Text(
                (
                    "Both were fitted for texts in which labels have other shares of the sentences "
                    f"than on the development split, as the run's config states: {plain(shares)}.",
                )
            )
        )
    if view.scores.curves:
        blocks.append(_thresholds(view))
    return Section("decisions", "Thresholds and calibration", (*blocks, calibration_table(view)))


def _thresholds(view: View) -> Table:
    rows = []
    for curve in view.scores.curves:
        variable = view.book.head(curve.head).variable
        figures = (curve.threshold, curve.at_precision, curve.at_recall)
        rows.append(Row((view.label_name(variable, curve.label), *map(number, figures))))
    names = ("Threshold", "Precision there", "Recall there")
    return Table(
        id="thresholds",
        caption="Thresholds, with precision and recall on the scored data",
        columns=(Column("Label", numeric=False), *map(Column, names)),
        rows=tuple(rows),
    )
