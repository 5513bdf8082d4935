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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from framing.errors import CodebookError, all_problems, unknown_name

Kind = Literal["multi_label", "single_label"]
KINDS: tuple[Kind, ...] = ("multi_label", "single_label")
#: Names of columns that stand beside the variables in tables.
RESERVED = frozenset(
    (
        *("id", "doc_id", "position", "previous", "text", "sentence", "target", "span"),
        *("start", "end", "coder", "bundle", "p", "metadata"),
    )
)
#: Ids that stand where labels do in scores -> what they mean there.
_RESERVED_LABELS = {
    "macro": "the mean over the labels",
    "micro": "all labels pooled",
    "pairs": "pairs of a label and its value",
}
#: The variable under which figures over all of them stand.
_ALL_VARIABLES = "all"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")


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
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise CodebookError(f"{where}{line}: not valid YAML: {problem}") from None
    checker = _Checker(where)
    codebook = checker.codebook(root)
    if checker.problems:
        problems = [text for _, text in sorted(checker.problems, key=lambda p: p[0])]
        raise CodebookError(all_problems(f"{where}: the codebook has mistakes", problems))
    return codebook


_ROOT_KEYS = ("name", "version", "language", "title", "description", "variables")
_VARIABLE_KEYS = ("id", "name", "kind", "per", "definition", "rules", "labels")
_LABEL_KEYS = ("id", "name", "definition", "proposition", "include", "exclude", "keywords")


