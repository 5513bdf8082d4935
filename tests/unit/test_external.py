from pathlib import Path

import pytest

from framing.artifacts import RUN
from framing.errors import OutputError
from framing.external import check_replaceable


def test_only_an_evaluation_is_replaced(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "new")
    mine = tmp_path / "mine"
    mine.mkdir()
    with pytest.raises(OutputError, match=r"not an evaluation.*no scores"):
        check_replaceable(mine)
    (mine / RUN.scores).write_text("{}")
    check_replaceable(mine)
    (mine / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match=r"not an evaluation.*thesis.txt"):
        check_replaceable(mine)
