"""Commands that write tracked files: report, pipeline, new."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from suite.cli import options
from suite.cli.options import Json


def report(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a page is old.")] = False,
    as_json: Json = False,
) -> int:
    """Writes the scoreboard, the papers' pages and their figures from the records. Example: suite report"""
    from suite import papers, project
    from suite.report import markdown, model

    root = project.root()
    old = options.tell_old_keys()
    pages, broken = options.of_each(papers.names(), model.page)
    changed = (old if check else []) + [path for page in pages for path in markdown.write_page(page, root, check)]
    if broken:
        options.complain("the scoreboard counts all papers, so it stays as it is until these are mended")
    else:
        changed += markdown.write_scoreboard(model.scoreboard(pages=pages), root, check)
    end = f"{len(changed)} pages {'are old: make report' if check else 'written'}"
    return _told(changed, check, broken, end if changed else "all pages are current", as_json)


def pipeline(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a file is old.")] = False,
    keys_only: Annotated[
        bool, typer.Option("--keys", help="Only the key files, as the stage of that name does.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only say what is current, stale, failed or absent.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Writes the stage files of DVC and the key files from the papers. Example: suite pipeline --check"""
    from suite import pipeline as room
    from suite import summary as summaries

    if summary:
        found = summaries.summarise()
        options.show(found.as_json(), as_json, lambda: print("\n".join(found.lines())))
        return found.code
    broken: dict[str, str] = {}
    changed = room.write_all(check=check, keys_only=keys_only, broken=broken)
    options.tell_broken(broken)
    if broken and not keys_only:
        options.complain("files that hold stages or keys of several papers stay as they are until these are mended")
    code = _told(changed, check, broken, "", as_json)
    # Every stage waits for 'keys': the broken paper alone is to fail, in its own stages and in the report.
    return 0 if keys_only and not check else code


def new(
    number: Annotated[int, typer.Argument(help="The paper's number, 1 to 99.")],
    ident: Annotated[str, typer.Argument(help="A short id: lower case, digits, underscores.")],
    as_json: Json = False,
) -> None:
    """Writes the three files of a new paper from templates. Example: suite new 64 my_paper"""
    from suite import new as room
    from suite import project

    written = [options.relative(path) for path in room.create(number, ident, project.root())]

    def text() -> None:
        for path in written:
            print(f"written: {path}")
        print(f"now: suite run {number} --scale smoke; suite show {number}; the contract test says what is missing")

    options.show({"written": written}, as_json, text)


def _told(changed: Sequence[Path], check: bool, broken: Mapping[str, str], end: str, as_json: bool) -> int:
    """Prints which files were, or are to be, written; the exit code."""
    code = 1 if broken or (check and changed) else 0
    names = [options.relative(path) for path in changed]
    if as_json:
        print(json.dumps({"exit": code, "old" if check else "written": names, "broken": dict(broken)}, indent=1))
        return code
    for name in names:
        print(f"{'old' if check else 'written'}: {name}")
    if end:
        print(end)
    return code
