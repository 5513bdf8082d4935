"""Scores of composed studies."""

from __future__ import annotations

import pytest

from framing.evaluation.schema import Scores
from framing.report import render_html
from tests.unit.report import examples


@pytest.fixture
def flagship() -> Scores:
    return examples.flagship()


@pytest.fixture(scope="session", params=examples.ALL)
def study(request: pytest.FixtureRequest) -> Scores:
    """Each of the composed studies in turn."""
    return examples.ALL[request.param]()


@pytest.fixture(scope="session")
def html(study: Scores) -> str:
    """The page of each study, rendered once."""
    return render_html(study)
