"""Scores to HTML, Markdown, model card and figures; formats, computes nothing."""

from framing.report.card import render_card
from framing.report.files import load_scores, write_pages, write_report
from framing.report.html import render_html
from framing.report.markdown import render_markdown, render_seed_summary

__all__ = [
    "load_scores",
    "render_card",
    "render_html",
    "render_markdown",
    "render_seed_summary",
    "write_pages",
    "write_report",
]
