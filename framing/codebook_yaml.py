"""Codebooks from YAML: every mistake is told, each with its line."""

from __future__ import annotations

import re

import yaml

from framing.codebook import KINDS, RESERVED, Codebook, Kind, Label, Variable
from framing.errors import CodebookError, all_problems, unknown_name

#: Ids that stand where labels do in scores -> what they mean there.
_RESERVED_LABELS = {
    "macro": "the mean over the labels",
    "micro": "all labels pooled",
    "pairs": "pairs of a label and its value",
}
#: The variable under which figures over all of them stand.
_ALL_VARIABLES = "all"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")
#: Characters of what stands in a wrong place that a message shows.
_SHOWN = 60
_ROOT_KEYS = ("name", "version", "language", "title", "description", "variables")
_VARIABLE_KEYS = ("id", "name", "kind", "per", "definition", "rules", "labels")
_LABEL_KEYS = ("id", "name", "definition", "proposition", "include", "exclude", "keywords")


def read_codebook(text: str, where: str) -> Codebook:
    """What `framing.codebook.parse_codebook` does, which takes and raises the same."""
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
    text = str(node.value)
    if len(text) > _SHOWN:
        return f"{text[:_SHOWN]!r} and more"
    return repr(text) if text else "nothing"
