"""Which column holds what: `ColumnMapping`, as it stands in a run config under `columns`."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from framing.codebook import Codebook, Variable
from framing.errors import ConfigError, DataError, all_problems, unknown_name

#: Metadata that have a word of their own; other columns are kept under their own names.
METADATA = ("source", "date", "speaker", "title", "genre")
_FIELDS = ("id", "text", "doc_id", "position", "previous", "target", *METADATA, "coder")
_HOW = ("column", "columns", "coders", "counts")


def as_text(value: Any) -> str:
    """A cell as text.

    Whole floats lose their ``.0``, since data frames write whole numbers so beside empty cells;
    None is "". Bytes are text in UTF-8.

    Raises:
        DataError: They are not, or the cell is nested too deeply; without the place.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _decoded(value)
    if getattr(value, "ndim", 0):
        # An array, which compares cell by cell.
        value = value.tolist()
    if isinstance(value, (list, dict)):
        return _as_json(value)
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    date = isinstance(value, (datetime.date, datetime.time))
    return value.isoformat() if date else str(value)


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_json_cell)
    except RecursionError:
        raise DataError("expected lists and objects of few levels, found too many") from None


def _json_cell(value: Any) -> str:
    return _decoded(value) if isinstance(value, bytes) else str(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"expected text in UTF-8, found byte 0x{value[error.start]:02x} at offset {error.start}"
        ) from None


