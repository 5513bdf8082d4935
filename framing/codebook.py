"""The codebook: the only source of label names, their order and the model's logit slices.

A codebook is a YAML file (see docs/codebook.md for its form)::

    name: my_study
    version: 1
    variables:
      - id: frames
        kind: multi_label
        labels:
          - {id: economy, definition: ..., keywords: [price*, inflation]}
      - id: stance
        kind: single_label
        per: frames
        labels: [...]
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from framing.errors import CodebookError, unknown_name

Kind = Literal["multi_label", "single_label"]
KINDS: tuple[Kind, ...] = ("multi_label", "single_label")
#: Names of columns that stand beside the variables in tables.
RESERVED = frozenset(
    (
        *("id", "doc_id", "position", "previous", "text", "sentence", "target", "span"),
        *("start", "end", "coder", "bundle", "p", "metadata"),
    )
)


@dataclass(frozen=True, slots=True)
class Label:
    """One value of a variable.

    Attributes:
        id: Lower-case identifier used in files.
        name: For people.
        definition: When the label applies.
        proposition: The statement towards which a stance is coded, or "".
        include: Cases that count.
        exclude: Cases that do not.
        keywords: Phrases that hint at the label; ``*`` stands for the rest of a word.
    """

    id: str
    name: str
    definition: str = ""
    proposition: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing coded.

    Attributes:
        id: Lower-case identifier.
        name: For people.
        kind: ``multi_label`` (any number of labels) or ``single_label`` (exactly one).
        labels: In the codebook's order.
        per: Id of the multi_label variable for each of whose present labels this one is coded
            once, or None.
        definition: What is coded.
        rules: Decisions for hard cases.
    """

    id: str
    name: str
    kind: Kind
    labels: tuple[Label, ...]
    per: str | None = None
    definition: str = ""
    rules: tuple[str, ...] = ()

    @property
    def label_ids(self) -> tuple[str, ...]:
        """Ids of the labels, in order."""
        return tuple(label.id for label in self.labels)


