"""Sphinx: the repository's own texts as a site, and a page of the Python interface.

make docs    # -> build/docs/index.html
"""

from framing import __version__

project = "framing"
author = "the authors of framing"
copyright = "the authors of framing; Apache-2.0"  # noqa: A001
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Pages stay where they lie in the repository, so that a link leads to the same page here and there.
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "experiments/*.md",
    "experiments/*/*.md",
    "framing/corpora/security_talks/README.md",
    "framing/encoders/*/README.md",
]
root_doc = "docs/index"
# Links name a section by its heading, as GitHub does.
myst_heading_anchors = 4
# GitHub colours `csv` blocks, Pygments does not know them; tables of results are found through the
# experiments that link to them.
suppress_warnings = ["misc.highlighting_failure", "toc.not_included"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# "Returns:" says what comes, not of which type, which the signature tells.
napoleon_use_rtype = False
# Docstrings quote names with one backtick.
default_role = "literal"

html_theme = "furo"
html_title = f"framing {release}"
html_extra_path = ["site"]
html_show_sourcelink = False
html_copy_source = False
