"""The report: one HTML file without anything outside it. It reads in light and dark, on a phone and without a mouse."""

import base64
import hashlib
import html
import io
import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from torchworks.lessons.capstone.shell import WIDTH, shown

WIDEST = 1400
"""Pixels to which wider pictures are reduced."""
LONGEST = 40
"""Lines of a command's output that are shown."""
_NARROW, _REACHED = 576, ' tabindex="0"'
"""Pixels from which on a figure's letters are too small on a phone: there it is shown that wide, and scrolls."""
_CODE = re.compile("`([^`]+)`")
_STYLE = """
:root { --back: #f6f7f9; --panel: #fff; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --accent: #0b5cad;
  --bad: #c2262e; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1318; --panel: #181d24; --text: #e7ebf0; --soft: #9aa5b1;
  --line: #333c47; --accent: #6cb0f5; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
main, header { max-width: 54rem; margin: 0 auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.5rem 0 .5rem; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 1.1rem 1.2rem;
  margin: 1rem 0; }
nav ol { columns: 2; column-gap: 2rem; padding-left: 1.4rem; margin: .3rem 0 1rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
p { margin: .6rem 0; }
.notice { border-left: 4px solid var(--bad); padding-left: .8rem; }
pre { overflow: auto; background: var(--back); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .7rem;
  margin: .6rem 0; font-size: .8rem; line-height: 1.4; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .88rem; padding-bottom: .2rem; }
th, td { padding: .25rem 1rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
figure { margin: 1rem 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px; padding: 4px; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .3rem; }
footer { color: var(--soft); font-size: .88rem; margin: 1.5rem 0 3rem; }
@media (max-width: 40rem) { nav ol { columns: 1; } section { padding: .9rem; } h1 { font-size: 1.35rem; }
  .scroll[tabindex] img { max-width: none; width: 36rem; } }
@media print { section { break-inside: avoid; } pre { white-space: pre-wrap; } }
"""


@dataclass(frozen=True)
class Picture:
    """A picture of the report: what somebody who does not see it is told, and what stands below it."""

    path: Path
    alt: str
    caption: str


@dataclass(frozen=True)
class Table:
    """A table of the report; the first line is its head."""

    caption: str
    lines: Sequence[Sequence[object]]


@dataclass
class Chapter:
    """A step: what was done, by which commands, what came out. Parts stand in the order in which they were added."""

    title: str
    parts: list[str | Picture | Table | tuple[str, str]] = field(default_factory=list)
    """Texts, pictures, tables, and commands with what they printed."""
    seconds: float = 0.0

    def text(self, *texts: str) -> None:
        """Paragraphs."""
        self.parts += texts

    def command(self, command: str, output: str = "") -> None:
        """A command, and those lines of its output that matter."""
        self.parts.append((command, output))

    def picture(self, path: Path, alt: str, caption: str) -> None:
        self.parts.append(Picture(path, alt, caption))

    def table(self, caption: str, *lines: Sequence[object]) -> None:
        self.parts.append(Table(caption, lines))


def write_report(path: Path, chapters: Sequence[Chapter], summary: Sequence[str], failure: str = "") -> Path:
    """Write the report whole or not at all; `failure` says why it ends early."""
    title = "Findings in X-ray-like images: from raw files to a service that is watched"
    contents = "".join(f'<li><a href="#step-{i}">{_text(each.title)}</a></li>' for i, each in enumerate(chapters, 1))
    notice = f'<p class="notice" role="alert">{_text(failure)}</p>' if failure else ""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    body = "".join(_chapter(i, each) for i, each in enumerate(chapters, 1))
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<header>\n<h1>{title}</h1>\n{_paragraphs(summary)}{notice}\n"
        f'<nav aria-label="Steps"><ol>{contents}</ol></nav>\n</header>\n<main>\n{body}'
        f"<footer>Written by <code>make capstone</code>. All images are drawn by a simulation: they show no patient, "
        f"and nothing here is a diagnosis.</footer>\n</main>\n</body>\n</html>\n"
    )
    aside = path.with_name(f".{path.name}")
    aside.write_text(page, encoding="utf-8", errors="backslashreplace")
    aside.replace(path)
    return path


def _chapter(number: int, chapter: Chapter) -> str:
    parts = "".join(_part(part) for part in chapter.parts)
    time = f'<p class="time"><small>{chapter.seconds:.0f} seconds</small></p>' if chapter.seconds >= 0.5 else ""
    return f'<section id="step-{number}"><h2>{number}. {_text(chapter.title)}</h2>\n{parts}{time}</section>\n'


def _part(part: str | Picture | Table | tuple[str, str]) -> str:
    if isinstance(part, str):
        return _paragraphs([part])
    if isinstance(part, Picture):
        address, width, height = _address(part.path)
        return (
            f'<figure><div class="scroll"{_REACHED if width > _NARROW else ""}><img src="{address}" width="{width}" '
            f'height="{height}" alt="{html.escape(part.alt, quote=True)}"></div><figcaption>'
            f"{_text(part.caption)}</figcaption></figure>\n"
        )
    if isinstance(part, Table):
        head, *lines = part.lines
        rows = _row("th", head) + "".join(_row("td", line) for line in lines)
        return f'<div class="scroll"><table><caption>{_text(part.caption)}</caption>{rows}</table></div>\n'
    command, output = part
    lines = [short for line in output.strip("\n").split("\n") for short in _wrapped(line)] if output.strip() else []
    lines = [*lines[:LONGEST], f"… and {len(lines) - LONGEST} lines more"] if len(lines) > LONGEST else lines
    return f'<pre tabindex="0">{_text("$ " + shown(command))}\n{_text(chr(10).join(lines))}</pre>\n'


def _wrapped(line: str) -> list[str]:
    """A line of a command's output, broken where it is very long."""
    if len(line) <= 1.2 * WIDTH:
        return [line]
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _row(tag: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(str(cell))}</{tag}>' for cell in cells)}</tr>"


def _paragraphs(texts: Sequence[str]) -> str:
    return "".join(f"<p>{_CODE.sub(_code, _text(text))}</p>\n" for text in texts)


def _code(found: re.Match[str]) -> str:
    return f"<code>{found[1]}</code>"


def _text(text: str) -> str:
    """Escaped, without the names of folders of this machine."""
    return html.escape(text.replace(os.getcwd() + os.sep, ""), quote=False)


def _address(path: Path) -> tuple[str, int, int]:
    """A picture as a `data:` address, and its size; large ones as WebP and no wider than `WIDEST`."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    picture.thumbnail((WIDEST, 4 * WIDEST))
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=86, method=3)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}", *picture.size