@dataclass(frozen=True, slots=True)
class Head:
    """A group of logits decided together.

    Attributes:
        name: ``variable`` or ``variable.condition``.
        variable: Id of the variable it belongs to.
        condition: The label of the `per` variable that must be present, or None.
        kind: ``multi_label``: one sigmoid a label; ``single_label``: one softmax.
        labels: Label ids, in order.
        start: First logit.
        stop: One past the last logit.
    """

    name: str
    variable: str
    condition: str | None
    kind: Kind
    labels: tuple[str, ...]
    start: int
    stop: int

    @property
    def slice(self) -> slice:
        """The head's logits."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Codebook:
    """All variables of a study.

    Attributes:
        name: Identifier of the study.
        version: Whole number, raised when a definition changes.
        variables: In the file's order.
        language: ISO 639-1 code of the texts, also with a region: en, en-GB, de.
        title: For people.
        description: For people.
    """

    name: str
    version: int
    variables: tuple[Variable, ...]
    language: str = "en"
    title: str = ""
    description: str = ""

    @property
    def is_english(self) -> bool:
        """Whether the texts are in English, of whatever region."""
        return re.split("[-_]", self.language.lower())[0] in ("en", "eng", "english")

    def variable(self, variable_id: str) -> Variable:
        """The variable of that id.

        Raises:
            CodebookError: The codebook has no such variable.
        """
        for variable in self.variables:
            if variable.id == variable_id:
                return variable
        raise CodebookError(unknown_name("variable", variable_id, (v.id for v in self.variables)))

    @functools.cached_property
    def heads(self) -> tuple[Head, ...]:
        """Heads in logit order: by variable, then by the label depended on."""
        return tuple(self._heads())

    def _heads(self) -> Iterator[Head]:
        start = 0
        for variable in self.variables:
            conditions: tuple[str | None, ...] = (None,)
            if variable.per is not None:
                conditions = self.variable(variable.per).label_ids
            for condition in conditions:
                name = variable.id if condition is None else f"{variable.id}.{condition}"
                stop = start + len(variable.labels)
                labels = variable.label_ids
                yield Head(name, variable.id, condition, variable.kind, labels, start, stop)
                start = stop

    def head(self, name: str) -> Head:
        """The head of that name.

        Raises:
            CodebookError: The codebook has no such head.
        """
        for head in self.heads:
            if head.name == name:
                return head
        raise CodebookError(unknown_name("head", name, (h.name for h in self.heads)))

    def dependents(self, variable_id: str) -> tuple[Variable, ...]:
        """The variables that are coded once per present label of this one."""
        return tuple(v for v in self.variables if v.per == variable_id)

    @functools.cached_property
    def multi_label_logits(self) -> list[int]:
        """The logits of all multi_label heads, one a label."""
        heads = (head for head in self.heads if head.kind == "multi_label")
        return [k for head in heads for k in range(head.start, head.stop)]

    @property
    def outline(self) -> dict[str, tuple[Kind, tuple[str, ...]]]:
        """What must be alike for answers to be compared: head -> its kind and labels."""
        return {head.name: (head.kind, head.labels) for head in self.heads}

    @property
    def told_outline(self) -> str:
        """The outline for people."""
        parts = (f"{n} ({kind}): {', '.join(labels)}" for n, (kind, labels) in self.outline.items())
        return "; ".join(parts)

    @property
    def n_logits(self) -> int:
        """Number of logits a model for this codebook has."""
        return self.heads[-1].stop

    def to_dict(self) -> dict[str, Any]:
        """The codebook in the form of its file; empty fields are left out."""
        return {
            "name": self.name,
            "version": self.version,
            "language": self.language,
            "title": self.title,
            "description": self.description,
            "variables": [_variable_dict(v) for v in self.variables],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Codebook:
        """The codebook that gave these values by `to_dict`.

        Args:
            values: Not checked as those of a file are.

        Raises:
            KeyError: A key is missing.
            TypeError: There is another key, or a value is of another type.
        """
        variables = tuple(_variable(fields) for fields in values["variables"])
        return cls(**{**values, "variables": variables})

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of the content, independent of the file's layout and comments."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _variable_dict(variable: Variable) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": variable.id,
        "name": variable.name,
        "kind": variable.kind,
        "per": variable.per,
        "definition": variable.definition,
        "rules": list(variable.rules),
        "labels": [_label_dict(label) for label in variable.labels],
    }
    return {key: value for key, value in fields.items() if value}


def _label_dict(label: Label) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": label.id,
        "name": label.name,
        "definition": label.definition,
        "proposition": label.proposition,
        "include": list(label.include),
        "exclude": list(label.exclude),
        "keywords": list(label.keywords),
    }
    return {key: value for key, value in fields.items() if value}


def _variable(fields: Mapping[str, Any]) -> Variable:
    labels = tuple(_label(label) for label in fields["labels"])
    return Variable(**{**fields, "rules": tuple(fields.get("rules", ())), "labels": labels})


def _label(fields: Mapping[str, Any]) -> Label:
    lists = {key: tuple(fields.get(key, ())) for key in ("include", "exclude", "keywords")}
    return Label(**{**fields, **lists})


def load_codebook(path: Path | str) -> Codebook:
    """Read and check a codebook.

    Args:
        path: A YAML file.

    Returns:
        The codebook.

    Raises:
        CodebookError: The file is missing or has mistakes; the message lists all of them, each
            with its line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CodebookError(f"{path}: no such codebook file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise CodebookError(f"{path}: cannot read the codebook: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CodebookError(
            f"{path}: expected UTF-8, found byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start}; save the file as UTF-8"
        ) from None
    return parse_codebook(text, str(path))


def parse_codebook(text: str, where: str = "codebook") -> Codebook:
    """Check the text of a codebook and build it.

    Args:
        text: YAML.
        where: File name for messages.

    Returns:
        The codebook.

    Raises:
        CodebookError: With every mistake found, each with its line.
    """
    # A bundle keeps its codebook as JSON, so that labelling goes without YAML.
    from framing.codebook_yaml import read_codebook

    return read_codebook(text, where)
