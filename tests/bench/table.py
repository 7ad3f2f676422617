"""The one table of ``make bench``: times, ratios, what is required, and the accepted times of this class of machine.

``python -m tests.bench.table FILE [--accept]`` reads the JSON of pytest-benchmark, prints the table and ends with 1
where a requirement is missed. With ``--accept``, and nothing missed, it keeps the times under baselines/kernels/ and
writes docs/kernels.md anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite import store

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- table -->", "<!-- /table -->"
FORMAT = 1
LIMIT = 1.10  # between two runs of one code; what moves less is not told from noise
OURS = "ours"
HEAD = ("contender", "role", "min", "median", "rounds", "time / ours", "must be", "memory", "what it gives")


# From the raw file ---------------------------------------------------------------------------------------------------


def summary(raw: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run: per group and contender times in seconds, the ratio to ours with its interval, and facts.

    Of ours, also the ratio to the floor (``to_floor``). Groups and contenders keep their order.
    """
    groups: dict[str, dict[str, Any]] = {}
    for entry in raw["benchmarks"]:
        groups.setdefault(entry["group"], {})[entry["name"]] = entry
    facts = {key: raw["suite"][key] for key in ("class", "versions", "data", "network", "not_run")}
    found = {title: {name: entry_of(entries, name) for name in entries} for title, entries in groups.items()}
    return {"format": FORMAT, **facts, "groups": found}


def entry_of(entries: dict[str, Any], name: str) -> dict[str, Any]:
    """The kept facts of one contender among those of its group."""
    extra, data = entries[name]["extra_info"], entries[name]["stats"]["data"]
    found = {key: extra[key] for key in ("role", "memory", "facts", "at_least")}
    found |= {"min": rounded(min(data)), "median": rounded(float(np.median(data))), "rounds": len(data)}
    found["ratio"] = ratio(data, entries[OURS]["stats"]["data"]) if OURS in entries else None
    floors = [other for other in entries.values() if other["extra_info"]["role"] == "floor"]
    if name == OURS and floors:
        found["to_floor"] = ratio(data, floors[0]["stats"]["data"])
    return found


def ratio(above: Sequence[float], below: Sequence[float], draws: int = 2000) -> list[float]:
    """The ratio of two medians, and the 99 % percentile interval from resampled rounds.

    Contenders take turns, so where both have as many rounds a round is resampled as a pair.

    >>> ratio([2.0, 2.0], [1.0, 1.0])
    [2.0, 2.0, 2.0]
    """
    rng = np.random.default_rng(0)
    a, b = np.asarray(above), np.asarray(below)
    first = rng.integers(len(a), size=(draws, len(a)))
    second = first if len(a) == len(b) else rng.integers(len(b), size=(draws, len(b)))
    drawn = np.median(a[first], axis=1) / np.median(b[second], axis=1)
    low, high = np.quantile(drawn, [0.005, 0.995])
    return [rounded(float(value)) for value in (np.median(a) / np.median(b), low, high)]


