from pathlib import Path

import pytest

from framing.config import RunConfig, config_hash, load_config
from framing.errors import ConfigError
from framing.model.encoder import find_encoder, load_fast_tokenizer

MINIMAL = "name: a\ndata: {corpus: security_talks}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_overrides_and_numbers(tmp_path: Path) -> None:
    config = load_config(
        write(tmp_path, MINIMAL),
        ["training.learning_rate=3e-5", "seeds=[1, 2]", "encoder.context=[]", "name=b"],
    )
    assert config.training.learning_rate == 3e-5
    assert config.seeds == (1, 2)
    assert config.encoder.context == ()
    assert config.name == "b"


def test_paths_are_relative_to_the_config(tmp_path: Path) -> None:
    text = "name: a\ndata: {path: d/x.csv, codebook: b.yaml}\nencoder: {path: ./enc}\n"
    config = load_config(write(tmp_path, text))
    assert config.data.path == tmp_path / "d" / "x.csv"
    assert config.encoder.path == str(tmp_path / "enc")


def test_an_encoder_beside_the_config_goes_before_a_hub_name(tmp_path: Path) -> None:
    text = MINIMAL + "encoder: {path: enc/bert}\n"
    config = load_config(write(tmp_path, text))
    assert config.encoder.path == "enc/bert"
    with pytest.raises(ConfigError, match=f"'enc/bert': there is no folder {tmp_path}/enc/bert, "):
        load_fast_tokenizer(find_encoder(config.encoder))
    (tmp_path / "enc" / "bert").mkdir(parents=True)
    (tmp_path / "default").mkdir()
    assert load_config(write(tmp_path, text)).encoder.path == str(tmp_path / "enc" / "bert")
    assert load_config(write(tmp_path, MINIMAL)).encoder.path == "default"
    config = load_config(write(tmp_path, text), ["encoder.path=./none"])
    with pytest.raises(ConfigError, match=f"'{tmp_path}/none': there is no such folder; give a"):
        load_fast_tokenizer(find_encoder(config.encoder))


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = (
        "name: a\ndata: {corpus: x, path: y}\n"
        "training: {epoch: 3, batch_size: 0}\nencodr: {}\nseeds: []\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    message = str(caught.value)
    assert "5 problems" in message
    assert "training.epoch: unknown key 'epoch'" in message
    assert "Did you mean 'epochs'?" in message
    assert "training.batch_size: Input should be greater than or equal to 1; found 0" in message
    assert "encodr: unknown key 'encodr'" in message
    assert "give one of `corpus`" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {corpus: x}", "name: is needed, but missing"),
        ("name: a\ndata: {path: x.csv}", "`path` needs a `codebook`"),
        ("- 1", "expected `key: value` lines, found list"),
        ("a: [", "not valid YAML"),
        (MINIMAL + "seeds: [1, 1]", "names a seed twice"),
        (
            "name: a\ndata: {corpus: security_talks, add: [{pth: x.csv}]}\n",
            "data.add.0.pth: unknown key 'pth'",
        ),
        (
            MINIMAL + "encoder: {context_layers: 2}",
            "`context_layers` needs `pooling: log_mean_exp` and a `context`",
        ),
        (
            MINIMAL + "encoder: {context_layers: 2, pooling: log_mean_exp, context: []}",
            "`context_layers` needs `pooling: log_mean_exp` and a `context`",
        ),
        (MINIMAL + "encoder: {read_apart: true, context: []}", "`read_apart` needs a `context`"),
        (
            MINIMAL + "encoder: {layers: [2, 0]}",
            r"`layers`: expected rising numbers from 0, found \[2, 0\]",
        ),
        (MINIMAL + "encoder: {layers: [-1, 0]}", "`layers`: expected rising numbers from 0"),
        (MINIMAL + "training: {easy_share: 0.5}", "`training.easy_share` needs `encoder.ngrams`"),
        (
            MINIMAL + "encoder: {ngrams_by_target: true, context: [target]}",
            "`encoder.ngrams_by_target` needs `encoder.ngrams`",
        ),
        (
            MINIMAL + "encoder: {ngrams: true, ngrams_by_target: true}",
            r"needs `context: \[target\]`, and nothing else",
        ),
        (
            MINIMAL + "encoder: {pooling: log_mean_exp}\ntraining: {linear_start: true}",
            "`training.linear_start` needs `encoder.pooling: mean`",
        ),
        (
            MINIMAL + "training: {evaluations: 0, patience: 2}",
            "`patience` waits for evaluations; set `evaluations` to 1 or more",
        ),
        (MINIMAL + "decisions: {prevalence: {frames: {a: 1.0}}}", "less than 1; found 1.0"),
        (
            MINIMAL + "training: {variable_weights: {frames: -2}}",
            "variable_weights.frames: Input should be greater than or equal to 0; found -2",
        ),
        (
            "name: a\ndata: {corpus: x, train_weights: {source: {A: -1}}}",
            "data.train_weights.source.A: Input should be greater than or equal to 0; found -1",
        ),
        (MINIMAL + "seeds: [-1]", "greater than or equal to 0"),
        (MINIMAL + "training: {epochs: .inf}", "finite number"),
        (MINIMAL + "name: ../x", "String should match pattern"),
        (
            "name: a\ndata: {corpus: x, splits: {fractions: {train: 1, dev: 1, test: 1}}}",
            "must be positive and sum to 1",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, text))


def test_missing_file_and_bad_override(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        load_config(write(tmp_path, MINIMAL), ["training.epochs"])
    with pytest.raises(ConfigError, match="the value is not valid YAML"):
        load_config(write(tmp_path, MINIMAL), ["name=[a"])
    with pytest.raises(ConfigError, match="'name' is a value, not a section"):
        load_config(write(tmp_path, MINIMAL), ["name.x=1"])


def test_hash_follows_what_decides_the_outcome(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    same = [config.model_copy(update={"seeds": (7,)}), config.model_copy(update={"name": "z"})]
    assert {config_hash(c, "d") for c in same} == {config_hash(config, "d")}
    other = load_config(write(tmp_path, MINIMAL), ["training.epochs=4"])
    assert config_hash(other, "d") != config_hash(config, "d")
    assert config_hash(config, "e") != config_hash(config, "d")


def test_every_field_is_documented() -> None:
    def undocumented(model: type) -> list[str]:
        out = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            if not field.description:
                out.append(f"{model.__name__}.{name}")
            if hasattr(field.annotation, "model_fields"):
                out += undocumented(field.annotation)
        return out

    assert undocumented(RunConfig) == []


def test_resolved_yaml_reads_back(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert load_config(write(tmp_path, config.to_yaml())) == config


def test_misspelt_key_of_an_optional_section(tmp_path: Path) -> None:
    text = "name: a\ndata: {corpus: x, splits: {fraction: {}}}"
    with pytest.raises(ConfigError, match=r"unknown key 'fraction'.*Did you mean 'fractions'"):
        load_config(write(tmp_path, text))
