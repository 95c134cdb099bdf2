"""The report of `evaluate`: one HTML file that contains its plots, and a text for the terminal."""

import base64
import html
import json
from math import isnan
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""A line of a table by column; the first column names it."""

_BASELINES = ("_baseline", "_chance", "_majority_class", "_constant_prediction")
_OLD_BASELINES = ("_commonest_class", "_constant_guess")  # in runs of earlier versions
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
       background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .9rem .25rem 0; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr + tr { border-top: 1px solid #ddd; }
img { max-width: 100%; background: #fff; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16181c; } tr + tr { border-color: #444; } }
"""


def baselines(folder: Path) -> dict[str, float]:
    """The baselines of the run in `folder`, measured on its own test images."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {name: value for name, value in result.items() if name.endswith(_BASELINES + _OLD_BASELINES)}


def write_report(folder: Path, title: str, figures: Row, tables: dict[str, list[Row]], plots: dict[str, str]) -> None:
    """`report.html`: in one file the metrics, the tables under their headings, and the plots of `folder`, given by name
    with their headings."""
    parts = [f"<h1>{html.escape(title)}</h1><h2>Scores</h2>{_table([list(row) for row in figures.items()])}"]
    parts += [
        f"<h2>{html.escape(heading)}</h2>{_table([list(row.values()) for row in rows], head=list(rows[0]))}"
        for heading, rows in tables.items()
    ]
    parts += [
        f'<h2>{text}</h2><img alt="{text}" src="data:image/png;base64,'
        f'{base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}">'
        for name, text in plots.items()
    ]
    (folder / "report.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{"".join(parts)}</html>\n',
        encoding="utf-8",
        errors="backslashreplace",
    )


def _table(rows: list[list[Any]], head: list[str] | None = None) -> str:
    lines = [_line("th", head)] if head else []
    return f"<table>{''.join(lines + [_line('td', row) for row in rows])}</table>"


def _line(tag: str, cells: list[Any]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(shown(cell))}</{tag}>" for cell in cells) + "</tr>"


def text(figures: Row, *tables: list[Row]) -> str:
    """The same for the terminal."""
    blocks = [[list(row) for row in figures.items()]]
    blocks += [[list(rows[0]), *(list(row.values()) for row in rows)] for rows in tables]
    return "\n\n".join(_aligned([[shown(cell) for cell in line] for line in block]) for block in blocks)


def _aligned(lines: list[list[str]]) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]) for cells in lines)


def shown(value: Any) -> str:
    """A number to four digits; a dash for NaN, and for None, as which NaN is stored."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return "–" if isnan(value) else f"{value:.4f}"
    return str(value)
