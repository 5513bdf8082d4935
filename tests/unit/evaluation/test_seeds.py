import dataclasses

import pytest

from framing.errors import ArtifactError, DataError
from framing.evaluation.schema import Scores
from framing.evaluation.seeds import read_seed_summary, summarise_seeds, write_seed_summary


@pytest.fixture
def run(example):
    base = example.scores()

    def make(name: str, value: float | None) -> Scores:
        system = base.systems[0]
        first = dataclasses.replace(system.scores[0], value=value)
        system = dataclasses.replace(system, scores=(first, *system.scores[1:]))
        return dataclasses.replace(base, run=name, systems=(system,))

    return make


def test_by_hand(run):
    summary = summarise_seeds([run("a", 0.1), run("b", 0.2), run("c", 0.6)])
    one = summary.scores[0]
    assert (one.metric, one.variable, one.head, one.label) == (
        "precision",
        "topics",
        "topics",
        "economy",
    )
    assert one.mean == pytest.approx(0.3)
    assert one.deviation == pytest.approx(0.07**0.5)
    assert (one.minimum, one.maximum, one.n) == (0.1, 0.6, 3)
    # 4.302653: the 97.5% quantile of t with two degrees of freedom, from tables.
    half = 4.302653 * (0.07 / 3) ** 0.5
    assert one.low == pytest.approx(0.3 - half, abs=1e-6)
    assert one.high == pytest.approx(0.3 + half, abs=1e-6)
    assert summary.runs == ("a", "b", "c")


def test_one_seed_has_no_spread(run):
    one = summarise_seeds([run("a", 0.1)]).scores[0]
    assert (one.mean, one.n) == (0.1, 1)
    assert one.deviation is one.low is one.high is None


def test_undefined_figures_are_left_out(run):
    one = summarise_seeds([run("a", 0.1), run("b", None), run("c", 0.3)]).scores[0]
    assert (one.n, one.mean) == (2, pytest.approx(0.2))
    keys = [(s.metric, s.head, s.label) for s in summarise_seeds([run("a", None)]).scores]
    assert ("precision", "topics", "economy") not in keys


def test_there_and_back(run, tmp_path):
    summary = summarise_seeds([run("a", 0.1), run("b", 0.2)])
    write_seed_summary(tmp_path / "seeds.json", summary)
    assert read_seed_summary(tmp_path / "seeds.json") == summary


def test_not_a_summary(tmp_path):
    (tmp_path / "seeds.json").write_text('{"runs": []}', encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"seeds\.json: not a summary of seeds: KeyError"):
        read_seed_summary(tmp_path / "seeds.json")


def test_runs_that_cannot_be_compared(run):
    one, two = run("a", 0.1), run("b", 0.2)
    with pytest.raises(DataError, match="at least one run, found none"):
        summarise_seeds([])
    with pytest.raises(DataError, match="found more than once: a"):
        summarise_seeds([one, one])
    other = dataclasses.replace(two, data=dataclasses.replace(two.data, hash="1" * 64))
    with pytest.raises(DataError, match="'a' and 'b' were scored on different data"):
        summarise_seeds([one, other])
    with pytest.raises(DataError, match="'a' and 'b' have different codebooks"):
        summarise_seeds([one, dataclasses.replace(two, codebook={"name": "other"})])
