"""The run config: everything that decides a training run, in one YAML file.

Configs are frozen and forbid unknown keys; all problems are reported at once. Paths in a config
are relative to the config file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from framing.encoding import CONTEXT_PARTS
from framing.errors import ConfigError, all_problems, unknown_name

DEFAULT_ENCODER = "default"
#: Encoders of this package: the default one, trained further (`framing/encoders`).
OWN_ENCODERS = ("security_talks", "security_talks_small")
BaselineName = Literal["majority", "metadata", "keywords", "tfidf", "frozen_encoder"]
BASELINES: tuple[BaselineName, ...] = (
    "majority",
    "metadata",
    "keywords",
    "tfidf",
    "frozen_encoder",
)
ContextPart = Literal["target", "title", "previous"]


#: On a loss.
Factor = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class SplitConfig(_Section):
    """How documents are divided into train, dev and test."""

    file: Path | None = None
    """A frozen manifest written by `framing data split`; None makes the splits anew."""
    column: str | None = None
    """A metadata column whose values are train, dev and test."""
    fractions: dict[Literal["train", "dev", "test"], float] = {
        "train": 0.7,
        "dev": 0.1,
        "test": 0.2,
    }
    """Shares of the sentences; must sum to 1."""
    seed: int = 0
    """Of the split; not the training seed."""
    stratify: tuple[str, ...] = ()
    """Metadata fields whose shares should be alike in all splits, such as source."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.file is not None and self.column is not None:
            raise ValueError("give `file` or `column`, not both")
        if abs(sum(self.fractions.values()) - 1) > 1e-6 or min(self.fractions.values()) <= 0:
            raise ValueError("`fractions` must be positive and sum to 1")
        if set(self.fractions) != {"train", "dev", "test"}:
            raise ValueError("`fractions` needs train, dev and test")
        return self


class AddedConfig(_Section):
    """Coded sentences of another file that are trained on too."""

    path: Path
    """A file, or a folder with sentences.* and annotations.*, coded with the same codebook."""
    columns: dict[str, Any] = {}
    """Which column holds what; see docs/data.md."""
    adjudicator: str | None = None
    """The coder whose annotation decides where coders differ; None: that of the corpus."""
    documents: Path | None = None
    """A text file with a document id a line: only these are taken; None: all."""
    weight: float = Field(default=1.0, gt=0)
    """Factor on the loss of these sentences."""


class UnlabelledConfig(_Section):
    """Sentences that nobody coded and a teacher labels."""

    path: Path
    """A file or folder; codes in it are not looked at."""
    columns: dict[str, Any] = {}
    """Which column holds what; see docs/data.md."""
    take: int | None = Field(default=None, ge=1)
    """At most so many sentences, drawn at random; None: all."""
    weight: float = Field(default=1.0, gt=0)
    """Factor on the loss of these sentences."""


