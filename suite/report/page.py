"""A paper's page as GitHub-Flavoured Markdown that also reads as plain text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from suite.report import show
from suite.report.canvas import Drawing
from suite.report.entries import DECIDED, ClaimAtScale, ClaimEntry, Page, Provenance, TableEntry
from suite.report.show import grid, sentence


def paper(page: Page, drawings: Sequence[Drawing], root: Path) -> str:
    """The page of a paper."""
    by_owner = {drawing.of: [d for d in drawings if d.of == drawing.of] for drawing in drawings}
    blocks = [*_head(page, root), *_claims(page, by_owner)]
    for table in page.tables:
        blocks += _printed_table(table, by_owner.get(table.id, []))
    if page.ours:
        blocks += ["## Tables of ours", "Reported, never compared with print."]
        blocks += [block for table in page.ours for block in _our_table(table, by_owner.get(table.id, []))]
    blocks += [*_prose_numbers(page), *_not_run(page), *_identities(page), *_provenance(page)]
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _head(page: Page, root: Path) -> list[str]:
    links = ["[scoreboard](../README.md)"]
    for name, says in (("card.md", "our reading, choices and departures"), ("published.yaml", "what was printed")):
        if (root / "baselines" / page.stem / name).is_file():
            links.append(f"[{says}](../../baselines/{page.stem}/{name})")
    source = [", ".join(page.authors), page.venue, page.doi and f"doi:{page.doi}", page.family]
    first = f"It claims: {page.claims[0].says} ({page.claims[0].where})" if page.claims else "It makes no claim"
    more = len(page.claims) - 1
    blocks = [
        f"# {page.number} {page.title}",
        " · ".join(filter(None, source)) + "  \n" + " · ".join(links),
        first + (f"; and {more} more.\n" if more > 0 else ".\n"),
        f"**Claims:** {show.counts(page.claim_counts)}.  \n**Printed numbers:** {show.counts(page.number_counts)}.",
        grid(
            [[s.scale, show.state(s), show.differs(s), f"`{s.command}`"] for s in page.states],
            ["scale", "results", "settings", "command"],
        ),
    ]
    return blocks + ([page.note] if page.note else [])


def _claims(page: Page, by_owner: Mapping[str, Sequence[Drawing]]) -> list[str]:
    if not page.claims:
        return []
    rows = []
    for claim in page.claims:
        word = f"**{claim.word}**" if claim.word in DECIDED else claim.word
        n = str(claim.shown.verdict.n or show.NOTHING) if claim.shown else show.NOTHING
        rows.append([claim.id, claim.says, word, place(claim), n, show.effects(claim)])
    blocks = ["## Claims", grid(rows, ["claim", "it says", "verdict", "at", "seeds", "measured (printed)"])]
    blocks.append("### Claim by claim")
    for claim in page.claims:
        blocks += _claim(claim, by_owner.get(claim.id, []))
    return blocks


def _claim(claim: ClaimEntry, drawings: Sequence[Drawing]) -> list[str]:
    at = claim.shown
    lines = [f"**{claim.id} {claim.word}**: {claim.says} ({claim.where})."]
    lines.append(sentence(f"Why: {claim.reason}{_marks(at)}"))
    rule = f"{claim.kind}, over {claim.over}, decidable at {claim.decidable}{_margin(claim)}"
    lines.append(f"Test: `{claim.test}` ({rule}).")
    lines += [sentence(f"Printed: {claim.effect}")] if claim.effect else []
    if at and at.verdict.size_word:
        size = f": {at.verdict.size_reason}" if at.verdict.size_reason else ""
        lines.append(sentence(f"Claimed size: {at.verdict.size_word}{size}"))
    lines += [sentence(f"Note: {claim.note}")] if claim.note else []
    lines += [_beside(other) for other in claim.at if other is not at]
    blocks = ["  \n".join(lines)]
    if at and any(part.mean is not None for part in at.verdict.parts):
        blocks.append(_parts(claim, at))
    return blocks + [_image(drawing) for drawing in drawings]


def _beside(at: ClaimAtScale) -> str:
    """The result at another scale than the one that the word is from; the two are never mixed."""
    found = [f"{part.name} {show.part_effect(part)}" for part in at.verdict.parts if part.mean is not None]
    told = f"Beside it, at {at.scale} (n = {at.verdict.n}): {at.verdict.word}; {at.verdict.reason}{_marks(at)}"
    return sentence(f"{told}: {'; '.join(found)}" if found else told)


def _parts(claim: ClaimEntry, at: ClaimAtScale) -> str:
    unit = f" ({claim.unit})" if claim.unit not in ("", "1") else ""
    rows = []
    for part in at.verdict.parts:
        p = show.NOTHING if part.p is None else f"{part.p:.3g}"
        printed = show.claimed_effect(part, at.printed)
        behind = show.sides(claim, part.name)
        rows.append(
            [part.name, show.part_effect(part), str(part.n), printed, behind, p, _part_word(part.word, part.reason)]
        )
    headers = ["part", f"measured{unit}", "n", f"printed{unit}", "measured means behind it", "p", "alone"]
    keep = [i for i in range(len(headers)) if i not in (4, 5) or any(row[i] != show.NOTHING for row in rows)]
    return grid([[row[i] for i in keep] for row in rows], [headers[i] for i in keep])


def _part_word(word: str, reason: str) -> str:
    return f"{word}: {reason}" if word == "open" and reason else word


def _marks(at: ClaimAtScale | None) -> str:
    """What stands beside a verdict: stale and what changed, post hoc, another device class."""
    if at is None:
        return ""
    marks = [f"stale: {show.changes(at.changed)}"] if at.standing == "stale" else []
    marks += ["post hoc: the rule was changed after the run"] if at.verdict.post_hoc else []
    marks += [at.device] if at.device != "cpu" else []
    return f" ({'; '.join(marks)})" if marks else ""


def _margin(claim: ClaimEntry) -> str:
    return f", margin {claim.margin} {claim.unit}".rstrip() if claim.margin is not None else ""


def place(claim: ClaimEntry) -> str:
    """The scale of a claim's verdict, with its marks."""
    at = claim.shown
    if at is None:
        return show.NOTHING
    marks = ["stale"] if at.standing == "stale" else []
    marks += ["post hoc"] if at.verdict.post_hoc else []
    return at.scale + (f" ({', '.join(marks)})" if marks else "")


