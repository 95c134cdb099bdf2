"""The page: texts as HTML, numbers of the curves and pictures as data that its script takes when they are looked at.

Whatever a run says is escaped, and the page's security policy runs no script but its own and loads nothing.
"""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import quote

from markdown_it import MarkdownIt

from torchworks.shared.runs.gallery.pictures import Media, media_of
from torchworks.shared.runs.gallery.reading import LeftOut, Run
from torchworks.shared.runs.gallery.scores import Score

MARK = '<meta name="generator" content="torchworks gallery">'
"""By which a gallery is known again."""
SHOWN = 3
"""Scores that a run shows before they are asked for."""


def write_page(out: Path, runs: list[Run], left_out: list[LeftOut], root: Path) -> int:
    """Write the page whole or not at all; returns its bytes."""
    aside = out.with_name(f".writing-{out.name}")
    try:
        with aside.open("wb") as file:
            for part in page(runs, left_out, root, out.parent):
                file.write(part.encode("utf-8", "backslashreplace"))
        size = aside.stat().st_size
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    return size


def page(runs: list[Run], left_out: list[LeftOut], root: Path, place: Path) -> Iterator[str]:
    """The page in parts, of which the pictures come last, so that the texts are there while those are still read.
    `place` is the folder that it will lie in."""
    style = _asset("style.css")
    script = _asset("charts.js") + _asset("compare.js") + _asset("gallery.js")
    cards, pictures = [], []
    for number, run in enumerate(runs):
        notes = list(run.notes)
        found = media_of(run.folder, notes)
        names = [f"p{number}-{i}" for i in range(len(found))]
        cards.append(_card(number, run, found, names, notes, place))
        pictures += [text for each, name in zip(found, names, strict=True) for text in _addresses(each, name)]
    body = {
        "mark": MARK,
        "policy": f"default-src 'none'; img-src data:; media-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'",
        "style": style,
        "root": html.escape(root.resolve().name or str(root)),
        "count": f"{len(runs)} finished run{'s' * (len(runs) != 1)}",
        "packages": _options(run.package for run in runs),
        "cards": "\n".join(cards),
        "left_out": _left_out(left_out),
        "data": _json([_numbers(run) for run in runs]),
    }
    yield Template(_asset("page.html")).substitute(body)
    yield from pictures
    yield f"<script>{script}</script>\n</body>\n</html>\n"


@cache
def _asset(name: str) -> str:
    return files("torchworks.shared.runs.gallery").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(data: object) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _options(names: Iterable[str]) -> str:
    return "".join(f"<option>{html.escape(name)}</option>" for name in sorted(set(names)))


def _numbers(run: Run) -> dict[str, object]:
    """What the page's script needs of a run."""
    return {
        "name": run.name,
        "package": run.package,
        "recipe": run.recipe,
        "data": run.data,
        "started": run.started,
        "facts": run.facts,
        "scores": [asdict(score) for score in run.scores],
        "settings": run.settings,
        "curves": {name: [curve.kind, curve.steps, curve.values] for name, curve in run.curves.items()},
    }


def _addresses(media: Media, name: str) -> Iterator[str]:
    """The elements that hold the address of a picture, film or sound until it is looked at."""
    yield f'<script type="text/plain" id="{name}">{media.address}</script>\n'
    if media.still:
        yield f'<script type="text/plain" id="{name}-still">{media.still}</script>\n'


def _card(number: int, run: Run, found: list[Media], names: list[str], notes: list[str], place: Path) -> str:
    """A run as an item of the page's list."""
    media = [_media(each, name, run) for each, name in zip(found, names, strict=True)]
    seed = f"seed {run.seed}" if run.seed is not None else ""
    started = run.started.replace("T", " ").removesuffix("Z")[:16]
    parts = [
        f'<li class="run" data-run="{number}" id="run-{number}">',
        *(media[:1] or []),
        f'<h2><span class="recipe">{html.escape(run.recipe)}</span> on {html.escape(run.data)}</h2>',
        f'<p class="where">{_joined(run.package, seed, started)}<br>{_link(run, place)}</p>',
        _scores(run.scores[:SHOWN]),
        '<div class="curve" data-curve="first"></div>',
        *([_details("More samples", "".join(media[1:]))] if media[1:] else []),
        *([_details("All scores", _scores(run.scores[SHOWN:]))] if run.scores[SHOWN:] else []),
        *([_details("All curves", '<div class="curves" data-curve="all"></div>')] if len(run.curves) > 1 else []),
        *([_details("Command", _command(run.command))] if run.command else []),
        *([_details("Model card", f'<div class="card">{_markdown(run.card)}</div>')] if run.card else []),
        *([_details("What the training doctor said", _items(run.findings))] if run.findings else []),
        *([_details("Not shown here", _items(notes))] if notes else []),
        f'<label class="pick"><input type="checkbox" data-pick="{number}"> Compare'
        f'<span class="unseen"> {html.escape(run.name)}</span></label>',
        "</li>",
    ]
    return "\n".join(parts)


