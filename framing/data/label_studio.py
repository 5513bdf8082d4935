"""Rows of JSON arrays: lists of plain objects, and what Label Studio exports as "JSON".

An export holds tasks; every annotation of a task becomes a row with the task's data, the coder,
and a column for each control of the labelling screen, named as that (``from_name``). The format is
described at https://labelstud.io/guide/task_format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from framing.data.compression import DAMAGED, Meter, damage, open_bytes
from framing.data.problems import BadRow, Place
from framing.data.tables import Row, Source, source_name
from framing.errors import DataError
from framing.records import ADJUDICATOR

#: Controls whose results are labels.
_LABELS = ("choices", "labels", "taxonomy")
#: Controls whose results are kept as they are.
_VALUES = ("number", "rating", "textarea", "datetime")
_EXPORT = 'in Label Studio choose Export, then "JSON" (not JSON-MIN)'

Object = Mapping[str, Any]


def json_rows(source: Source, meter: Meter | None) -> Iterator[Row | BadRow]:
    """Read a file that holds one JSON array; it is read whole.

    Args:
        source: The file.
        meter: Follows how many bytes were read.

    Yields:
        A row for each object, or for each annotation of a Label Studio task. Tasks that nobody
        coded, or everybody skipped, give a row without coder and values. An annotation marked as
        ground truth gives a further row by the adjudicator.

    Raises:
        DataError: The file holds anything else.
    """
    name = source_name(source)
    items = _array(source, meter, name)
    exported = any(isinstance(item, dict) and _is_task(item) for item in items)
    controls = _label_controls(items) if exported else {}
    for number, item in enumerate(items, start=1):
        place = Place(name, number)
        try:
            rows = _task_rows(item, controls) if exported else [_object(item)]
        except DataError as error:
            yield BadRow(place, str(error), json.dumps(item, ensure_ascii=False))
            continue
        for row in rows:
            yield Row(row, place, False)


def _array(source: Source, meter: Meter | None, name: str) -> list[Any]:
    try:
        # Only files have the ending that leads here.
        with open_bytes(source, meter) as file:  # type: ignore[arg-type]
            text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: expected UTF-8, found byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start}"
        ) from None
    except DAMAGED as error:
        raise damage(name, error) from None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        lines = " If every line is an object, name the file .jsonl" if error.msg in _MORE else ""
        raise DataError(
            f"{name}:{error.lineno}: not JSON: {error.msg} at character {error.colno}.{lines}"
        ) from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{name}: not usable JSON: {error}") from None
    if not isinstance(value, list):
        raise DataError(
            f"{name}: expected an array of objects, found {type(value).__name__}; {_EXPORT}, or "
            "save the data as .jsonl or .csv"
        )
    return value


#: What the parser says behind the first of several lines with an object each.
_MORE = ("Extra data",)


def _is_task(item: Object) -> bool:
    """Tasks that were never imported have no annotations."""
    found = item.get("annotations", [])
    return isinstance(item.get("data"), dict) and isinstance(found, list)


def _object(item: Any) -> Object:
    if not isinstance(item, dict):
        raise DataError(f'expected an object such as {{"text": ...}}, found {type(item).__name__}')
    if "annotator" in item and "annotation_id" in item:
        raise DataError(f"this is a short export, which lacks what was left empty; {_EXPORT}")
    return item


def _label_controls(items: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """Names of all controls that gave labels in any annotation, without any label.

    Label Studio writes nothing of a control in which nothing was chosen.
    """
    found: dict[str, tuple[str, ...]] = {}
    for item in items:
        if isinstance(item, dict) and _is_task(item):
            results = (r for a in item.get("annotations", []) for r in _results(a))
            found |= {str(r.get("from_name")): () for r in results if r.get("type") in _LABELS}
    return found


def _results(annotation: Any) -> list[Object]:
    """What was entered; of broken annotations nothing."""
    found = annotation.get("result") if isinstance(annotation, dict) else None
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def _task_rows(item: Any, controls: Mapping[str, tuple[str, ...]]) -> list[Object]:
    if not isinstance(item, dict) or not _is_task(item):
        raise DataError(f"expected a task with an object `data`; {_EXPORT}")
    data = {**item["data"]}
    data.setdefault("id", item.get("id"))
    rows: list[Object] = []
    for annotation in item.get("annotations", []):
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            raise DataError(f"annotation: expected an object with a list `result`; {_EXPORT}")
        if annotation.get("was_cancelled"):
            continue
        values = {name: list(labels) for name, labels in controls.items()}
        values |= _values(_results(annotation))
        coder = _coder(annotation.get("completed_by"))
        rows.append({**data, **values, "coder": coder})
        if annotation.get("ground_truth"):
            rows.append({**data, **values, "coder": ADJUDICATOR})
    return rows or [data]


def _values(results: Sequence[Object]) -> dict[str, Any]:
    """Control -> labels (those of several regions together) or what else was entered."""
    found: dict[str, Any] = {}
    for result in results:
        kind, name = str(result.get("type")), str(result.get("from_name"))
        value = result.get("value")
        if kind == "relation":
            continue
        if kind not in (*_LABELS, *_VALUES) or not isinstance(value, dict) or kind not in value:
            raise DataError(
                f"control {name!r}: expected results of {', '.join((*_LABELS, *_VALUES))}, found "
                f"{kind!r}"
            )
        if kind in _LABELS:
            found.setdefault(name, []).extend(map(_last, value[kind]))
        else:
            entered = value[kind]
            found[name] = " ".join(entered) if isinstance(entered, list) else entered
    return found


def _last(label: Any) -> Any:
    """The label itself; of a taxonomy the innermost of its levels."""
    return label[-1] if isinstance(label, list) and label else label


def _coder(completed_by: Any) -> str:
    """Exports name users by number, snapshots by an object."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    if completed_by is None:
        raise DataError("annotation: expected who completed it (`completed_by`), found nothing")
    return str(completed_by)