class DataConfig(_Section):
    """What a run is trained and scored on."""

    corpus: str | None = None
    """Name of a bundled corpus."""
    benchmark: str | None = None
    """Name of a public benchmark (docs/benchmarks.md); instead of `corpus`."""
    root: Path | None = None
    """The folder with the files of `benchmark`."""
    path: Path | None = None
    """A file, or a folder with sentences.* and annotations.*; instead of `corpus`."""
    codebook: Path | None = None
    """The codebook of `path`."""
    columns: dict[str, Any] = {}
    """Which column holds what; see docs/data.md."""
    adjudicator: str = "adjudicator"
    """The coder whose annotation decides where coders differ."""
    origin: str = ""
    """Where texts and codes come from, for report and card; a bundled corpus says so itself."""
    splits: SplitConfig | None = None
    """How documents are divided; None: the own splits of a bundled corpus or a benchmark, else
    `SplitConfig()`."""
    where: dict[str, tuple[str, ...]] = {}
    """Use only sentences whose metadata field (or target) has one of these values, in all splits.
    """
    hold_out: dict[str, tuple[str, ...]] = {}
    """Test only on sentences whose field has one of these values, and train without any of them."""
    train_where: dict[str, tuple[str, ...]] = {}
    """Train only on sentences whose metadata field has one of these values."""
    train_weights: dict[str, dict[str, Factor]] = {}
    """Metadata field -> value -> factor on the loss of those sentences (1 where not named).

    With 0 nothing is learnt of them. Scores on the development split do not depend on it.
    """
    add: tuple[AddedConfig, ...] = ()
    """Further coded sentences for training alone, such as your own beside a bundled corpus."""
    unlabelled: tuple[UnlabelledConfig, ...] = ()
    """Sentences without codes, such as those to be labelled later: what a teacher says of them is
    learnt; needs `training.teacher`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("corpus", "benchmark", "path") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                "give one of `corpus` (a bundled one), `benchmark` and `path` (your own); found "
                f"{' and '.join(given) or 'none'}"
            )
        if self.path is not None and self.codebook is None:
            raise ValueError("`path` needs a `codebook`")
        if self.path is None and (self.codebook or self.columns):
            raise ValueError(f"a `{given[0]}` brings its codebook and columns; leave them out")
        if self.root is not None and self.benchmark is None:
            raise ValueError("`root` is the folder of a `benchmark`; name one, or leave it out")
        return self


class EncoderConfig(_Section):
    """The pretrained encoder and its input."""

    path: str = DEFAULT_ENCODER
    """"default" (all-MiniLM-L6-v2 from an installed package), "security_talks" (the same, trained
    further on news about that subject), "security_talks_small" (half of that one's layers), a
    folder, or a Hub name.

    A folder of that name beside the config goes before the Hub's model.
    """
    revision: str | None = None
    """Commit of a Hub model."""
    allow_download: bool = False
    """Whether a Hub model may be fetched; otherwise it must be in the local cache."""
    context: tuple[ContextPart, ...] = ("previous",)
    """What goes before the sentence as first segment: any of target, title, previous."""
    context_layers: int | None = Field(default=None, ge=1)
    """Layers that the context passes through: in those above, the sentence's own tokens look at it,
    but are all that is computed, which nearly halves a layer's time. Needs `log_mean_exp`; None: as
    many as the encoder was taught with, or all that matter.
    """
    read_apart: bool = False
    """Whether in these layers sentence and context do not look at each other, so that a sentence
    which stands before another is computed once for both. Half of the layers, where
    `context_layers` does not tell. For BERT with a `context`.
    """
    mark_target: bool = False
    """Mark the target's mention in the sentence where `target_start` and `target_end` tell it."""
    layers: tuple[int, ...] = ()
    """Keep these of the encoder's layers, counted from 0, such as [0, 2, 5]; empty: all."""
    max_length: int = Field(default=128, ge=8)
    """Tokens of a sequence, special tokens included."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Before the linear layer."""
    freeze_embeddings: bool = False
    """Keep the word embeddings as they are: faster, and less to overfit."""
    freeze_layers: int = Field(default=0, ge=0)
    """Keep the embeddings and so many of the lowest layers as they are: faster again, and with
    all of them the linear layer learns alone."""
    inner_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Of the encoder's dropout modules; None: as it was pretrained. On CPUs 0 saves time."""
    pooling: Literal["mean", "log_mean_exp"] = "mean"
    """Mean of all token states, or a soft maximum of the logits of the sentence's own tokens."""
    ngrams: bool = False
    """Add a linear model on token n-grams to the encoder's logits, as part of the model."""
    ngrams_by_target: bool = False
    """Count every n-gram once for all targets and once for its own; needs `context: [target]`."""
    attention: Literal["auto", "eager", "sdpa"] = "auto"
    """auto: eager for short sequences on CPU, where it is faster; sdpa otherwise."""
    _looked_for: Path | None = PrivateAttr(default=None)

    @property
    def looked_for(self) -> Path | None:
        """The folder beside the config that `path` could have meant, where there is none."""
        return self._looked_for

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.context)) != len(self.context):
            raise ValueError(f"`context` names a part twice; known parts: {CONTEXT_PARTS}")
        if self.ngrams_by_target and self.context != ("target",):
            raise ValueError("`ngrams_by_target` needs `context: [target]`, and nothing else in it")
        if self.read_apart and not self.context:
            raise ValueError("`read_apart` needs a `context`")
        if self.context_layers is not None and not (
            self.context and (self.pooling == "log_mean_exp" or self.read_apart)
        ):
            raise ValueError("`context_layers` needs `pooling: log_mean_exp` and a `context`")
        if list(self.layers) != sorted(set(self.layers)) or any(k < 0 for k in self.layers):
            raise ValueError(f"`layers`: expected rising numbers from 0, found {list(self.layers)}")
        return self