# Tables -------------------------------------------------------------------------------------------------------------


def _printed_table(table: TableEntry, drawings: Sequence[Drawing]) -> list[str]:
    blocks = [f"## {table.where}", sentence(f"{table.about} (`{table.id}`)")]
    if not table.cells:
        return [
            *blocks,
            sentence(f"No result: {table.out or 'none of its values is printed and none is measured yet'}"),
        ]
    several = len({cell.metric for cell in table.cells}) > 1
    axes = [*(["metric"] if several else []), *table.axes]
    compared = any(cell.agreement for cell in table.cells)
    rows = []
    for cell in table.cells:
        by_scale = {m.scale: show.measured(m, cell.printed) for m in cell.measured}
        labels = [*([cell.metric] if several else []), *(cell.at.get(axis, show.NOTHING) for axis in table.axes)]
        measured = [by_scale.get(scale, show.NOTHING) for scale in table.scales]
        marks = show.marks(cell)
        word = f"**{cell.word}**" if cell.agreement and cell.word != "open" else cell.word
        word += f" ({', '.join(marks)})" if marks else ""
        rows.append(
            [*labels, show.printed(cell), *(measured or [show.NOTHING]), *[show.against_print(cell)] * compared, word]
        )
    scales = [f"measured, {scale}" for scale in table.scales] or ["measured"]
    blocks.append(grid(rows, [*axes, "printed", *scales, *["measured - printed"] * compared, "verdict"]))
    return [*blocks, _metrics(table), _reasons(table), *(_image(drawing) for drawing in drawings)]


def _our_table(table: TableEntry, drawings: Sequence[Drawing]) -> list[str]:
    blocks = [f"### {table.id}", sentence(table.about)]
    if not table.cells:
        return [*blocks, sentence(f"No result: {table.out or 'no record yet'}")]
    metrics = list(dict.fromkeys(cell.metric for cell in table.cells))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in table.cells:
        labels = tuple(cell.at.get(axis, show.NOTHING) for axis in table.axes)
        found = cell.measured[0] if cell.measured else None
        rows.setdefault(labels, {})[cell.metric] = show.measured(found) if found else show.NOTHING
    lines = [[*labels, *(values.get(metric, show.NOTHING) for metric in metrics)] for labels, values in rows.items()]
    blocks.append(grid(lines, [*table.axes, *metrics]))
    return [*blocks, _metrics(table), *(_image(drawing) for drawing in drawings)]


def _metrics(table: TableEntry) -> str:
    """What the columns mean, and the commands that measure them."""
    said = [f"`{name}`{_unit(metric.unit)}: {metric.says}" for name, metric in table.metrics.items()]
    shown = [scale for scale in table.commands if scale in table.scales] or list(table.commands)[-2:-1]
    commands = [f"at {scale}: `{table.commands[scale]}`" for scale in shown]
    means = "Means over seeds with 95 % t intervals." if table.scales else ""
    if any(cell.agreement for cell in table.cells):
        means += " Differences from the print with 95 % intervals, in which the print's own noise counts."
    return "  \n".join(filter(None, ["; ".join(said) + ".", means, "; ".join(commands)]))


