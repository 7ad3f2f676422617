"""Commands about data sets: data list, data fetch, data verify."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from suite.cli import options
from suite.cli.options import Json, Quiet
from suite.errors import UserError


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
    widths = [None, 24, None, 22, 8, 32]
    options.show(table, as_json, lambda: print(tabulate(rows, headers=headers, maxcolwidths=widths)))


def data_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Sets; all of the catalogue without any.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Fetches sets from a mirror (SUITE_MIRROR), a package or the official address. Example: suite data fetch mnist"""
    from suite import offline
    from suite.data import sources

    tell = options.teller(quiet, as_json)
    found: dict[str, dict[str, Any]] = {}
    with offline.allowed():
        for name in names or sources.catalogue():
            try:
                path = options.relative(sources.fetch(name, progress=tell))
                found[name] = {"here": True, "path": path}
                tell(f"{name}: {path}")
            except UserError as error:
                if error.code == 2:
                    raise
                found[name] = {"here": False, "error": str(error)}
                options.complain(str(error))
    code = 0 if all(entry["here"] for entry in found.values()) else 1
    if as_json:
        print(json.dumps({"exit": code, "sets": found}, indent=1, ensure_ascii=False))
    return code


def data_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Sets; all that are here without any.")] = None,
    as_json: Json = False,
) -> int:
    """Hashes every byte of the sets that are here. Example: suite data verify mnist"""
    from suite.data import sources

    found: dict[str, dict[str, Any]] = {}
    tell = options.teller(as_json, as_json)
    for name in names or sources.catalogue():
        if sources.locate(name) is None and not names:
            found[name] = {"here": False, "problems": []}
            tell(f"{name}: not here")
            continue
        problems = sources.verify(name)
        found[name] = {"here": sources.locate(name) is not None, "problems": problems}
        tell("\n".join(problems) if problems else f"{name}: every byte as in the catalogue")
    code = 1 if any(entry["problems"] for entry in found.values()) else 0
    if as_json:
        print(json.dumps({"exit": code, "sets": found}, indent=1, ensure_ascii=False))
    return code
