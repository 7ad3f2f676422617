"""Commands that only look: list, show, verdicts, why."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from suite import arguments
from suite.cli import options
from suite.cli.options import Json, Scale


def list_papers(
    family: Annotated[str | None, typer.Option(help="Only papers of this family.")] = None,
    as_json: Json = False,
) -> int:
    """The papers with the counts of their verdicts. Example: suite list --family adversarial"""
    from suite import papers
    from suite.report import model, terminal

    options.tell_old_keys()
    pages, broken = options.of_each(papers.names(), model.page)
    board = model.scoreboard(family=family, pages=pages)
    value = terminal.as_json(board) | {"broken": broken}
    options.show(value, as_json, lambda: terminal.scoreboard(board))
    return 1 if broken else 0


def show(
    paper: Annotated[str, typer.Argument(help="17, p17, jacobian_uap or the stem.")],
    mine: Annotated[bool, typer.Option("--mine", help="Lay private runs beside the committed records.")] = False,
    as_json: Json = False,
) -> None:
    """A paper's results beside its print, with verdicts. Example: suite show 17"""
    from suite.report import model, terminal

    stem = options.paper(paper)
    options.tell_old_keys()
    page = model.page(stem)
    options.show(terminal.as_json(page), as_json, lambda: terminal.show(page, mine=mine))


def verdicts(
    paper: Annotated[str | None, typer.Argument(help="One paper; all without it.")] = None,
    word: Annotated[str | None, typer.Option("--verdict", help="Only verdicts that begin with this word.")] = None,
    as_json: Json = False,
) -> int:
    """Every verdict in one line with its reason. Example: suite verdicts --verdict reversed"""
    from suite import papers
    from suite.report import model, terminal

    options.tell_old_keys()
    pages, broken = options.of_each([options.paper(paper)] if paper else papers.names(), model.page)
    kept = [replace(page, claims=tuple(c for c in page.claims if c.word.startswith(word or ""))) for page in pages]
    value = [terminal.as_json(page) for page in kept] if as_json else None
    options.show(value, as_json, lambda: terminal.verdicts(pages, word))
    return 1 if broken else 0


def why(
    paper: Annotated[str, typer.Argument(help="A paper, or a unit of it: 17.table1")],
    scale: Scale = "reduced",
    as_json: Json = False,
) -> None:
    """Which results are stale, and which change made them so. Example: suite why 17.table1"""
    from suite import command, plan

    stem, units = options.target(paper)
    arguments.scale(scale)
    found: dict[str, list[str]] = {}
    states: dict[str, str] = {}
    for step in plan.standing(stem, scale, units):
        name = f"{step.task.ident} seed {step.task.seed}"
        states[name] = step.state
        found[name] = command.why(step.task) if step.state == "stale" else []

    def text() -> None:
        for name, state in states.items():
            print(f"{name}: {'never measured' if state == 'todo' else state}")
            for line in found[name]:
                print(f"    {line}")

    options.show({name: {"state": states[name], "changed": found[name]} for name in states}, as_json, text)