def rounded(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


# Judged --------------------------------------------------------------------------------------------------------------


def missed(found: dict[str, Any]) -> list[str]:
    """The requirements that are not met, in words.

    They are the least ratios of times, and that no peer's attack succeeds more often by more than half a point.
    """
    words = []
    for title, entries in found["groups"].items():
        ours = entries.get(OURS, {}).get("facts", {}).get("evasion", 0.0)
        for name, entry in entries.items():
            least, evasion = entry["at_least"], entry["facts"].get("evasion", 0.0)
            if least is not None and entry["ratio"] is None:
                words.append(f"{title}: ours did not run beside {name}")
            elif least is not None and entry["ratio"][0] < least:
                words.append(f"{title}: {name} takes {entry['ratio'][0]:.2f} of our time, must be at least {least:g}")
            if entry["role"] == "peer" and evasion > ours + 0.5:
                words.append(f"{title}: {name} evades in {evasion:.1f} %, ours in {ours:.1f} %")
    return words


def changed(now: dict[str, Any], accepted: dict[str, Any] | None) -> dict[str, str]:
    """Per group whether ours is slower than accepted, measured against the floor of the same run.

    "slower" and "faster" where the two intervals leave no doubt that the change passes the limit, "not slower" where
    they leave none that it does not, else "cannot tell"; "new" where nothing was accepted.
    """
    words = {}
    for title, entries in now["groups"].items():
        before = (accepted or {"groups": {}})["groups"].get(title, {}).get(OURS, {}).get("to_floor")
        present = entries.get(OURS, {}).get("to_floor")
        if present is None:
            continue
        words[title] = "new" if before is None else word(present, before)
    return words


def word(present: Sequence[float], before: Sequence[float]) -> str:
    """The word for a change of a ratio, each given with its interval.

    >>> word([1.5, 1.4, 1.6], [1.0, 0.99, 1.01]), word([1.0, 0.99, 1.01], [1.0, 0.99, 1.01])
    ('slower', 'not slower')
    >>> word([1.12, 1.05, 1.2], [1.0, 0.99, 1.01])  # the median says so, the interval does not
    'cannot tell'
    """
    least, most = present[1] / before[2], present[2] / before[1]
    if least > LIMIT:
        return "slower"
    if most < 1 / LIMIT:
        return "faster"
    return "not slower" if most <= LIMIT else "cannot tell"


# Shown ---------------------------------------------------------------------------------------------------------------


def rows(
    entries: dict[str, Any], skipped: Sequence[Sequence[str]], before: dict[str, Any] | None
) -> Iterator[list[str]]:
    """A group's rows under HEAD, with the change of the median against the accepted one where ``before`` is given."""
    for name, entry in entries.items():
        low, high = (times(value) for value in entry["ratio"][1:]) if entry["ratio"] else ("", "")
        span = f" ({low} to {high})" if entry["rounds"] > 4 and name != OURS else ""
        row = [name, entry["role"], seconds(entry["min"]), seconds(entry["median"]), str(entry["rounds"])]
        row += [times(entry["ratio"][0]) + span if entry["ratio"] else "-"]
        row += ["" if entry["at_least"] is None else f"at least {entry['at_least']:g}"]
        row += [size(entry["memory"]), ", ".join(fact(*item) for item in entry["facts"].items())]
        if before is not None:
            old = before.get(name)
            row.append(f"{entry['median'] / old['median']:.2f}" if old else "new")
        yield row
    for name, reason in skipped:
        yield [name, "", "not run", reason, *[""] * (len(HEAD) - 4 + (before is not None))]


def fact(name: str, value: str | float) -> str:
    """A fact in words; a number is in percent.

    >>> fact("evasion", 54.98), fact("bit-equal", "no")
    ('evasion 55.0 %', 'bit-equal no')
    """
    return f"{name} {value}" if isinstance(value, str) else f"{name} {value:.1f} %"


def times(value: float) -> str:
    """A ratio in three digits or so."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def seconds(value: float) -> str:
    """A time in a unit that suits it.

    >>> seconds(0.0123), seconds(41.0), seconds(2e-5)
    ('12.3 ms', '41.0 s', '20.0 µs')
    """
    unit, scale = ("s", 1.0) if value >= 1 else ("ms", 1e3) if value >= 1e-3 else ("µs", 1e6)
    return f"{value * scale:#.3g}".rstrip(".") + f" {unit}"


def size(value: int | None) -> str:
    """Bytes in MB; nothing where the machine cannot tell."""
    return "" if value is None else f"{value / 1e6:.0f} MB"


def tables(found: dict[str, Any], accepted: dict[str, Any] | None = None) -> Iterator[tuple[str, list[list[str]]]]:
    """The title of each group that ran, and its rows with HEAD on top."""
    head = [*HEAD, "now / accepted"] if accepted else [*HEAD]
    for title, entries in found["groups"].items():
        skipped = [(name, reason) for group, name, reason in found["not_run"] if group == title]
        before = accepted["groups"].get(title, {}) if accepted else None
        yield title, [head, *rows(entries, skipped, before)]


def left_out(found: dict[str, Any]) -> dict[str, list[str]]:
    """The groups that did not run at all, by reason."""
    why: dict[str, list[str]] = {}
    for group, _, reason in found["not_run"]:
        if group not in found["groups"] and group not in why.setdefault(reason, []):
            why[reason].append(group)
    return why


def context(found: dict[str, Any]) -> str:
    """The machine's class and what all contenders were given, in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if name != "torch")
    return f"{found['class']}, {versions}; one thread. Digits: {found['data']}. Network: {found['network']}."


def plain(found: dict[str, Any], accepted: dict[str, Any] | None) -> str:
    """The table for a terminal."""
    lines, words = [context(found)], changed(found, accepted)
    every = list(tables(found, accepted))
    widths = [max(len(row[i]) for _, table in every for row in table[:]) for i in range(len(every[0][1][0]))]
    lines.append("  " + "  ".join(c.ljust(w) for c, w in zip(every[0][1][0], widths, strict=True)).rstrip())
    for title, table in every:
        lines.append(f"{title}" + (f" [against accepted: {words[title]}]" if accepted and title in words else ""))
        lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table[1:]]
    lines += [f"not run, {reason}: {'; '.join(groups)}" for reason, groups in left_out(found).items()]
    return "\n".join(lines)


