from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from framing.evaluation.schema import Scores
from framing.report import render_card
from tests.unit.report import examples


def front_matter(card: str) -> dict[str, Any]:
    assert card.startswith("---\n")
    found = yaml.safe_load(card.split("---\n", 2)[1])
    assert isinstance(found, dict)
    return found


def test_front_matter_of_the_flagship(flagship: Scores) -> None:
    fields = front_matter(render_card(flagship))
    assert fields["license"] == "unknown"
    assert fields["language"] == ["en"]
    assert fields["library_name"] == "framing"
    assert fields["pipeline_tag"] == "text-classification"
    assert fields["inference"] is False
    assert fields["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    (index,) = fields["model-index"]
    assert index["name"] == flagship.run
    assert [r["task"]["name"].split(" ")[0] for r in index["results"]] == [
        "Frames",
        "Stance",
        "Holder",
    ]


def test_front_matter_figures_are_those_of_the_scores(flagship: Scores) -> None:
    (index,) = front_matter(render_card(flagship))["model-index"]
    expected = next(
        s
        for s in flagship.systems[0].scores
        if (s.metric, s.head, s.label) == ("f1", "frames", "macro")
    )
    found = [m for m in index["results"][0]["metrics"] if m["name"] == "Frames: F1, Macro"]
    assert found == [
        {
            "type": "f1",
            "name": "Frames: F1, Macro",
            "value": expected.value,
            "args": {"confidence": 0.95, "low": expected.low, "high": expected.high},
        }
    ]


def test_every_study_has_a_card(study: Scores) -> None:
    card = render_card(study)
    front_matter(card)
    for heading in (
        "Intended use",
        "How to use it",
        "Training",
        "Evaluation",
        "Limits",
        "Thresholds and calibration",
        "Codebook",
        "Data",
    ):
        assert f"\n## {heading}\n" in card
    assert card == render_card(study)


def test_undefined_scores_are_left_out_of_the_index() -> None:
    assert "model-index" not in front_matter(render_card(examples.undefined()))


@pytest.mark.parametrize("encoder", ["/home/me/encoder", "encoder", "a/b/c", "x: y/z"])
def test_other_encoders_are_no_base_model(flagship: Scores, encoder: str) -> None:
    fields = front_matter(render_card(replace(flagship, facts={"encoder": encoder})))
    assert "base_model" not in fields


@pytest.mark.parametrize("name", ["roberta-base", "owner/name"])
def test_base_models_that_are_named(flagship: Scores, name: str) -> None:
    facts = {"encoder": "another", "base_model": name}
    assert front_matter(render_card(replace(flagship, facts=facts)))["base_model"] == name


def test_facts_of_the_card(flagship: Scores) -> None:
    facts = {
        "license": "cc-by-4.0",
        "base_model": "owner/name",
        "training_data": "Speeches | coded by hand.",
        "data_origin": "composed for this purpose; <b>not real</b>.",
    }
    card = render_card(replace(flagship, facts=facts))
    assert front_matter(card)["license"] == "cc-by-4.0"
    assert front_matter(card)["base_model"] == "owner/name"
    assert "Speeches \\| coded by hand." in card
    assert "- The scored text: composed for this purpose; &lt;b&gt;not real&lt;/b&gt;." in card


def test_unrecorded_origin_is_said(flagship: Scores) -> None:
    assert "Where the scored text comes from is not recorded." in render_card(flagship)


def test_labels_without_calibration_are_limits(flagship: Scores) -> None:
    few = render_card(replace(flagship, uncalibrated=(("frames", "nato_concerns"),)))
    exception = "This does not hold for what the limits above name as not calibrated."
    assert exception in few
    assert "- Not calibrated, since fewer than 5 development sentences have the label" in few
    assert exception not in render_card(flagship)


def test_nasty_names_do_not_break_the_front_matter(flagship: Scores) -> None:
    nasty = "x: {y\n---\n'\"#\x00"
    fields = front_matter(render_card(replace(flagship, run=nasty)))
    assert fields["model-index"][0]["name"] == "x: {y --- '\"#\ufffd"


def test_how_to_use_names_the_run(flagship: Scores) -> None:
    card = render_card(flagship)
    assert f"    framing predict --model {flagship.run} article.txt" in card
    assert "once framing.model.classifier is imported" in card
