"""The report in a real browser: it renders, follows light and dark, fits a telephone, prints."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from framing.report import render_html
from tests.unit.report import examples

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)

#: Shows the page in a frame of a given width and says by how much it is too wide.
FRAME = """<!DOCTYPE html><iframe width="{width}" height="800" style="border:0" srcdoc="{page}">
</iframe><script>
const frame = document.querySelector("iframe");
frame.onload = () => {{
  const root = frame.contentDocument.documentElement;
  document.body.dataset.overflow = root.scrollWidth - root.clientWidth;
  document.body.dataset.scripts = frame.contentDocument.scripts.length;
}};
</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("needs a Chromium, which is not on this machine")


@pytest.fixture(scope="module", params=["flagship", "wide", "many"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp(request.param) / "report.html"
    path.write_text(render_html(examples.ALL[request.param]()), encoding="utf-8")
    return path


def run(chromium: str, page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    profile = page.parent / "profile"
    done = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    return done


def test_document_is_as_written(chromium: str, page: Path) -> None:
    dumped = run(chromium, page, "--dump-dom").stdout
    written = page.read_text(encoding="utf-8")
    # A browser mends what is broken; nothing was, if it finds as many elements.
    for tag in ("section", "table", "tr", "td", "svg", "text", "details", "figure", "li"):
        assert len(re.findall(f"<{tag}[ >]", dumped)) == len(re.findall(f"<{tag}[ >]", written))
    assert "<script" not in dumped


@pytest.mark.parametrize("width", [320, 400, 760])
def test_nothing_is_wider_than_the_window(chromium: str, page: Path, width: int) -> None:
    frame = page.parent / f"frame-{width}.html"
    text = FRAME.format(width=width, page=html.escape(page.read_text(encoding="utf-8")))
    frame.write_text(text, encoding="utf-8")
    dumped = run(chromium, frame, "--dump-dom", "--virtual-time-budget=5000").stdout
    assert 'data-overflow="0"' in dumped
    assert 'data-scripts="0"' in dumped


def brightness(chromium: str, page: Path, scheme: int) -> float:
    from PIL import Image, ImageStat

    picture = page.parent / f"picture-{scheme}.png"
    run(
        chromium,
        page,
        f"--blink-settings=preferredColorScheme={scheme}",
        "--window-size=1200,1600",
        f"--screenshot={picture}",
    )
    with Image.open(picture) as image:
        return float(ImageStat.Stat(image.convert("L")).mean[0])


def test_light_and_dark(chromium: str, page: Path) -> None:
    assert brightness(chromium, page, 1) > 215
    assert brightness(chromium, page, 0) < 70


def test_prints(chromium: str, page: Path) -> None:
    paper = page.parent / "report.pdf"
    run(chromium, page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF-")
    # A4 is 595 by 842 points.
    boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", content)
    assert boxes
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (596, 842)}
