"""Tasks for coders: a sheet for spreadsheets, or tasks and a labelling screen for Label Studio.

Both are read again by `framing.data.readers.read_corpus` without a column mapping, since controls
and columns have the names of the codebook's heads.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from framing.annotation.choice import AT_RANDOM, Chosen
from framing.artifacts import json_text, write_output
from framing.codebook import Codebook, Head, Label, Variable
from framing.errors import OutputError

#: Metadata field that says how a sentence was chosen: `AT_RANDOM` or `UNSURE`.
CHOSEN = "chosen"
UNSURE = "unsure"
#: Ending of the output -> ending of the labelling screen written beside it, if any.
ENDINGS = {".csv": "", ".json": ".xml"}
_SMALL = "6"


def task_files(path: Path) -> list[Path]:
    """The files that will be written for an output.

    Raises:
        OutputError: The ending is none of `ENDINGS`.
    """
    if path.suffix.lower() not in ENDINGS:
        raise OutputError(
            f"{path}: expected a name that ends in .csv (a sheet for spreadsheets) or .json (tasks "
            f"for Label Studio), found {path.suffix or 'no ending'!r}"
        )
    screen = ENDINGS[path.suffix.lower()]
    return [path, path.with_suffix(screen)] if screen else [path]


def write_tasks(path: Path, chosen: Sequence[Chosen], book: Codebook, overwrite: bool) -> None:
    """Write tasks, and for Label Studio the labelling screen beside them.

    Args:
        path: Ends in ``.csv`` or ``.json``.
        chosen: What is to be coded.
        book: Says what is coded.
        overwrite: Whether existing files may be replaced.

    Raises:
        OutputError: A file exists, or cannot be written.
    """
    task_file, *screen = task_files(path)
    with_target = any(one.sentence.target for one in chosen)
    rows = [_task(one, book, with_target) for one in chosen]
    for file in screen:
        write_output(file, labelling_screen(book, with_target), overwrite)
    if screen:
        write_output(task_file, json_text([{"data": row} for row in rows]), overwrite)
    else:
        write_output(task_file, _sheet(rows, book), overwrite)


def _task(chosen: Chosen, book: Codebook, with_target: bool) -> dict[str, Any]:
    """A sentence with all that belongs to it, but for codes that it may have had."""
    sentence = chosen.sentence
    own = {"coder", *(v.id for v in book.variables), *(h.name for h in book.heads)}
    task: dict[str, Any] = {
        "id": sentence.id,
        "doc_id": sentence.doc_id,
        "position": sentence.position,
    }
    task |= {name: value for name, value in sentence.metadata.items() if name not in own}
    task |= {"previous": sentence.previous, "text": sentence.text}
    if with_target:
        # In every task: Label Studio refuses those that lack what the screen names.
        task["target"] = sentence.target
    # Not where the model is unsure: coders might look for that.
    return {**task, CHOSEN: AT_RANDOM if chosen.reason == AT_RANDOM else UNSURE}


def _sheet(rows: Sequence[dict[str, Any]], book: Codebook) -> str:
    """A table with empty cells for the coder's name and a column for each head."""
    # In the order of the first task; what only others have stands behind.
    columns = [name for name in dict.fromkeys(n for row in rows for n in row) if name != CHOSEN]
    out = io.StringIO()
    # Spreadsheets take the mark at the beginning as a sign of UTF-8.
    out.write("\ufeff")
    empty = ["coder", *(head.name for head in book.heads)]
    table = csv.DictWriter(out, [*columns, CHOSEN, *empty], restval="", lineterminator="\r\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def labelling_screen(book: Codebook, with_target: bool = False) -> str:
    """The codebook as a labelling config for Label Studio.

    Args:
        book: The codebook. Each head becomes a control of its name; results hold label ids.
        with_target: Whether the target is shown.

    Returns:
        XML, to be pasted under Settings, Labeling Interface, Code.
    """
    view = ElementTree.Element("View")
    _text(view, "Sentence before", "previous")
    _text(view, "Sentence to be coded", "text")
    if with_target:
        _text(view, "Target", "target")
    for variable in book.variables:
        _header(view, variable.name, "4")
        if variable.definition:
            _header(view, variable.definition)
        for head in book.heads:
            if head.variable == variable.id:
                _control(view, variable, head, book)
        _help(view, variable)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _header(view: ElementTree.Element, text: str, size: str = _SMALL) -> None:
    ElementTree.SubElement(view, "Header", value=text, size=size)


def _text(view: ElementTree.Element, header: str, name: str) -> None:
    _header(view, header)
    ElementTree.SubElement(view, "Text", name=name, value=f"${name}")


def _control(view: ElementTree.Element, variable: Variable, head: Head, book: Codebook) -> None:
    if variable.per is not None and head.condition is not None:
        parent = book.variable(variable.per)
        condition = next(label for label in parent.labels if label.id == head.condition)
        shown = _shown(condition, parent)
        view = ElementTree.SubElement(
            view,
            "View",
            visibleWhen="choice-selected",
            whenTagName=parent.id,
            # Its alias, too: commas in a name would divide it.
            whenChoiceValue=condition.id,
        )
        _header(view, f"{shown}: {condition.proposition}" if condition.proposition else shown)
    several = head.kind == "multi_label"
    choices = ElementTree.SubElement(
        view,
        "Choices",
        name=head.name,
        toName="text",
        choice="multiple" if several else "single-radio",
        required="false" if several else "true",
    )
    for label in variable.labels:
        choice = ElementTree.SubElement(choices, "Choice", value=_shown(label, variable))
        choice.set("alias", label.id)
        if label.definition:
            choice.set("hint", label.definition)


def _shown(label: Label, variable: Variable) -> str:
    """What coders see of a label: its name, with its id where others have the same."""
    same = sum(other.name == label.name for other in variable.labels)
    return label.name if same == 1 else f"{label.name} ({label.id})"


def _help(view: ElementTree.Element, variable: Variable) -> None:
    """Definitions and rules, folded."""
    lines = list(_lines(variable))
    if not lines:
        return
    panel = ElementTree.SubElement(ElementTree.SubElement(view, "Collapse"), "Panel")
    panel.set("value", f"{variable.name}: definitions and rules")
    inner = ElementTree.SubElement(panel, "View")
    for line in lines:
        _header(inner, line)


def _lines(variable: Variable) -> Iterator[str]:
    for label in variable.labels:
        if label.definition:
            yield f"{label.name}: {label.definition}"
        yield from (f"+ {text}" for text in label.include)
        yield from (f"- {text}" for text in label.exclude)
    yield from variable.rules