class _Checker:
    """Turns YAML nodes into a codebook and collects every problem with its line."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[tuple[int, str]] = []

    def problem(self, node: yaml.Node | None, text: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.problems.append((line, f"line {line}: {text}"))

    def codebook(self, root: yaml.Node | None) -> Codebook:
        fields = self.mapping(root, "a codebook", _ROOT_KEYS, required=("name", "variables"))
        nodes = self.sequence(fields.get("variables"), "variables")
        if root is not None and "variables" in fields and not nodes:
            self.problem(fields["variables"], "expected at least one variable, found none")
        pairs = [(node, self.variable(node)) for node in nodes]
        self.unique("variable", [(node, variable.id) for node, variable in pairs])
        self.check_per(pairs)
        return Codebook(
            name=self.identifier(fields.get("name"), "the codebook's name", spelt="title"),
            version=self.whole_number(fields.get("version"), "version"),
            language=self.text(fields.get("language")) or "en",
            title=self.text(fields.get("title")),
            description=self.text(fields.get("description")),
            variables=tuple(variable for _, variable in pairs),
        )

    def variable(self, node: yaml.Node) -> Variable:
        fields = self.mapping(node, "a variable", _VARIABLE_KEYS, ("id", "kind", "labels"))
        variable_id = self.identifier(fields.get("id"), "a variable's id")
        if variable_id in RESERVED:
            self.problem(
                fields["id"],
                f"a variable cannot be named {variable_id!r}, which is a column of its own in "
                "tables; choose another id",
            )
        if variable_id == _ALL_VARIABLES:
            self.reserved(fields["id"], "variable", variable_id, "all variables together")
        nodes = self.sequence(fields.get("labels"), "labels")
        labels = [(child, self.label(child)) for child in nodes]
        self.unique("label", [(child, label.id) for child, label in labels])
        kind = self.kind(fields.get("kind"))
        least = 2 if kind == "single_label" else 1
        if "labels" in fields and len(nodes) < least:
            self.problem(
                fields["labels"],
                f"a {kind} variable needs at least {least} label(s), found {len(nodes)}",
            )
        return Variable(
            id=variable_id,
            name=self.text(fields.get("name")) or variable_id,
            kind=kind,
            labels=tuple(label for _, label in labels),
            per=self.text(fields.get("per")) or None,
            definition=self.text(fields.get("definition")),
            rules=self.texts(fields.get("rules"), "rules"),
        )

    def label(self, node: yaml.Node) -> Label:
        fields = self.mapping(node, "a label", _LABEL_KEYS, required=("id",))
        label_id = self.identifier(fields.get("id"), "a label's id")
        if label_id in _RESERVED_LABELS:
            self.reserved(fields["id"], "label", label_id, _RESERVED_LABELS[label_id])
        return Label(
            id=label_id,
            name=self.text(fields.get("name")) or label_id,
            definition=self.text(fields.get("definition")),
            proposition=self.text(fields.get("proposition")),
            include=self.texts(fields.get("include"), "include"),
            exclude=self.texts(fields.get("exclude"), "exclude"),
            keywords=self.texts(fields.get("keywords"), "keywords"),
        )

    def reserved(self, node: yaml.Node, what: str, name: str, meaning: str) -> None:
        self.problem(
            node,
            f"a {what} cannot have the id {name!r}, which stands for {meaning} in scores; choose "
            "another id and put the word under `name`",
        )

    def check_per(self, pairs: list[tuple[yaml.Node, Variable]]) -> None:
        kinds = {variable.id: variable.kind for _, variable in pairs}
        for node, variable in pairs:
            if variable.per is None:
                continue
            if variable.kind != "single_label":
                self.problem(node, f"{variable.id!r} has `per`, so it must be single_label")
            if variable.per not in kinds:
                message = unknown_name("variable", variable.per, kinds)
                self.problem(node, f"`per` of {variable.id!r}: {message}")
            elif kinds[variable.per] != "multi_label":
                self.problem(
                    node,
                    f"`per` of {variable.id!r} must name a multi_label variable, "
                    f"{variable.per!r} is {kinds[variable.per]}",
                )

    def mapping(
        self,
        node: yaml.Node | None,
        what: str,
        known: tuple[str, ...],
        required: tuple[str, ...] = (),
    ) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"expected {what} as `key: value` lines, found {_describe(node)}")
            return {}
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in fields:
                self.problem(key, f"key {name!r} stands twice in {what}")
            elif name not in known:
                self.problem(key, f"in {what}: {unknown_name('key', name, known)}")
            fields[name] = value
        for name in required:
            if name not in fields:
                self.problem(node, f"{what} needs the key {name!r}")
        return fields

    def sequence(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"expected a list of {what}, found {_describe(node)}")
            return []
        return list(node.value)

    def texts(self, node: yaml.Node | None, what: str) -> tuple[str, ...]:
        return tuple(self.text(child) for child in self.sequence(node, what))

    def text(self, node: yaml.Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.problem(node, f"expected text, found {_describe(node)}")
            return ""
        return " ".join(str(node.value).split())

    def identifier(self, node: yaml.Node | None, what: str, spelt: str = "name") -> str:
        name = self.text(node)
        if node is not None and not _IDENTIFIER.match(name):
            self.problem(
                node,
                f"{what} must be lower-case letters from a to z, digits and '_', starting with a "
                f"letter; found {name!r}. Put the spelling that people read under `{spelt}`",
            )
        return name

    def whole_number(self, node: yaml.Node | None, what: str) -> int:
        text = self.text(node) or "1"
        if not text.isdigit():
            self.problem(node, f"{what} must be a whole number, found {text!r}")
            return 1
        return int(text)

    def kind(self, node: yaml.Node | None) -> Kind:
        text = self.text(node)
        for kind in KINDS:
            if text == kind:
                return kind
        if node is not None:
            self.problem(node, unknown_name("kind", text, KINDS))
        return "single_label"

    def unique(self, what: str, ids: list[tuple[yaml.Node, str]]) -> None:
        seen: dict[str, int] = {}
        for node, name in ids:
            if name and name in seen:
                self.problem(node, f"{what} id {name!r} stands on line {seen[name]} already")
            seen.setdefault(name, node.start_mark.line + 1)


def _describe(node: yaml.Node | None) -> str:
    if node is None:
        return "an empty file"
    if isinstance(node, yaml.MappingNode):
        return "`key: value` lines"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return repr(str(node.value)) if node.value else "nothing"