def _joined(*texts: str) -> str:
    return " · ".join(html.escape(text) for text in texts if text)


def _link(run: Run, place: Path) -> str:
    """The folder, as a link that works while the page lies where it was written."""
    try:
        target = quote(Path(os.path.relpath(run.folder, place)).as_posix(), errors="surrogateescape")
    except ValueError:  # another drive
        target = ""
    name = html.escape(run.name)
    return f'<a href="./{target}/">{name}</a>' if target else name


def _media(media: Media, name: str, run: Run) -> str:
    what = html.escape(f"{Path(media.name).stem} of {run.name}", quote=True)
    if media.kind == "sound":
        caption = html.escape(Path(media.name).name)
        player = f'<audio controls preload="none" data-sound="{name}" aria-label="{what}"></audio>'
        return f"<figure><figcaption>{caption}</figcaption>{player}</figure>"
    size = f'width="{media.width}" height="{media.height}"'
    if media.kind == "film":
        return (
            f'<button type="button" class="film" aria-pressed="false" data-film="{name}" aria-label="Play {what}">'
            f'<img data-picture="{name}-still" {size} alt=""></button>'
        )
    return f'<img data-picture="{name}" {size} alt="{what}">'


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def _items(texts: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def _command(command: str) -> str:
    button = '<button type="button" class="copy">Copy</button>'
    return f'<div class="command"><pre tabindex="0">{html.escape(command)}</pre>{button}</div>'


@cache
def _parser() -> MarkdownIt:
    """CommonMark with tables; HTML is text, and pictures, which the page has of its own, are left out."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", lambda self, tokens, i, options, env: "")
    return parser


def _markdown(text: str) -> str:
    """A card's headings stand below that of its run. It loses its title, which the run has, and its links."""
    body = re.sub(r"\A# .*\n", "", text)
    made = _parser().render(body)
    made = re.sub(r"<(/?)h([1-6])>", lambda found: f"<{found[1]}h{min(6, int(found[2]) + 1)}>", made)
    return re.sub(r"</?a\b[^>]*>", "", made).replace("<table>", '<div class="scroll"><table>').replace(
        "</table>", "</table></div>"
    )  # fmt: skip


def _scores(scores: list[Score]) -> str:
    return "".join(_score(score) for score in scores)


def _score(score: Score) -> str:
    """The score and all that stands beside it, as bars from zero on one scale; alone, it is a number without a bar."""
    kind = "own" if score.beside else "own alone"
    lines = [(score.name.replace("_", " "), score.value, kind), *((name, v, "") for name, v in score.beside.items())]
    ends = [0.0, *(value for _, value, _ in lines if value is not None)]
    low, high = min(ends), max(ends)
    rows = "".join(_row(name, value, low, high, kind) for name, value, kind in lines)
    between = ""
    if score.low is not None and score.high is not None:
        between = (
            f'<tr><td class="between" colspan="3">95 % interval {shown(score.low)} to {shown(score.high)}</td></tr>'
        )
    return f'<table class="bars"><tbody>{rows}{between}</tbody></table>'


def _row(name: str, value: float | None, low: float, high: float, kind: str) -> str:
    if kind == "own alone":
        return (
            f'<tr class="own"><th scope="row" colspan="2">{html.escape(name)}</th>'
            f'<td class="number">{shown(value)}</td></tr>'
        )
    start, width = _extent(value, low, high)
    return (
        f'<tr class="{kind}"><th scope="row">{html.escape(name)}</th>'
        f'<td class="bar"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{start:.1f}" width="{width:.1f}" height="1"/></svg></td><td class="number">{shown(value)}</td></tr>'
    )


def _extent(value: float | None, low: float, high: float) -> tuple[float, float]:
    """Left end and width of a bar from zero, in percent of the way from `low` to `high`."""
    if value is None or high == low:
        return 0.0, 0.0
    ends = sorted(100 * (x - low) / (high - low) for x in (0.0, value))
    return ends[0], ends[1] - ends[0]


def shown(value: float | None) -> str:
    """Four digits; – for a number that is not finite."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _left_out(left_out: list[LeftOut]) -> str:
    if not left_out:
        return ""
    rows = "".join(f"<li><code>{html.escape(each.name)}</code> {html.escape(each.reason)}</li>" for each in left_out)
    count = f"{len(left_out)} folder{'s are' if len(left_out) > 1 else ' is'} left out"
    return f'<details class="left-out"><summary>{count}</summary><ul>{rows}</ul></details>'
