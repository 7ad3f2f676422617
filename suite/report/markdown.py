"""The tracked pages as GitHub-Flavoured Markdown that also reads as plain text: a page per paper and the scoreboard."""

from __future__ import annotations

from pathlib import Path

from suite import project, store
from suite.errors import UserError
from suite.report import figures, model, show
from suite.report.entries import CLAIM_WORDS, DECIDED, Page, Scoreboard
from suite.report.page import paper, place
from suite.report.show import grid

BEGIN, END = "<!-- scoreboard -->", "<!-- /scoreboard -->"
NONE = "·"
WORDS = {
    "holds": "every part that the claim needs was tested on paired seeds and found as claimed",
    "reversed": "the same test finds the opposite",
    "tied": "the difference was shown to lie within the margin that was declared before the run",
    "inconclusive": "the seeds decide neither; beside it stands what would",
    "exact, contradicts": "a count or an algebraic fact that was computed and is met, or is not",
    "trend": "a direction (for, against, flat) below the scale that decides the claim; never counted as decided",
    "open": "rows are missing or nobody has run it; beside it stands why",
    "not run": "left out on purpose, with the reason",
    "private data": "decidable only on data that is not public",
    "reproduced": "a printed number, at full alone: the 95 % interval of ours minus the print lies inside the margin",
    "refuted, deviates": "its 97.5 % interval lies outside the margin; or excludes 0 without lying outside",
    "current": "the results belong to the present code, settings and data",
    "stale": "they belong to earlier ones; the page says what changed, and their verdicts stay",
    "unchecked": "the file of present keys is not there to tell",
    "smoke, reduced, full": "seconds, to show that the code runs; minutes on real data; the paper's own setting",
    "post hoc": "the claim's rule, or the number's margin, was changed after the run that it judges",
}


def write_all(check: bool = False, root: Path | None = None) -> list[Path]:
    """Writes every page, its figures, the scoreboard and the excerpt in README.md; returns the files that changed.

    With ``check`` nothing is written, and the files that would change are returned.
    """
    root = root or project.root()
    board = model.scoreboard(root=root)
    changed = [path for page in board.pages for path in write_page(page, root, check)]
    return changed + write_scoreboard(board, root, check)


def write(stem: str | None, root: Path | None = None, check: bool = False) -> list[Path]:
    """Writes one paper's page and figures, or with None the scoreboard and the excerpt in README.md."""
    root = root or project.root()
    if stem is None:
        return write_scoreboard(model.scoreboard(root=root), root, check)
    return write_page(model.page(stem, root), root, check)


def write_page(page: Page, root: Path, check: bool = False) -> list[Path]:
    """Writes the page and figures of facts that are there already."""
    text = paper(page, figures.drawings(page, root), root)
    return figures.write(page, root, check) + _put(root / "reports" / page.stem / "README.md", text, check)


def write_scoreboard(board: Scoreboard, root: Path, check: bool = False) -> list[Path]:
    """Writes ``reports/README.md`` and the excerpt between the markers of the project's README, where it has them."""
    changed = _put(root / "reports" / "README.md", scoreboard(board), check)
    readme = root / "README.md"
    if readme.is_file() and BEGIN in (text := readme.read_text(encoding="utf-8")):
        changed += _put(readme, with_excerpt(text, excerpt(board)), check)
    return changed


def with_excerpt(text: str, inserted: str) -> str:
    """A text with the lines between its markers replaced; UserError where they do not stand once each, in order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UserError(f"README.md must hold {BEGIN} and {END} once each, in this order; put them back", 1)
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    return f"{before}{BEGIN}\n{inserted}\n{after}"


def excerpt(board: Scoreboard, stem: str | None = None) -> str:
    """A few lines for the project's README: the counts of all, and the decided claims of one paper.

    Without ``stem`` the paper is the one with the most decided claims.
    """
    pages = [page for page in board.pages if stem in (None, page.stem)]
    lines = [f"Claims of {show.papers(len(board.pages))}: {show.counts(board.claim_counts)}.", ""]
    page = max(pages, key=lambda p: sum(p.claim_counts[word] for word in DECIDED), default=None)
    decided = [claim for claim in page.claims if claim.word in DECIDED] if page else []
    if page and decided:
        rows = [[c.says, c.word, place(c), show.effects(c, intervals=True), c.effect or show.NOTHING] for c in decided]
        headers = [f"paper {page.number} ({page.year}) says", "verdict", "at", "measured (printed)", "in words"]
        lines += [grid(rows, headers), ""]
    return "\n".join([*lines, "All papers, and how to read this: [reports/README.md](reports/README.md)."])


def _put(path: Path, text: str, check: bool) -> list[Path]:
    if check:
        return [] if path.is_file() and path.read_text(encoding="utf-8") == text else [path]
    return [path] if store.write_if_changed(path, text) else []


# The scoreboard -----------------------------------------------------------------------------------------------------


def scoreboard(board: Scoreboard) -> str:
    """The page of all papers."""
    claims, numbers = board.claim_counts, board.number_counts
    head = ["paper", *CLAIM_WORDS, "numbers", "largest scale", "state"]
    rows = []
    for page in board.pages:
        counts = [str(n or NONE) for n in page.claim_counts.values()]
        link = f"[{page.number} {page.title}]({page.stem}/README.md)"
        rows.append([link, *counts, show.counts(page.number_counts), page.scale or "none", page.standing])
    words = [[f"**{word}**", meaning] for word, meaning in WORDS.items()]
    blocks = [
        "# Does what they printed hold?",
        f"{show.papers(len(board.pages))}, {sum(claims.values())} claims: {show.counts(claims)}. "
        f"Printed numbers: {show.counts(numbers)}.",
        grid(rows, head) if rows else "No paper is there yet: `suite new`.",
        "## How to read it",
        "A line counts the claims of a paper by their verdict. A claim has one verdict, at the largest scale that "
        "decides it; the paper's page shows its parts, the seeds, both measured sides and the reason. "
        f"`{NONE}` stands for none.",
        grid(words, ["word", "means"]),
        "Every page is written by `suite report` from the records in git. The same for the terminal: `suite list`, "
        "`suite show 17`, `suite verdicts --verdict reversed`.",
    ]
    return "\n\n".join(blocks) + "\n"
