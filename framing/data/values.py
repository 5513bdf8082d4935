"""From the cells of a row to the values of annotations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from framing.codebook import Codebook, Variable
from framing.data.columns import ColumnMapping, VariableColumns, as_text
from framing.errors import DataError, unknown_name

Cells = Mapping[str, Any]
Heads = dict[str, tuple[str, ...]]
#: Of a whole number: more would not fit into 64 bits.
_MOST_DIGITS = 18
_YES = ("1", "1.0", "true", "yes", "y", "x", "wahr", "ja")
_NO = ("0", "0.0", "false", "no", "n", "falsch", "nein", "")


@dataclass(frozen=True)
class VariableReader:
    """Reads the values of one variable from rows.

    Attributes:
        book: The codebook.
        variable: The variable.
        spec: Where its values stand.
    """

    book: Codebook
    variable: Variable
    spec: VariableColumns

    def read(self, cells: Cells) -> Iterator[tuple[str, Heads]]:
        """The values in one row.

        Args:
            cells: Column -> value.

        Yields:
            Coder, or "" for the coder of the row, with his values: head -> labels. Nothing
            where the variable was not coded.

        Raises:
            DataError: A cell holds what the codebook does not know; without the place.
        """
        spec = self.spec
        if spec.counts:
            yield from self._expanded(cells)
            return
        for coder, heads in self._by_coder(cells):
            if heads:
                yield coder, heads

    def _by_coder(self, cells: Cells) -> Iterator[tuple[str, Heads]]:
        spec = self.spec
        if spec.coders:
            for coder, column in spec.coders.items():
                yield coder, self._cell(cells.get(column), column)
        elif not spec.columns:
            yield "", self._joined(cells)
        elif self.variable.per is None:
            yield "", self._flags(cells)
        else:
            yield "", self._per_columns(cells)

    def _expanded(self, cells: Cells) -> Iterator[tuple[str, Heads]]:
        """One annotation for each coder counted, so that the distribution is kept."""
        coder = 0
        for label in self.variable.label_ids:
            column = self.spec.counts.get(label)
            for _ in range(0 if column is None else whole_number(cells.get(column), column)):
                coder += 1
                yield str(coder), {self.variable.id: (label,)}

    def _joined(self, cells: Cells) -> Heads:
        columns = self.spec.column
        if len(columns) == 1:
            return self._cell(cells.get(columns[0]), columns[0])
        found = [self._cell(cells.get(column), column) for column in columns]
        coded = [heads[self.variable.id] for heads in found if self.variable.id in heads]
        if not coded:
            return {}
        return {self.variable.id: self._ordered(label for labels in coded for label in labels)}

    def _cell(self, cell: Any, column: str) -> Heads:
        if cell is None or (not isinstance(cell, (list, dict)) and self._missing(cell)):
            return {}
        try:
            if isinstance(cell, dict):
                return self._dictionary(cell)
            if self.variable.kind == "multi_label":
                return {self.variable.id: self._several(cell)}
            if as_text(cell).strip() == "":
                return {}
            return self._one(cell, self.variable.id)
        except DataError as error:
            raise DataError(f"column {column!r}: {error}") from None

    def _missing(self, cell: Any) -> bool:
        return as_text(cell).strip() in self.spec.missing

    def _several(self, cell: Any) -> tuple[str, ...]:
        items = cell if isinstance(cell, list) else as_text(cell).split(self.spec.separator)
        return self._ordered(self._label(item) for item in items)

    def _one(self, cell: Any, head: str) -> Heads:
        if self.variable.per is not None and head == self.variable.id:
            raise DataError(
                f"{head} is coded once for each label of {self.variable.per}: expected "
                f"an object such as {{{self._condition_example()}}} or columns {head}.LABEL, "
                f"found {as_text(cell)!r}"
            )
        if isinstance(cell, list) and len(cell) < 2:
            # As tools write it that have one form for one label and for several.
            cell = cell[0] if cell else ""
        if isinstance(cell, (list, dict)):
            raise DataError(f"{head}: expected one label, found {as_text(cell)}")
        label = self._label(cell)
        return {head: (label,)} if label else {}

    def _condition_example(self) -> str:
        parent = self.book.variable(self.variable.per or self.variable.id)
        return f'"{parent.label_ids[0]}": "{self.variable.label_ids[0]}"'

    def _dictionary(self, cell: Mapping[str, Any]) -> Heads:
        """`{label: value}`: of a `per` variable, or of a multi_label variable that has one."""
        if self.variable.per is not None:
            parent = self.book.variable(self.variable.per)
            return self._values_per(parent, self, cell)
        if self.variable.kind == "single_label":
            return self._one(cell, self.variable.id)
        dependents = self.book.dependents(self.variable.id)
        if len(dependents) != 1:
            raise DataError(
                f"{self.variable.id}: an object is short for labels with the values of their only "
                f"`per` variable, but it has {len(dependents)}; give a list of labels instead"
            )
        present = {self.variable.id: self._several(list(cell))}
        reader = VariableReader(self.book, dependents[0], VariableColumns())
        return present | self._values_per(self.variable, reader, cell)

    def _values_per(
        self, parent: Variable, reader: VariableReader, cell: Mapping[str, Any]
    ) -> Heads:
        heads: Heads = {}
        for condition, value in cell.items():
            if condition not in parent.label_ids:
                raise DataError(unknown_name("label", condition, parent.label_ids))
            if value is not None:
                heads |= reader._one(value, f"{reader.variable.id}.{condition}")
        return heads

    def _flags(self, cells: Cells) -> Heads:
        """One column of 0 and 1 for each label."""
        present = []
        for label, column in self.spec.columns.items():
            cell = cells.get(column)
            if cell is None or self._missing(cell):
                return {}
            text = as_text(cell).strip().lower()
            if text not in _YES + _NO:
                raise DataError(
                    f"column {column!r}: expected 0 or 1, found {as_text(cell)!r}; read as 1: "
                    f"{', '.join(_YES)}; as 0: {', '.join(filter(None, _NO))} and nothing; in any "
                    "case of letters"
                )
            if text in _YES:
                present.append(label)
        return {self.variable.id: self._ordered(present)}

    def _per_columns(self, cells: Cells) -> Heads:
        heads: Heads = {}
        for condition, column in self.spec.columns.items():
            cell = cells.get(column)
            if cell is None or self._missing(cell):
                continue
            try:
                heads |= self._one(cell, f"{self.variable.id}.{condition}")
            except DataError as error:
                raise DataError(f"column {column!r}: {error}") from None
        return heads

    def _label(self, cell: Any) -> str:
        raw = as_text(cell).strip()
        label = self.spec.values.get(raw, raw)
        if label and label not in self.variable.label_ids:
            known = dict.fromkeys((*self.variable.label_ids, *self.spec.values))
            raise DataError(f"{self.variable.id}: {unknown_name('label', raw, known)}")
        return label

    def _ordered(self, labels: Iterable[str]) -> tuple[str, ...]:
        found = set(labels)
        return tuple(label for label in self.variable.label_ids if label in found)


def whole_number(cell: Any, column: str) -> int:
    """A count or a position.

    Raises:
        DataError: The cell holds no whole number of at least 0.
    """
    text = as_text(cell).strip().removesuffix(".0")
    if text == "":
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise DataError(f"column {column!r}: expected a whole number, found {as_text(cell)!r}")
    return int(text)


def variable_readers(
    book: Codebook, mapping: ColumnMapping, columns: Collection[str]
) -> tuple[VariableReader, ...]:
    """Find where each variable stands in a file.

    Args:
        book: The codebook.
        mapping: Says where, for some or all variables.
        columns: Columns, or the keys of one JSON line.

    Returns:
        Readers of the variables that were found.

    Raises:
        DataError: A column such as ``frames.x`` names an unknown label, or some labels of a
            variable have a column and others none.
    """
    readers = []
    for variable in book.variables:
        spec = mapping.variables.get(variable.id) or _own_columns(book, variable, columns)
        if spec is not None:
            readers.append(VariableReader(book, variable, spec))
    return tuple(readers)


def _own_columns(
    book: Codebook, variable: Variable, columns: Collection[str]
) -> VariableColumns | None:
    if variable.id in columns:
        return VariableColumns(column=(variable.id,))
    prefix = f"{variable.id}."
    dotted = {name.removeprefix(prefix): name for name in columns if name.startswith(prefix)}
    if not dotted:
        return None
    parent = variable if variable.per is None else book.variable(variable.per)
    for label, name in dotted.items():
        if label not in parent.label_ids:
            raise DataError(f"column {name!r}: {unknown_name('label', label, parent.label_ids)}")
    lacking = [label for label in parent.label_ids if label not in dotted]
    if lacking and variable.per is None:
        raise DataError(
            f"{variable.id}: some labels have a column {prefix}LABEL, these have none: "
            f"{', '.join(lacking)}; add the columns, or say under `columns` where the values stand"
        )
    return VariableColumns(columns=dotted)