class TrainingConfig(_Section):
    """Optimisation."""

    epochs: float = Field(default=3, gt=0)
    """Passes over the training sentences."""
    batch_size: int = Field(default=16, ge=1)
    """Sentences a step and device."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are summed before a step."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak, of AdamW."""
    head_factor: float = Field(default=10.0, gt=0)
    """Factor on the learning rate of the linear layer, which starts from nothing."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor on the learning rate from each layer to the one below it."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Not applied to biases and norms."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with rising learning rate."""
    patience: int | None = Field(default=None, ge=1)
    """Evaluations without a better development score after which training stops; None: never."""
    evaluations: int = Field(default=1, ge=0)
    """Evaluations on the development split, with a checkpoint each, in an epoch.

    The best checkpoint is taken. With 0 it is the last, which saves time where there is one epoch.
    """
    soft_labels: bool = True
    """Train on the share of coders who gave a label instead of the gold label."""
    teacher: Path | None = None
    """What teaches beside the labels: a run, a bundle, or a file with probabilities.

    A larger model's probabilities say more than a label does, and a small model learns from them.
    A file holds a column ``id`` and what `framing predict` writes; sentences that it lacks are
    learnt from their labels alone.
    """
    teacher_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the teacher's probability in a target; the rest is the label's."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each target that is replaced by the label's share in the training data."""
    join_hyphens: float = Field(default=0.0, ge=0, le=1)
    """Share of training sentences whose short first parts lose their hyphen ("de-escalate")."""
    easy_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the easy sentences that is trained on, with weights so that it stands for all.

    Easy is a sentence without any label of the multi_label variables, where the n-grams of other
    documents say so too; needs `encoder.ngrams`.
    """
    linear_start: bool = False
    """Begin with a linear layer fitted to the encoder's states; needs `encoder.pooling: mean`."""
    class_weighting: float = Field(default=0.0, ge=0, le=1)
    """Exponent of the inverse class frequency: 0 no weighting, 1 balanced."""
    variable_weights: dict[str, Factor] = {}
    """Variable -> factor on its loss (1 where not named; with 0 it is not learnt)."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """auto: bfloat16 where the processor has instructions for it."""
    report_to: tuple[str, ...] = ()
    """Trackers of transformers, such as tensorboard, mlflow or trackio."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.patience is not None and not self.evaluations:
            raise ValueError("`patience` waits for evaluations; set `evaluations` to 1 or more")
        return self


Share = Annotated[float, Field(gt=0, lt=1)]


class DecisionConfig(_Section):
    """Calibration and thresholds, fitted on the development split."""

    prevalence: dict[str, dict[str, Share]] = {}
    """multi_label variable -> label -> share of sentences expected in the texts to be labelled.

    Training data are often richer in what is sought than the texts that a model will meet.
    """


class EvaluationConfig(_Section):
    """Scores and their intervals."""

    resamples: int = Field(default=1000, ge=10)
    """Of the bootstrap over documents."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Of the intervals."""
    seed: int = 0
    """Of the bootstrap."""
    baselines: tuple[BaselineName, ...] = BASELINES
    """Fitted with the run and scored beside the model."""
    metadata: tuple[str, ...] = ("source", "genre")
    """Metadata fields for the metadata-only baseline (the first one present) and the slices.

    Others than the usual ones must stand in the data.
    """


class RunConfig(_Section):
    """One training run, or the same run with several seeds."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Of the run's folder."""
    data: DataConfig
    """What to train and score on."""
    encoder: EncoderConfig = EncoderConfig()
    """The encoder and its input."""
    training: TrainingConfig = TrainingConfig()
    """Optimisation."""
    decisions: DecisionConfig = DecisionConfig()
    """Calibration and thresholds."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Scores."""
    licence: str = ""
    """Of the trained model, for its card, such as apache-2.0."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(1,), min_length=1)
    """One run each."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("`seeds` names a seed twice")
        if self.encoder.ngrams_by_target and not self.encoder.ngrams:
            raise ValueError("`encoder.ngrams_by_target` needs `encoder.ngrams`")
        if self.training.join_hyphens and self.encoder.mark_target:
            raise ValueError(
                "`training.join_hyphens` moves the words that `encoder.mark_target` counts; use one"
            )
        if self.data.unlabelled and self.training.teacher is None:
            raise ValueError(
                "`data.unlabelled` has no codes to learn from; name a `training.teacher`"
            )
        if self.training.linear_start and self.encoder.ngrams:
            raise ValueError(
                "`training.linear_start` would learn again what `encoder.ngrams` knows; use one"
            )
        if self.training.linear_start and self.encoder.pooling != "mean":
            raise ValueError("`training.linear_start` needs `encoder.pooling: mean`")
        if self.training.easy_share < 1 and not self.encoder.ngrams:
            raise ValueError("`training.easy_share` needs `encoder.ngrams`")
        return self

    def canonical(self) -> dict[str, Any]:
        """Everything that decides a run's outcome but its seed, as JSON values."""
        value: dict[str, Any] = self.model_dump(mode="json", exclude={"seeds", "name", "licence"})
        value["training"].pop("report_to")
        value["data"].pop("origin")
        return value

    def to_yaml(self) -> str:
        """The resolved config."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


#: Left out of the hash where not used, so that runs of configs without them keep their names.
_OPTIONAL = (
    ("data", "where"),
    ("data", "hold_out"),
    ("data", "unlabelled"),
    ("encoder", "mark_target"),
    ("encoder", "ngrams_by_target"),
    ("training", "linear_start"),
    ("training", "teacher"),
)


def config_hash(config: RunConfig, *hashes: str) -> str:
    """Eight hexadecimal digits that differ when a config, its data or its encoder differ.

    Args:
        config: The run config.
        hashes: Of the data and of the encoder.
    """
    canonical = config.canonical()
    # The data's content counts, not where it lies on this computer.
    for key in ("path", "codebook", "benchmark", "root"):
        canonical["data"].pop(key)
    if config.training.teacher is None:
        canonical["training"].pop("teacher_share")
    else:
        # Its content is among the hashes.
        canonical["training"]["teacher"] = True
    # So do the documents of each split, whose hash is among the data's.
    canonical["data"].pop("splits")
    # And of added sentences, hashed among the data, only the weight is left.
    canonical["data"]["add"] = [[added.weight, added.adjudicator] for added in config.data.add]
    canonical["data"]["unlabelled"] = [[u.take, u.weight] for u in config.data.unlabelled]
    for section, key in _OPTIONAL:
        if not canonical[section][key]:
            canonical[section].pop(key)
    # The caller gives a fingerprint of the encoder, wherever its folder lies.
    for key in ("path", "revision", "allow_download"):
        canonical["encoder"].pop(key)
    text = json.dumps([canonical, *hashes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run config.

    Args:
        path: YAML file.
        overrides: ``section.key=value`` texts; values are YAML.

    Returns:
        The checked config, with absolute paths.

    Raises:
        ConfigError: The file is missing, no YAML, or has mistakes; all are listed.
    """
    value = _read_yaml(path)
    for override in overrides:
        _apply(value, override)
    try:
        config = RunConfig.model_validate(value)
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors()]
        raise ConfigError(all_problems(f"{path}: the config has mistakes", problems)) from None
    return _resolve_paths(config, path.resolve().parent)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the config: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{path}{line}: not valid YAML: {problem}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(value).__name__}")
    return value


