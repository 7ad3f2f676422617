"""Writes into docs/verdicts.md what programs know: the rates that the rules attain, and a verdict of each as example.

The prose of the page is written by hand; what stands between the marks of a block is replaced:
``<!-- rates R6 -->`` or ``<!-- example R6 -->`` up to ``<!-- end -->``. The same draws and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from suite import project, simulation
from suite.agreement import Printed, judge_number
from suite.errors import UserError
from suite.facts import Claim, Metric
from suite.statistics import Rate
from suite.verdict import judge_claim, judge_exact

PAGE = "docs/verdicts.md"
BLOCK = re.compile(r"(<!-- (?P<what>rates|example) (?P<rule>R\d+[a-z ]*) -->\n).*?(<!-- end -->)", re.DOTALL)
UP = [1.0, 1.2, 0.9, 1.1, 1.3]
MIXED = [2.0, -1.0, 1.0, -0.5, 0.4]


def table(rates: Iterable[Rate]) -> str:
    """A line for each simulated case with its rate at each look in percent, the promised one in parentheses."""
    found: dict[str, dict[int, Rate]] = {}
    for rate in rates:
        found.setdefault(rate.what, {})[rate.look] = rate
    looks = sorted({look for cells in found.values() for look in cells}, key=lambda look: (look == 0, look))
    lines = ["| simulated | " + " | ".join(f"n = {n}" if n else "any look" for n in looks) + " |"]
    lines.append("|---" * (len(looks) + 1) + "|")
    for what, cells in found.items():
        shown = (_cell(cells[look]) if look in cells else "" for look in looks)
        lines.append(f"| {what} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _cell(rate: Rate) -> str:
    attained = f"{100 * rate.attained:.2f}"
    return attained if rate.nominal is None else f"{attained} ({100 * rate.nominal:.3g})"


def page(text: str, draws: int, seed: int) -> str:
    """The page with its blocks filled; UserError when simulated rates have no block or a block asks for unknown ones.

    Rates are in percent: what the rule attained and, in parentheses, what it promises at most.
    """
    rates: dict[str, list[Rate]] = {}
    for rate in simulation.attained_rates(draws, seed):
        rates.setdefault(rate.rule, []).append(rate)
    asked = {(found["what"], found["rule"]) for found in BLOCK.finditer(text)}
    have = {("rates", rule) for rule in rates} | {("example", rule) for rule in EXAMPLES}
    if odd := sorted(asked ^ have):
        raise UserError(f"{PAGE}: no counterpart for {', '.join(' '.join(pair) for pair in odd)}; add or remove it")

    def filled(found: re.Match[str]) -> str:
        if found["what"] == "example":
            body = f"> {EXAMPLES[found['rule']]()}"
        else:
            body = f"{draws:,} draws, seed {seed}; percent:\n\n{table(rates[found['rule']])}"
        return f"{found[1]}\n{body}\n\n{found[4]}"

    return BLOCK.sub(filled, text)


def _claim(parts: dict[str, list[float]], scale: str = "full", **fields: Any) -> Callable[[], str]:
    """A sentence with the word and the reason that these values by part get."""

    def sentence() -> str:
        claim = Claim(**{"id": "c1", "where": "", "says": "", "test": "", "decidable": "full-cpu", **fields})
        n = len(next(iter(parts.values())))
        by_seed = {seed: {name: values[seed] for name, values in parts.items()} for seed in range(n)}
        verdict = judge_claim(claim, by_seed, scale, minutes=12)
        size = f" Claimed size: {verdict.size_word} ({verdict.size_reason})." if verdict.size_reason else ""
        return f"**{verdict.word}** ({verdict.rule}): {verdict.reason}.{size}"

    return sentence


def _exact() -> str:
    verdict = judge_exact(Decimal("61706"), 61_708)
    return f"**{verdict.word}** (R12): {verdict.reason}."


def _number() -> str:
    metric = Metric("uer", "%", "lower", cap=Decimal(5), n_test=10_000)
    verdict = judge_number(Printed(Decimal("12.34"), runs=3), metric, dict(enumerate([12.9, 12.1, 12.6, 12.4, 13.0])))
    return f"**{verdict.word}** ({verdict.rule}): {verdict.reason}."


_MARGIN = Decimal("0.5")
_MEDIAN: dict[str, Any] = {"kind": "pooled", "statistic": "median", "value": Decimal(1), "side": "above"}
_LEVELS = {f"mnist/{level}": [v + shift for v in UP] for level, shift in zip("abcde", (0, 1, 2, 3, 2.2), strict=True)}
EXAMPLES: dict[str, Callable[[], str]] = {
    "R3": _number,
    "R6": _claim({"mnist": UP}, kind="ordering", margin=_MARGIN),
    "R7": _claim({"mnist": UP, "fashion": MIXED}, kind="ordering", margin=_MARGIN, over="some"),
    "R8": _claim({"mnist": [0.1, 0.2, 0.1, 0.0, 0.15]}, kind="no_loss", margin=_MARGIN),
    "R9": _claim(_LEVELS, kind="trend", levels=tuple("abcde"), margin=_MARGIN),
    "R11": _claim({"mnist": [4.4, 4.3, 4.6, 4.2, 4.5]}, kind="ratio", size={"mnist": (Decimal(4), Decimal("4.5"))}),
    "R12": _exact,
    "R15": _claim({"mnist": UP}, "reduced", kind="ordering", margin=_MARGIN),
    "R16": _claim({"mnist": MIXED}, kind="ordering", margin=_MARGIN),
    "R19 threshold": _claim(
        {"mnist": [85.0, 88.0, 84.0, 86.0, 91.0]}, kind="threshold", value=Decimal(80), side="above", unit="%"
    ),
    "R19 within": _claim({"mnist": [0.1, 0.12, 0.09, 0.11, 0.1]}, kind="within", low=Decimal("0.25"), high=Decimal(1)),
    "R19 pooled": _claim({"mnist": [v + 0.1 * i for i in range(4) for v in UP]}, looks=(20,), **_MEDIAN),
}


def main() -> None:
    """``python -m suite.rulebook``: simulates and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m suite.rulebook", description=main.__doc__)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    path = project.root() / PAGE
    text = page(path.read_text("utf-8"), chosen.draws, chosen.seed)
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
