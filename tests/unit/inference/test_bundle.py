from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from framing.artifacts import BUNDLE, write_manifest
from framing.codebook import Codebook, parse_codebook
from framing.errors import ArtifactError
from framing.inference.bundle import BundleSettings, load_bundle
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "run" / "bundle"))


def test_a_bundle_gives_all_it_was_written_with(tiny_bundle: Path, book: Codebook) -> None:
    bundle = load_bundle(tiny_bundle)
    assert bundle.codebook == book
    assert bundle.settings.run == "tiny"
    assert bundle.input_settings.max_length == 128
    assert len(bundle.decisions.threshold) == book.n_logits
    assert len(bundle.hash) == 64


def test_the_folder_of_a_run_will_do(copy: Path) -> None:
    assert load_bundle(copy.parent).hash == load_bundle(copy).hash


def test_settings_go_through_json() -> None:
    settings = BundleSettings("r", ("title", "previous"), 64, 7, ("input_ids",), "1.2", "abc")
    assert BundleSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "not the settings of a bundle"),
        ("[]", "not the settings of a bundle"),
        ('{"format": 1}', "'run'"),
        ('{"format": 2}', "expected bundle format 1, found 2"),
    ],
)
def test_broken_settings(text: str, found: str) -> None:
    with pytest.raises(ArtifactError, match=re.escape(found)):
        BundleSettings.from_json(text)


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such folder; name a finished run or a bundle"):
        load_bundle(tmp_path / "missing")
    with pytest.raises(ArtifactError, match=r"neither a run nor a bundle.*found an empty folder"):
        load_bundle(tmp_path)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ArtifactError, match="expected the folder of a run or a bundle, found a"):
        load_bundle(file)
    with pytest.raises(ArtifactError, match="found file"):
        load_bundle(tmp_path)


def test_an_unfinished_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("name: x\n")
    with pytest.raises(ArtifactError, match="this run has no bundle/ yet; it is unfinished"):
        load_bundle(tmp_path)


def test_an_altered_file_is_found(copy: Path) -> None:
    with (copy / BUNDLE.decisions).open("a") as file:
        file.write(" ")
    with pytest.raises(ArtifactError, match=r"decisions\.json: hash differs"):
        load_bundle(copy)


def test_a_missing_file_is_found(copy: Path) -> None:
    (copy / BUNDLE.graph).unlink()
    with pytest.raises(ArtifactError, match=r"model\.onnx: named in MANIFEST\.sha256, but missing"):
        load_bundle(copy)


def _altered(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    write_manifest(folder, BUNDLE.manifest)
    return folder


def test_a_codebook_of_another_run(copy: Path, book: Codebook) -> None:
    other = json.dumps(book.to_dict() | {"version": 3})
    with pytest.raises(ArtifactError, match=r"expected the codebook .* named in bundle.json"):
        load_bundle(_altered(copy, BUNDLE.codebook, other))
    for text in ('{"name": "a"}', '{"name": "a", "variables": ["b"]}', "[]"):
        with pytest.raises(ArtifactError, match=r"codebook.json: (not a codebook|expected)"):
            load_bundle(_altered(copy, BUNDLE.codebook, text))


def test_decisions_of_another_length(copy: Path) -> None:
    text = json.dumps({"scale": [1.0], "bias": [0.0], "threshold": [0.5]})
    with pytest.raises(ArtifactError, match="expected 10 entries, one a logit"):
        load_bundle(_altered(copy, BUNDLE.decisions, text))
    with pytest.raises(ArtifactError, match="not calibration and thresholds"):
        load_bundle(_altered(copy, BUNDLE.decisions, "{}"))


def test_what_is_no_graph(copy: Path) -> None:
    with pytest.raises(ArtifactError, match="not a graph that can be run"):
        load_bundle(_altered(copy, BUNDLE.graph, "nonsense"))


def test_a_graph_of_another_width(copy: Path, tmp_path: Path) -> None:
    text = "{name: two, variables: [{id: v, kind: single_label, labels: [{id: a}, {id: b}]}]}"
    other = write_tiny_bundle(tmp_path / "other", parse_codebook(text), {"word": "v/b"})
    shutil.copy(other / BUNDLE.graph, copy / BUNDLE.graph)
    write_manifest(copy, BUNDLE.manifest)
    with pytest.raises(ArtifactError, match="gives 2 logits, the codebook 'small' needs 10"):
        load_bundle(copy)


def test_an_input_that_no_batch_can_fill(copy: Path) -> None:
    fields = json.loads((copy / BUNDLE.settings).read_text())
    text = json.dumps(fields | {"inputs": ["input_ids", "position_ids"]})
    with pytest.raises(ArtifactError, match="the graph wants the inputs position_ids; known: inp"):
        load_bundle(_altered(copy, BUNDLE.settings, text))


def test_words_cover_every_kind_of_head(book: Codebook) -> None:
    assert {target.partition("/")[0] for target in SMALL_WORDS.values()} == {
        head.name for head in book.heads
    }
