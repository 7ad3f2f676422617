"""The views of the command line: 100 columns, coloured in a terminal, plain elsewhere, and all of it as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from suite import project, store
from suite.report import model
from suite.report import show as write
from suite.report.entries import CLAIM_WORDS, CellEntry, ClaimEntry, Page, Scoreboard, TableEntry, plain

WIDTH = 100
SHORT = {"reversed": "rev.", "inconclusive": "inc.", "contradicts": "contr.", "private data": "priv."}
STYLES = {
    "holds": "bold green",
    "exact": "bold green",
    "reproduced": "bold green",
    "reversed": "bold red",
    "contradicts": "bold red",
    "refuted": "bold red",
    "tied": "bold blue",
    "deviates": "bold yellow",
    "inconclusive": "bold yellow",
    "stale": "yellow",
    "failed": "bold red",
    "killed": "bold red",
}


def as_json(value: Any) -> Any:
    """The facts of a page or of the scoreboard as ``json.dumps`` takes them, with their counts."""
    found = plain(value)
    if isinstance(value, Page):
        found |= {"scale": value.scale, "standing": value.standing}
        found |= {"claim_counts": value.claim_counts, "number_counts": value.number_counts}
    if isinstance(value, Scoreboard):
        found = {"claim_counts": value.claim_counts, "number_counts": value.number_counts}
        found["papers"] = [
            {"stem": p.stem, "number": p.number, "title": p.title, "family": p.family, "scale": p.scale}
            | {"standing": p.standing, "claim_counts": p.claim_counts, "number_counts": p.number_counts}
            for p in value.pages
        ]
    return found


def scoreboard(board: Scoreboard, console: Console | None = None) -> None:
    """A line a paper with the counts of its verdicts (``suite list``)."""
    out = console or _console()
    used = [word for word in CLAIM_WORDS if board.claim_counts[word]]
    rows = []
    for page in board.pages:
        counts = [str(page.claim_counts[word] or "·") for word in used]
        rows.append([str(page.number), page.title, *counts, page.scale or "none", page.standing])
    headers = ["", "paper", *(SHORT.get(word, word) for word in used), "scale", "state"]
    _table(out, headers, rows, wrap=(1,))
    _line(out, f"{write.papers(len(rows))}; claims: {write.counts(board.claim_counts)}")
    _line(out, f"printed numbers: {write.counts(board.number_counts)}")


def verdicts(pages: Iterable[Page], word: str | None = None, console: Console | None = None) -> None:
    """Every claim in a line with its reason (``suite verdicts``); ``word`` keeps the verdicts that begin with it."""
    out = console or _console()
    rows = [
        [f"{page.number} {claim.id}", claim.word, _at(claim), claim.reason]
        for page in pages
        for claim in page.claims
        if claim.word.startswith(word or "")
    ]
    if not rows:
        _line(out, f"no claim is {word!r}; the words are {', '.join(CLAIM_WORDS)}")
        return
    _table(out, ["claim", "verdict", "at", "why"], rows, wrap=(3,))


def show(page: Page, mine: bool = False, console: Console | None = None, root: Path | None = None) -> None:
    """A paper's results beside its print (``suite show``); ``mine`` lays private runs beside the committed records."""
    out = console or _console()
    _line(out, f"{page.number} {page.title} ({page.venue})", "bold")
    for state in page.states:
        _line(out, f"  {state.scale:<8} {write.state(state)}", STYLES.get(state.standing, "") if state.done else "")
        if state.done and state.differs:
            _line(out, f"           settings: {write.differs(state)}", "dim")
    _line(out, f"  claims: {write.counts(page.claim_counts)}; printed numbers: {write.counts(page.number_counts)}")
    _claims(out, page)
    for table in page.tables:
        if table.cells:
            _printed(out, table)
    for table in page.ours:
        if table.cells:
            _ours(out, table)
    _not_run(out, page)
    _failures(out, page)
    if mine:
        _mine(out, page, root or project.root())


