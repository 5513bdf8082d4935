"""The article view in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from framing.codebook import parse_codebook
from framing.data.page import article_sentences
from framing.inference.article_view import write_view
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle

pytestmark = pytest.mark.browser

ARTICLE = (
    "Open in App\n\nInflation is terrible, say critics. "
    "<script>document.title = 'broken'</script> & so on. Nobody knows why it came. (NNA)\n\n"
    "Unemployment and inflation rose again, and nobody in the hall could say what to do.\n\n"
    "Related Stories\nTen <b>soups</b> for March"
)
# Appended to a copy of the page: asks the browser what a reader would see.
PROBE = """<script>
const first = document.querySelector('.s');
const seen = () => getComputedStyle(first.querySelector('.tip')).display;
const before = seen();
first.focus();
const box = first.querySelector('.tip').getBoundingClientRect();
const facts = {
  before, after: seen(), focused: document.activeElement === first,
  inside: box.left >= 0 && box.right <= innerWidth,
  overflow: document.documentElement.scrollWidth > innerWidth,
  links: [...document.querySelectorAll('aside a')].every(a => document.querySelector(a.hash)),
  scripts: document.scripts.length, bold: document.querySelectorAll('details b').length,
  text: first.firstChild.textContent, ink: getComputedStyle(document.body).color,
  lines: new Set([...document.querySelectorAll('.legend .swatch')]
    .map(e => getComputedStyle(e).textDecorationStyle)).size,
  requests: performance.getEntriesByType('resource').length,
};
document.title = JSON.stringify(facts);
</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("view")
    book = parse_codebook(SMALL_CODEBOOK)
    labeller = Labeller(load_bundle(write_tiny_bundle(folder / "bundle", book, SMALL_WORDS)))
    page = article_sentences(ARTICLE, "talks")
    labelled = list(labeller.label_stream(page.sentences))
    write_view(folder / "view.html", [page], labelled, book, "tiny")
    return folder / "view.html"


def _chromium(program: str, folder: Path, file: Path, *options: str) -> str:
    command = [
        *(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder / 'profile'}", *options, file.as_uri()),
    ]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    return done.stdout


def _facts(program: str, folder: Path, view: Path, *options: str) -> str:
    probe = folder / "probe.html"
    html = view.read_text(encoding="utf-8")
    probe.write_text(html.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    dom = _chromium(program, folder, probe, *options, "--dump-dom")
    found = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert found is not None
    return found[1]


def test_text_stays_text(chromium: str, view: Path, tmp_path: Path) -> None:
    dom = _chromium(chromium, tmp_path, view, "--dump-dom")
    assert "<title>talks</title>" in dom
    assert "&lt;script&gt;document.title = 'broken'&lt;/script&gt; &amp; so on." in dom
    assert dom.count('class="s"') == 2


@pytest.mark.parametrize("size", ["1200,900", "500,900"])
def test_what_a_reader_sees(chromium: str, view: Path, tmp_path: Path, size: str) -> None:
    facts = json.loads(_facts(chromium, tmp_path, view, f"--window-size={size}"))
    assert (facts["before"], facts["after"], facts["focused"]) == ("none", "block", True)
    assert facts["inside"] is True
    assert facts["overflow"] is False
    assert facts["links"] is True
    assert facts["scripts"] == 1
    assert facts["bold"] == 0
    assert facts["requests"] == 0
    assert facts["lines"] == 2
    assert facts["text"] == "Inflation is terrible, say critics."


def test_a_dark_screen_gets_light_ink(chromium: str, view: Path, tmp_path: Path) -> None:
    light = _facts(chromium, tmp_path, view, "--blink-settings=preferredColorScheme=1")
    dark = _facts(chromium, tmp_path, view, "--blink-settings=preferredColorScheme=0")
    assert '"ink":"rgb(29, 31, 35)"' in light
    assert '"ink":"rgb(231, 230, 227)"' in dark


def test_it_can_be_drawn(chromium: str, view: Path, tmp_path: Path) -> None:
    picture = tmp_path / "view.png"
    _chromium(chromium, tmp_path, view, f"--screenshot={picture}", "--window-size=800,600")
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (800, 600)
