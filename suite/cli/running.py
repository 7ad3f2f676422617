"""Commands that make records or bring them home: run, confirm, train, import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from suite import arguments
from suite.cli import options
from suite.cli.options import Device, Json, Quiet, Scale
from suite.errors import UserError

Jobs = Annotated[int, typer.Option(min=0, help="Processes of one thread each; 0: one a core.")]


def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Papers, units or parts: 17 12.fig1 17.table1@mnist.")
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
    jobs: Jobs = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 where a claim is reversed or a number refuted.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Measures what is not measured yet. Examples: suite run 17 --seeds 1; suite run 17.table1 --set epochs=1"""
    from suite import command, loading

    if bool(targets) == all_papers:
        raise UserError("name papers or units (suite run 17), or give --all")
    whole, broken = ([], {}) if targets else loading.sound()
    options.tell_broken(broken)
    named = [options.target(t) for t in targets] if targets else [(stem, []) for stem in whole]
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
    code = command.strict_code([stem for stem, _ in named]) if strict and code == 0 else code
    return 1 if broken and code in (0, 4) else code


def confirm(
    paper: Annotated[str, typer.Argument(help="The paper whose stale results to confirm.")],
    scale: Scale = "reduced",
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Measures one seed of what is stale; where nothing moved, all seeds count as current. Example: suite confirm 17"""
    from suite import confirm as room
    from suite import plan

    stem = options.paper(paper)
    before = plan.standing(stem, arguments.scale(scale)) if as_json else []
    code = room.confirm(stem, arguments.scale(scale), options.teller(quiet, as_json))
    if as_json:
        was_stale = {(step.task.ident, step.task.seed) for step in before if step.state == "stale"}
        now = {
            f"{s.task.ident} seed {s.task.seed}": s.state
            for s in plan.standing(stem, scale)
            if (s.task.ident, s.task.seed) in was_stale
        }
        print(json.dumps({"exit": code, "paper": stem, "scale": scale, "results": now}, indent=1))
    return code


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, as under reports/recipes/.")],
    seeds: Annotated[str | None, typer.Option(help="How many, a range (0-4) or a list.")] = None,
    if_stale: Annotated[bool, typer.Option("--if-stale", help="Skip seeds whose committed record is current.")] = False,
    jobs: Jobs = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Trains the weights that papers share. Example: suite train lenet-mnist-epochs3-dropout0.0 --seeds 0-4"""
    from suite import command

    return command.train(recipe, arguments.seeds(seeds), if_stale, jobs, quiet, as_json)


def import_records(
    folder: Annotated[Path, typer.Argument(help="Another checkout of the project, or its reports folder.")],
    only_plan: Annotated[bool, typer.Option("--plan", help="Check everything, write nothing.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Checks records that 'suite run' and 'suite train' made elsewhere, and files them. Example: suite import ../gpu"""
    from suite import importing, project

    project.root()
    found = importing.bring(folder, only_plan)
    if as_json:
        print(json.dumps(found.as_json(), indent=1, ensure_ascii=False))
    tell = options.teller(quiet or as_json, as_json)
    for line in found.lines(only_plan):
        tell(line)
    for name, reason in found.refused.items():
        options.complain(f"refused: {name}: {reason}")
    return found.code