def failures(page: Page, home: Path | None = None) -> list[dict[str, Any]]:
    """The units of a paper, and the trainings that it uses, that failed, were killed or are running now."""
    found = []
    for state in store.states(home or project.home()):
        room, _, rest = state["unit"].partition("/")
        recipe = rest.rpartition("/")[2].rpartition(".s")[0]
        if room == page.stem or (room == "recipes" and recipe in page.recipes):
            found.append(state)
    return found


def private(page: Page, root: Path, home: Path | None = None) -> list[tuple[str, Page]]:
    """The private runs of a paper (``--set``, ``--fresh``, stand-ins): a name, and a page read from the run alone."""
    folders = sorted((home or project.home()).glob(f"runs/*/{page.stem}/*"))
    return [
        (f"{folder.parents[1].name} at {folder.name}", model.page(page.stem, root, runs={folder.name: folder}))
        for folder in folders
        if folder.is_dir()
    ]


def _claims(out: Console, page: Page) -> None:
    rows = []
    for claim in page.claims:
        told = [claim.says, write.effects(claim, intervals=True), claim.reason]
        n = claim.shown.verdict.n if claim.shown else 0
        rows.append([claim.id, claim.word, _at(claim), str(n or write.NOTHING), "\n".join(t for t in told if t != "-")])
    headers = ["claim", "verdict", "at", "n", "what it says; what was measured (printed); why this verdict"]
    _table(out, headers, rows, "Claims", wrap=(4,))


def _at(claim: ClaimEntry) -> str:
    at = claim.shown
    if at is None:
        return write.NOTHING
    marks = [word for word, there in (("stale", at.standing == "stale"), ("post hoc", at.verdict.post_hoc)) if there]
    return "\n".join([at.scale, *marks])


def _printed(out: Console, table: TableEntry) -> None:
    several = len({cell.metric for cell in table.cells}) > 1
    judged = any(cell.word not in ("no verdict below full", "not run", "drawn") for cell in table.cells)
    scales = table.scales
    headers = [*(["metric"] * several), *table.axes, "printed", *(scales or ["measured"]), *(["verdict"] * judged)]
    rows = []
    for cell in table.cells:
        by_scale = {m.scale: write.measured(m, cell.printed).replace(", n = ", ", n=") for m in cell.measured}
        measured = [by_scale.get(scale, write.NOTHING) for scale in scales] or [write.NOTHING]
        labels = [*([cell.metric] * several), *(cell.at.get(axis, write.NOTHING) for axis in table.axes)]
        verdict = "\n".join([cell.word, *write.marks(cell)]).replace("than printed", "than\nprinted")
        rows.append([*labels, write.printed(cell), *measured, *([verdict] * judged)])
    _table(out, headers, rows, f"{table.where}: {table.about}", wrap=_measured(headers, table))
    reasons = dict.fromkeys(f"  {write.whose(cell)}{cell.word}: {cell.reason}" for cell in table.cells)
    for reason in reasons:
        _line(out, reason, "dim")


def _ours(out: Console, table: TableEntry) -> None:
    metrics = list(dict.fromkeys(cell.metric for cell in table.cells))
    rows: dict[tuple[str, ...], dict[str, CellEntry]] = {}
    for cell in table.cells:
        rows.setdefault(tuple(cell.at.get(axis, write.NOTHING) for axis in table.axes), {})[cell.metric] = cell
    lines = []
    for labels, cells in rows.items():
        found = [cells[m].measured[0] if m in cells and cells[m].measured else None for m in metrics]
        lines.append([*labels, *(write.measured(m) if m else write.NOTHING for m in found)])
    scale = table.scales[0] if table.scales else "not measured"
    headers = [*table.axes, *metrics]
    _table(out, headers, lines, f"{table.id} ({scale}): {table.about}", wrap=range(len(table.axes), len(headers)))


def _measured(headers: Sequence[str], table: TableEntry) -> list[int]:
    return [place for place, header in enumerate(headers) if header in (*table.scales, "measured")]


def _not_run(out: Console, page: Page) -> None:
    by_reason: dict[str, list[str]] = {}
    for left in page.not_run:
        cost = "" if left.minutes is None else f", about {write.duration(left.minutes)} on one core"
        command = f": {left.command}" if left.command else ""
        where = f" at {left.scale}" if left.scale else ""
        by_reason.setdefault(f"{left.reason}{where}{cost}{command}", []).append(left.id)
    rows = [[", ".join(ids), reason] for reason, ids in by_reason.items()]
    if rows:
        _table(out, ["what", "why"], rows, "Not run", wrap=(0, 1))