@dataclass(frozen=True)
class VariableColumns:
    """Where the values of one variable stand. Exactly one of the first four is given.

    Attributes:
        column: Column(s) with label ids. multi_label: several in one cell, divided by
            `separator`; an empty cell means "coded, none present". single_label: one; an empty
            cell means "not coded". Several columns are read as if they were one cell.
        columns: multi_label: label -> column with 0 or 1, without `values`. `per` variable: label
            of the variable it depends on -> column with the label given there.
        coders: Coder -> column; each column holds what `column` would hold.
        counts: single_label: label -> column with the number of coders who gave it. Each row
            becomes so many annotations, by the coders "1", "2" and so on.
        separator: Between the labels of a multi_label cell.
        values: Value in the file -> label id, or "" for "no label". Label ids need no entry.
        missing: Values that mean "not coded".
    """

    column: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    coders: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, str] = field(default_factory=dict)
    separator: str = ";"
    values: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns named here."""
        mappings = (self.columns, self.coders, self.counts)
        return (*self.column, *(name for mapping in mappings for name in mapping.values()))


@dataclass(frozen=True)
class ColumnMapping:
    """Which column of a file holds what. Anything not given is looked for under its own name.

    Attributes:
        id: Sentence id. Without such a column: file name and row number.
        text: The sentence; without this entry a column ``text``, else ``sentence``.
        doc_id: Document id; see `missing_doc_id`.
        position: Zero-based place in the document. Without such a column: order of the rows.
        previous: The sentence before. Without such a column it is filled from the same document.
        target: What a stance is towards.
        source: Such as the outlet; kept as metadata, as are the next four.
        date: Of publication.
        speaker: Who speaks.
        title: Of the document.
        genre: Of the document.
        coder: Who coded the row. Without such a column the labels are taken as gold.
        missing_doc_id: Where no document id is given: each ``sentence`` is a document of its own,
            or the whole ``file`` is one document. None: ``sentence``, but a corpus in which only
            some sentences have an id is not divided, since nobody said that this is meant.
        ignore: Columns that are not read; all others are kept as metadata.
        variables: Variable id -> where its values stand. Without an entry: a column of that name,
            or columns ``variable.label``.
    """

    id: str | None = None
    text: str | None = None
    doc_id: str | None = None
    position: str | None = None
    previous: str | None = None
    target: str | None = None
    source: str | None = None
    date: str | None = None
    speaker: str | None = None
    title: str | None = None
    genre: str | None = None
    coder: str | None = None
    missing_doc_id: Literal["sentence", "file"] | None = None
    ignore: tuple[str, ...] = ()
    variables: Mapping[str, VariableColumns] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ColumnMapping:
        """Build a mapping from plain values, such as a section of a YAML file.

        Args:
            value: Field -> value. A variable's entry may be just a column name or a list of them.

        Raises:
            ConfigError: With all mistakes.
        """
        builder = _Builder()
        mapping = builder.mapping(value)
        if builder.problems:
            raise ConfigError(all_problems("columns: mistakes", builder.problems))
        return mapping

    def named(self) -> dict[str, str]:
        """Field -> column, for the fields that were given a column."""
        return {name: column for name in _FIELDS if (column := getattr(self, name)) is not None}

    def check_variables(self, book: Codebook) -> None:
        """Check the variables' entries against a codebook.

        Raises:
            ConfigError: With all mistakes.
        """
        problems: list[str] = []
        known = [v.id for v in book.variables]
        for name, spec in self.variables.items():
            if name in known:
                problems += _misfits(book.variable(name), spec, book)
            else:
                problems.append(unknown_name("variable", name, known))
        if problems:
            raise ConfigError(all_problems("columns.variables: mistakes", problems))


def read_column_fields(path: Path) -> dict[str, Any]:
    """The plain values of a mapping that stands in a file of its own.

    Args:
        path: YAML; a section cut out of a run config may still have its key `columns`.

    Returns:
        Field -> value, for `ColumnMapping.from_dict`.

    Raises:
        ConfigError: The file cannot be read or holds no mapping.
    """
    # Here, since most labelling needs no mapping.
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot read the column mapping: {error}") from None
    if isinstance(value, dict):
        value = value.get("columns", value)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected `field: column` lines, found {value!r}")
    return value


def _misfits(variable: Variable, spec: VariableColumns, book: Codebook) -> list[str]:
    where, found = f"{variable.id}", []
    per = None if variable.per is None else book.variable(variable.per)
    if spec.columns and variable.kind == "single_label" and per is None:
        found.append(
            f"{where}: `columns` is for multi_label and `per` variables; name the column that "
            "holds the label under `column`"
        )
    if spec.columns and variable.kind == "multi_label" and spec.values:
        found.append(
            f"{where}: `values` has no effect beside `columns`, whose cells say 1 or 0 (or yes or "
            "no, true or false, ja or nein, wahr or falsch); leave it out, or recode the cells"
        )
    if spec.counts and (variable.kind == "multi_label" or per is not None):
        found.append(f"{where}: `counts` is for single_label variables without `per`")
    if spec.coders and per is not None:
        found.append(f"{where}: `coders` cannot hold a `per` variable; use one row a coder")
    conditions = variable.label_ids if per is None else per.label_ids
    found += _unknown(f"{where}.columns", spec.columns, conditions)
    found += _unknown(f"{where}.counts", spec.counts, variable.label_ids)
    labels = [label for label in spec.values.values() if label]
    return found + _unknown(f"{where}.values", labels, variable.label_ids)


def _unknown(where: str, names: Any, known: tuple[str, ...]) -> list[str]:
    return [f"{where}: {unknown_name('label', n, known)}" for n in names if n not in known]


class _Builder:
    """Turns plain values into a mapping and collects every problem."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def mapping(self, value: Mapping[str, Any]) -> ColumnMapping:
        known = [f.name for f in dataclasses.fields(ColumnMapping)]
        fields: dict[str, Any] = {}
        for key, item in value.items():
            if key not in known:
                self.problems.append(unknown_name("key", str(key), known))
            elif key == "variables":
                fields[key] = self.variables(item)
            elif key == "ignore":
                fields[key] = self.texts(item, key)
            elif item is not None:
                fields[key] = self.text(item, key)
        choice = fields.get("missing_doc_id", "sentence")
        if choice not in ("sentence", "file"):
            self.problems.append(f"missing_doc_id: expected sentence or file, found {choice!r}")
        return ColumnMapping(**fields)

    def variables(self, value: Any) -> dict[str, VariableColumns]:
        entries = self.entries(value, "variables")
        return {name: self.variable(item, f"variables.{name}") for name, item in entries.items()}

    def variable(self, value: Any, where: str) -> VariableColumns:
        if not isinstance(value, Mapping):
            value = {"column": value}
        known = [f.name for f in dataclasses.fields(VariableColumns)]
        fields: dict[str, Any] = {}
        for key, item in value.items():
            here = f"{where}.{key}"
            if key not in known:
                self.problems.append(f"{where}: {unknown_name('key', str(key), known)}")
            elif key in ("column", "missing"):
                fields[key] = self.texts(item, here)
            elif key == "separator":
                fields[key] = self.text(item, here)
            elif key == "coders" and isinstance(item, list):
                fields[key] = {name: name for name in self.texts(item, here)}
            else:
                fields[key] = self.pairs(item, here)
        if sum(bool(fields.get(how)) for how in _HOW) != 1:
            self.problems.append(f"{where}: expected exactly one of {', '.join(_HOW)}")
        if fields.get("separator") == "":
            self.problems.append(f"{where}.separator: expected at least one character")
        return VariableColumns(**fields)

    def pairs(self, value: Any, where: str) -> dict[str, str]:
        entries = self.entries(value, where)
        return {key: self.text(item, f"{where}.{key}") for key, item in entries.items()}

    def entries(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            self.problems.append(f"{where}: expected `name: value` entries, found {value!r}")
            return {}
        return {as_text(key): item for key, item in value.items()}

    def texts(self, value: Any, where: str) -> tuple[str, ...]:
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(self.text(item, where) for item in items)

    def text(self, value: Any, where: str) -> str:
        if isinstance(value, (list, tuple, Mapping)):
            self.problems.append(f"{where}: expected text, found {value!r}")
            return ""
        return as_text(value)
