"""The page as text: template, style, script and data in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_repro
from pytest_repro.report.words import visible

_FOLDER = "report"
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page_text(data: dict[str, Any]) -> str:
    """Returns the whole file for what `page_data` returns."""
    import jinja2
    from markupsafe import Markup

    folder = template_folder()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )

    parts = {
        "plot_style": "vendor/uPlot.min.css",
        "plot_script": "vendor/uPlot.iife.min.js",
        "plot_licence": "vendor/uPlot.LICENSE",
        "style": "page.css",
    }
    texts = {name: Markup((folder / file).read_text(encoding="utf-8")) for name, file in parts.items()}
    scripts = "\n".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return environment.get_template("page.html").render(
        session=data["session"], data=Markup(embedded_json(data)), script=Markup(scripts), **texts
    )


_SCRIPTS = ("data.js", "strip.js", "plots.js", "phases.js", "page.js")


def embedded_json(data: object) -> str:
    """Returns JSON that cannot end the script element in which it stands, whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for letter, escaped in _ESCAPED.items():
        text = text.replace(letter, escaped)
    return text


def template_folder() -> Path:
    """Returns where the page's templates are: inside the wheel, or beside the package in a checkout."""
    package = Path(pytest_repro.__file__).parent
    inside = package / "templates" / _FOLDER
    return inside if inside.is_dir() else package.parent / "templates" / _FOLDER