def _apply(value: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: expected section.key=value")
    *parents, last = key.strip().split(".")
    node = value
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override!r}: {parent!r} is a value, not a section")
        node = child
    try:
        # YAML reads 1e-4 as text; JSON reads it as the number that people mean.
        node[last] = json.loads(text)
    except json.JSONDecodeError:
        try:
            node[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {override!r}: the value is not valid YAML") from None


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *parents, name = error["loc"]
        return f"{where}: {unknown_name('key', str(name), _known_keys(parents))}"
    if error["type"] == "missing":
        return f"{where}: is needed, but missing"
    found = error["input"]
    if error["type"] == "tuple_type":
        return f"{where}: expected a list, such as [{found}]; found {found!r}"
    if error["type"] == "string_type" and isinstance(found, int | float):
        return f"{where}: expected text; write the number in quotation marks: '{found}'"
    shown = "" if isinstance(found, dict) else f"; found {found!r}"
    return f"{where or 'config'}: {error['msg'].removeprefix('Value error, ')}{shown}"


def _known_keys(parents: Iterable[Any]) -> list[str]:
    model: Any = RunConfig
    for parent in parents:
        if isinstance(parent, int):
            continue
        annotation = model.model_fields[parent].annotation
        # An optional section is a union of the section and None.
        model = next((a for a in get_args(annotation) if a is not type(None)), annotation)
    return list(model.model_fields)


def _resolve_paths(config: RunConfig, folder: Path) -> RunConfig:
    def absolute(path: Path | None) -> Path | None:
        return None if path is None else (folder / path.expanduser()).resolve()

    splits = config.data.splits
    if splits is not None:
        splits = splits.model_copy(update={"file": absolute(splits.file)})
    data = config.data.model_copy(
        update={
            "path": absolute(config.data.path),
            "root": absolute(config.data.root),
            "codebook": absolute(config.data.codebook),
            "splits": splits,
            "add": tuple(
                added.model_copy(
                    update={"path": absolute(added.path), "documents": absolute(added.documents)}
                )
                for added in config.data.add
            ),
            "unlabelled": tuple(
                unlabelled.model_copy(update={"path": absolute(unlabelled.path)})
                for unlabelled in config.data.unlabelled
            ),
        }
    )
    encoder = _resolve_encoder(config.encoder, folder)
    training = config.training.model_copy(update={"teacher": absolute(config.training.teacher)})
    return config.model_copy(update={"data": data, "encoder": encoder, "training": training})


def _resolve_encoder(encoder: EncoderConfig, folder: Path) -> EncoderConfig:
    """Take the path for a folder beside the config, unless it can only be a Hub name."""
    path = Path(encoder.path)
    if encoder.path in (DEFAULT_ENCODER, *OWN_ENCODERS) or path.is_absolute():
        return encoder
    beside = (folder / path.expanduser()).resolve()
    if encoder.path.startswith((".", "~")) or beside.is_dir():
        return encoder.model_copy(update={"path": str(beside)})
    found = encoder.model_copy()
    found._looked_for = beside
    return found