def markdown(found: dict[str, Any]) -> str:
    """One class of machines as a section of docs/kernels.md."""
    lines = [f"### {found['class']}", "", context(found), ""]
    for title, table in tables(found):
        lines += [f"**{title}**", "", *(f"| {' | '.join(row)} |" for row in table[:1]), "|---" * len(table[0]) + "|"]
        lines += [*(f"| {' | '.join(row)} |" for row in table[1:]), ""]
    lines += [f"Not run, {reason}: {'; '.join(groups)}.\n" for reason, groups in left_out(found).items()]
    return "\n".join(lines)


# Kept ----------------------------------------------------------------------------------------------------------------


def place(name: str, root: Path = ROOT) -> Path:
    """The file of a class of machines.

    >>> place("AuthenticAMD AVX2, torch 2.15.0", Path()).as_posix()
    'baselines/kernels/authenticamd-avx2-torch-2.15.0.json'
    """
    return root / "baselines" / "kernels" / (re.sub(r"[^a-z0-9.]+", "-", name.lower()) + ".json")


def read(path: Path) -> dict[str, Any] | None:
    """The accepted times, None where there are none. ValueError for a format that this program does not know."""
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if found["format"] != FORMAT:
        raise ValueError(
            f"{path} has format {found['format']}, expected {FORMAT}: accept anew with make bench ACCEPT=1"
        )
    return found


def page(root: Path = ROOT) -> str:
    """The text of docs/kernels.md with the accepted times of all classes between its markers."""
    text = (root / "docs" / "kernels.md").read_text("utf-8")
    start, rest = text.split(BEGIN)
    sections = [markdown(read(path) or {}) for path in sorted((root / "baselines" / "kernels").glob("*.json"))]
    return start + "\n\n".join([BEGIN, *(section.strip() for section in sections), END]) + rest.split(END)[1]


def accept(found: dict[str, Any], root: Path = ROOT) -> Path:
    """Keeps the times of this class of machines, and writes the page anew."""
    path = place(found["class"], root)
    store.write(path, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    store.write(root / "docs" / "kernels.md", page(root))
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--accept", action="store_true")
    options = parser.parse_args(arguments)
    raw = json.loads(options.file.read_text("utf-8"))
    found = summary(raw)
    tiny = raw["suite"]["tiny"]
    print(plain(found, None if tiny else read(place(found["class"]))))
    if tiny:
        print("tiny sizes: they show that everything runs; their times say nothing and are not accepted")
        return 0
    lacking = missed(found)
    for line in lacking:
        print(f"MISSED: {line}")
    if options.accept and not lacking:
        print(f"accepted: {accept(found).relative_to(ROOT)} and docs/kernels.md")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
