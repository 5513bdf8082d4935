"""Reports as files of a run."""

from __future__ import annotations

from pathlib import Path

from framing.artifacts import RUN, read_json, write_json, write_text
from framing.errors import ArtifactError
from framing.evaluation.schema import Scores, from_dict, to_dict
from framing.report.card import render_card
from framing.report.html import render_html
from framing.report.markdown import render_markdown


def load_scores(path: Path) -> Scores:
    """Read ``scores.json``.

    Args:
        path: The file, or the run that holds it.

    Returns:
        The scores.

    Raises:
        ArtifactError: It is missing, or not of the form that this version writes.
    """
    file = path / RUN.scores if path.is_dir() else path
    value = read_json(file)
    if not isinstance(value, dict):
        raise ArtifactError(f"{file}: expected scores as a JSON object, found {_kind(value)}")
    try:
        return from_dict(value)
    except KeyError as error:
        problem = f"{error} is missing"
    except (TypeError, ValueError, AttributeError) as error:
        problem = str(error)
    raise ArtifactError(
        f"{file}: not scores of the form that this version reads: {problem}; "
        "score the run again with `framing evaluate`"
    )


def write_report(folder: Path, scores: Scores) -> None:
    """Write scores, report and model card into a run.

    Args:
        folder: The run.
        scores: What evaluation made.

    Raises:
        OutputError: The folder cannot be written.
        CodebookError: The scores hold no valid codebook.
    """
    write_json(folder / RUN.scores, to_dict(scores))
    write_pages(folder, scores)


def write_pages(folder: Path, scores: Scores) -> tuple[Path, ...]:
    """Write report and model card; none is written unless all could be rendered.

    Args:
        folder: The run.
        scores: Its scores.

    Returns:
        The files written.
    """
    pages = {
        RUN.report_html: render_html(scores),
        RUN.report_markdown: render_markdown(scores),
        RUN.card: render_card(scores),
    }
    for name, text in pages.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in pages)


def _kind(value: object) -> str:
    return {list: "a list", str: "text", type(None): "null"}.get(type(value), "a number")
