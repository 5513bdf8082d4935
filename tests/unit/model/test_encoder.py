from pathlib import Path

import pytest

from framing.artifacts import sha256_file
from framing.config import EncoderConfig
from framing.model.encoder import EncoderSource, find_encoder, fingerprint
from tests.tiny import save_tiny_encoder


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_an_encoder_is_told_by_its_configs_too(tmp_path: Path, name: str) -> None:
    source = EncoderSource(str(save_tiny_encoder(tmp_path, ["a"])), "tiny", None, True)
    before = fingerprint(source)
    (tmp_path / "README.md").write_text("Says nothing of what it computes.", encoding="utf-8")
    assert fingerprint(source) == before
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert fingerprint(source) != before


def test_runs_with_the_default_encoder_keep_their_names() -> None:
    source = find_encoder(EncoderConfig())
    assert fingerprint(source) == sha256_file(Path(source.location) / "model.safetensors")


def test_a_hub_model_is_told_by_name_and_revision() -> None:
    assert fingerprint(EncoderSource("org/model", "org/model", None, True)) == "org/model@main"