def _failures(out: Console, page: Page) -> None:
    rows = []
    for state in failures(page):
        owner = f"started {state.get('start', 'at an unknown time')} by process {state['pid']} on {state['host']}"
        rows.append([state["state"], state.get("task", state["unit"]), state.get("message") or owner])
    if rows:
        _table(out, ["state", "unit", "message"], rows, "Failed, killed or running now", wrap=(1, 2))


def _mine(out: Console, page: Page, root: Path) -> None:
    runs = private(page, root)
    if not runs:
        _line(out, "")
        _line(out, f"no private run of {page.number}: suite run {page.number} --fresh, or --set field=value")
    words = {claim.id: claim.word for claim in page.claims}
    for name, own in runs:
        commands = ", ".join(dict.fromkeys(p.command for p in own.provenance)) or "nothing finished yet"
        headers = ["table", "row", "metric", "mine", "committed", "printed"]
        _table(out, headers, _beside(page, own), f"Private run {name}: {commands}", wrap=(1, 3, 4))
        judged = [[c.id, c.word, words.get(c.id, write.NOTHING), c.reason] for c in own.claims if c.shown]
        _table(out, ["claim", "mine", "committed", "why mine"], judged, " ", wrap=(3,))


def _beside(page: Page, own: Page) -> list[list[str]]:
    """The cells of a private run, each beside the committed one of the same scale and the printed one."""
    committed = {(c.table, *c.at.items(), c.metric): c for t in (*page.tables, *page.ours) for c in t.cells}
    rows = []
    for cell in (cell for table in (*own.tables, *own.ours) for cell in table.cells if cell.measured):
        mine = cell.measured[0]
        other = committed.get((cell.table, *cell.at.items(), cell.metric))
        theirs = [m for m in other.measured if m.scale == mine.scale] if other else []
        told = write.measured(theirs[0], cell.printed) if theirs else write.NOTHING
        printed = write.NOTHING if mine.played else write.printed(cell)
        labels = " ".join(cell.at.values())
        rows.append([cell.table, labels, cell.metric, write.measured(mine, cell.printed), told, printed])
    return rows


# Output -------------------------------------------------------------------------------------------------------------


def _console() -> Console:
    console = Console(highlight=False, emoji=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, markup=False, width=WIDTH)


def _line(out: Console, text: str, style: str = "") -> None:
    out.print(Text(textwrap.fill(text, min(out.width, WIDTH), subsequent_indent="    "), style=style), soft_wrap=True)


def _table(
    out: Console, headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", wrap: Sequence[int] = ()
) -> None:
    """A table with a title; only the columns of ``wrap`` break lines, the others keep theirs."""
    if not rows:
        return
    if title:
        out.print()
        _line(out, title, "bold")
    if not out.is_terminal:
        widths = _widths(headers, rows, wrap)
        laid = tabulate(rows, headers, tablefmt="simple", disable_numparse=True, maxcolwidths=widths)
        out.print(Text(laid), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for place, header in enumerate(headers):
        table.add_column(header, no_wrap=place not in wrap and bool(wrap), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    out.print(table)


def _style(cell: str) -> str:
    return STYLES.get(cell.partition("\n")[0], "")


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]], wrap: Sequence[int]) -> list[int | None]:
    """The columns of ``wrap`` share what the others leave of the width, each at least 12 and at most what it needs."""
    natural = [len(header) + 2 for header in headers]  # tabulate pads heads by two
    for row in rows:
        natural = [max(n, *map(len, cell.split("\n"))) for n, cell in zip(natural, row, strict=True)]
    free = WIDTH - 2 * (len(headers) - 1) - sum(n for place, n in enumerate(natural) if place not in wrap)
    widths: list[int | None] = [None] * len(headers)
    left = sorted(wrap, key=lambda place: natural[place])
    for i, place in enumerate(left):
        share = max(12, free // (len(left) - i))
        widths[place] = min(natural[place], share) or 1
        free -= widths[place] or 0
    return widths