def _unit(unit: str) -> str:
    return f" ({unit})" if unit not in ("", "1") else ""


def _reasons(table: TableEntry) -> str:
    """Each verdict's reason once, with the number of cells; what is stale; notes of single cells."""
    lines = [f"- {show.whose(cell)}{cell.word}: {cell.reason}" for cell in table.cells if cell.agreement]
    reasons = Counter((cell.word, cell.reason) for cell in table.cells if not cell.agreement)
    lines += [f"- {word} ({n}): {reason}" for (word, reason), n in reasons.items()]
    changed = {
        (m.scale, line): None for c in table.cells for m in c.measured if m.standing == "stale" for line in m.changed
    }
    for scale in dict.fromkeys(scale for scale, _ in changed):
        lines.append(f"- stale at {scale}: {show.changes([line for s, line in changed if s == scale])}")
    lines += [f"- {cell.metric} [{_labels(cell.at)}]: {cell.note}" for cell in table.cells if cell.note]
    return "\n".join(lines)


def _labels(at: Mapping[str, str]) -> str:
    """Labels in one phrase."""
    return ", ".join(f"{axis} {label}" for axis, label in at.items())


# The rest -----------------------------------------------------------------------------------------------------------


def _prose_numbers(page: Page) -> list[str]:
    rows = [
        [n.id, n.says, n.where, f"{n.printed}{_unit(n.unit)}", n.word, f"row of {n.of}" if n.of else n.reason]
        for n in page.numbers
    ]
    return (
        ["## Numbers in the prose", grid(rows, ["id", "it says", "where", "printed", "verdict", "why"])] if rows else []
    )


def _not_run(page: Page) -> list[str]:
    rows = []
    for left in page.not_run:
        cost = "in the reason" if not left.scale else "unknown"
        cost = cost if left.minutes is None else show.duration(left.minutes)
        command = f"`{left.command}`" if left.command else "none yet"
        rows.append([left.id, left.scale or "all", left.reason, cost, command])
    return ["## Not run", grid(rows, ["what", "scale", "why", "core time", "command"])] if rows else []


def _identities(page: Page) -> list[str]:
    if not page.identities:
        return []
    lines = [
        f"- **{i.id}** over {i.over}, {'not yet checked' if i.check else 'a note of ours'}: {i.says}. `{i.formula}`. "
        f"{sentence(f'As read: {i.holds}')}" + (f" {sentence(f'Note: {i.note}')}" if i.note else "")
        for i in page.identities
    ]
    intro = "Arithmetic that the printed numbers must obey, as we read it; no program has checked it yet."
    return ["## Printed arithmetic", intro, "\n".join(lines)]


def _provenance(page: Page) -> list[str]:
    if not page.provenance:
        return []
    rows = [
        [
            p.part,
            p.scale,
            show.seeds(p.seeds),
            f"`{p.command}`",
            f"{p.seconds:.0f}",
            f"{p.device}, {p.cpu}, {'1 thread' if p.threads == 1 else f'{p.threads} threads'}",
            ", ".join(f"{name} {version}" for name, version in p.versions.items()),
            ", ".join(_played(role, facts["set"]) for role, facts in p.data.items()) or "none",
            p.determinism,
            p.standing,
        ]
        for p in page.provenance
    ]
    headers = ["part", "scale", "seeds", "command", "seconds", "machine", "versions", "data", "repeat", "state"]
    digests = "\n".join(line for p in page.provenance for line in _digests(p))
    stale = [f"- {p.part} at {p.scale}: {show.changes(p.changed)}" for p in page.provenance if p.standing != "current"]
    blocks = ["## Provenance", grid(rows, headers)]
    blocks += ["What changed since:\n\n" + "\n".join(dict.fromkeys(stale))] if stale else []
    return [*blocks, f"<details><summary>Keys, data and weights</summary>\n\n{digests}\n\n</details>"]


def _played(role: str, name: str) -> str:
    return name if role == name else f"{name} as {role}"


def _digests(p: Provenance) -> Iterable[str]:
    yield f"- {p.part} at {p.scale}"
    yield "  - keys: " + ", ".join(f"seed {seed} `{_short(key)}`" for seed, key in p.keys.items())
    for role, facts in p.data.items():
        yield f"  - data {_played(role, facts['set'])}: `{facts['content']}`"
    for recipe, digests in p.weights.items():
        yield f"  - weights {recipe}: " + ", ".join(f"seed {seed} `{_short(d)}`" for seed, d in digests.items())


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _image(drawing: Drawing) -> str:
    alt = re.sub(r"([\[\]\\])", r"\\\1", drawing.alt)
    return f"![{alt}](figures/{drawing.name}.svg)"
