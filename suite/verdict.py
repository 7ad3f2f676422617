"""Judges claims by the rules R0 to R19: what the parts of a claim, measured on several seeds, say of it, and why.

A verdict is a pure function of the claim, its values and the scale that they were measured at. Margin, kind and looks
are read from the claim (R0), never chosen here. The words:

- holds, reversed, tied: decided at a look (R14), as ``suite.kinds`` tests each kind; inconclusive: not decided, with
  the next look beside it (R16);
- trend: for, trend: against, trend: flat: below the scale at which the claim is decidable, never counted (R15);
- exact, contradicts: an exact fact (R12); private data: decidable only on data that is not public;
- open: rows are missing, nothing was measured, or the rule of this kind is not built yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from suite import kinds, statistics
from suite.contract import Missing, Value
from suite.errors import UserError
from suite.exact import ExactVerdict as ExactVerdict
from suite.exact import judge_exact as judge_exact
from suite.exact import judge_share as judge_share
from suite.exact import show
from suite.facts import Claim
from suite.kinds import TESTS, Groups, Kind
from suite.statistics import Evidence, Floats, Share

RANK = {"smoke": 0, "reduced": 1, "full": 2}
DECIDED_FROM = {"exact": 0, "smoke": 0, "reduced": 1, "full-cpu": 2, "full-cuda": 2, "private": 3}
RULES = {
    **{"ordering": "R6", "no_loss": "R8", "trend": "R9", "curve": "R10", "ratio": "R6, R11"},
    **{"threshold": "R19", "within": "R19", "pooled": "R19", "exact": "R12"},
}
BySeed = Mapping[int, Mapping[str, Value]]


@dataclass(frozen=True)
class Part:
    """One part of a claim. All but ``values`` speaks of the first ``n`` seeds: those of the look, or all there are.

    ``low`` and ``high`` are the 95 % t interval of the mean, ``least`` and ``most`` the range of the values; None where
    there are too few. ``p`` and ``p_reversed`` are the part's own, before parts are joined. ``tied`` stands apart from
    ``word``, as a difference may be real and yet lie within the margin. ``direction`` is what R15 would call the trend
    (for, against, flat), empty where the value alone has none. ``share`` is P(A > B) of an ordering.
    """

    name: str
    values: Mapping[int, Value]
    word: str
    reason: str
    n: int = 0
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None
    direction: str = ""
    p: float | None = None
    p_reversed: float | None = None
    tied: bool = False
    share: Share | None = None
    size_word: str = ""


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim at one scale, with all that a page shows of it.

    ``n`` counts the seeds, from the first on, that have every part; ``look`` of them were tested at the one-sided
    level ``alpha``. ``p`` and ``p_reversed`` are of the parts joined. ``next_look``, ``seeds_needed`` and ``minutes``
    say what may settle an inconclusive one. ``size_word`` is apart from the direction: as claimed, not as claimed,
    inconclusive, judged at full, open, or empty where no size is claimed. ``post_hoc``: declared after the run (R0).
    """

    claim: str
    scale: str
    word: str
    reason: str
    rule: str
    parts: tuple[Part, ...] = ()
    n: int = 0
    look: int | None = None
    alpha: float | None = None
    p: float | None = None
    p_reversed: float | None = None
    next_look: int | None = None
    seeds_needed: int | None = None
    minutes: float | None = None
    size_word: str = ""
    size_reason: str = ""
    post_hoc: bool = False


@dataclass(frozen=True)
class _Case:
    """A claim with its values by part and seed, both in order, and the minutes of one more seed."""

    claim: Claim
    scale: str
    parts: Mapping[str, Mapping[int, Value]]
    minutes: float | None

    @property
    def ready(self) -> int:
        """How many seeds, from the first on, have a value for every part."""
        return min((_leading(values) for values in self.parts.values()), default=0)

    @property
    def groups(self) -> dict[str, list[str]]:
        """What is tested by itself, with the names of its parts."""
        return kinds.groups(self.claim, list(self.parts))

    @property
    def below_its_scale(self) -> bool:
        return RANK[self.scale] < DECIDED_FROM[self.claim.decidable]

    def look(self, seeds: int) -> int | None:
        return max((look for look in self.claim.looks if look <= seeds), default=None)

    def alpha(self, look: int) -> float:
        return statistics.alpha_at(look, self.claim.looks)

    def answer(self, word: str, reason: str, rule: str, parts: Sequence[Part]) -> ClaimVerdict:
        later = f"; judged at {self.claim.decidable}" if rule == "R15" else ""
        return ClaimVerdict(self.claim.id, self.scale, word, reason + later, rule, tuple(parts), self.ready)


def judge_claim(
    claim: Claim, by_seed: BySeed, scale: str, *, post_hoc: bool = False, minutes: float | None = None
) -> ClaimVerdict:
    """The verdict on a claim from what its function gave for each seed at one scale (smoke, reduced or full).

    ``minutes`` is the cost of one more seed, where it is known. A seed whose rows are missing stands in ``by_seed``
    with ``Missing`` values or without the part. It is never skipped, since what made its run fail may have to do with
    the claim: looks count seeds, in the order of their numbers, up to the first with a hole. ValueError for an unknown
    scale and a value that is not finite; UserError for a claim that asks for parts that are not there.
    """
    if scale not in RANK:
        raise ValueError(f"scale {scale!r}: expected one of {', '.join(RANK)}")
    case = _Case(claim, scale, _by_part(claim, by_seed), minutes)
    return replace(_with_size(case, _judged(case)), post_hoc=post_hoc)


def _by_part(claim: Claim, by_seed: BySeed) -> dict[str, dict[int, Value]]:
    names = dict.fromkeys(name for seed in sorted(by_seed) for name in by_seed[seed])
    parts = {n: {s: by_seed[s].get(n, Missing(f"part {n}")) for s in sorted(by_seed)} for n in names}
    for name, values in parts.items():
        for seed, value in values.items():
            if not isinstance(value, Missing) and (fault := kinds.fault(claim, value)):
                raise ValueError(f"claim {claim.id}, part {name}, seed {seed}: {value} {fault}")
    if unknown := [name for name in claim.size if parts and name not in parts]:
        raise UserError(f"claim {claim.id}: size names the part {unknown[0]!r}; its parts are {', '.join(parts)}")
    return parts


def _judged(case: _Case) -> ClaimVerdict:
    claim, rule = case.claim, RULES[case.claim.kind]
    if claim.kind in TESTS and case.parts and not case.below_its_scale:
        return _tested(case, TESTS[claim.kind])
    parts = _described(case, case.groups)
    if claim.decidable == "private":
        return case.answer("private data", "decidable only on data that is not public", rule, parts)
    if not parts:
        return case.answer("open", f"nothing was measured at {case.scale}", rule, parts)
    if absent := next((part.reason for part in parts if not part.n), ""):
        return case.answer("open", absent, rule, parts)
    if claim.kind == "exact" or case.below_its_scale:
        return _exact(case, parts) if claim.kind == "exact" else _trend(case, parts)
    return case.answer("open", f"rule {rule} is not built yet", rule, parts)


def _described(case: _Case, groups: Groups, look: int | None = None) -> list[Part]:
    """The numbers of the groups' parts without a test, over the seeds of a look or all that are there."""
    parts = []
    for group, names in groups.items():
        shared = _shared(case, names)[:, :look]
        direction = kinds.side(case.claim, group, shared) if shared.size else ""
        found = [_numbered(case.claim, name, case.parts[name], look) for name in names]
        parts += [replace(part, direction=direction if part.n else "") for part in found]
    return parts


def _numbered(claim: Claim, name: str, values: Mapping[int, Value], look: int | None) -> Part:
    numbers = _numbers(values)[:look]
    if not numbers:
        return Part(name, values, "open", _holes(values))
    low, high = map(float, statistics.t_interval(numbers)) if len(numbers) > 1 else (None, None)
    share = statistics.share_above(numbers) if claim.kind == "ordering" else None
    told = (statistics.mean(numbers), low, high, min(numbers), max(numbers))
    return Part(name, values, "open", "", len(numbers), *told, share=share)


def _exact(case: _Case, described: Sequence[Part]) -> ClaimVerdict:
    """R12: a part is exact when it is 0 for every seed that has it; parts are counted, not tested."""
    parts = [replace(part, word="exact" if part.least == part.most == 0 else "contradicts") for part in described]
    worst = {part.name: max(_numbers(part.values), key=abs) for part in parts if part.word != "exact"}
    off, met = [f"{name} is off by {show(value)}" for name, value in worst.items()], len(parts) - len(worst)
    enough = met >= case.claim.needed(len(parts))
    reason = "; ".join([f"parts met exactly: {met} of {len(parts)}", *off[:3]])
    if case.below_its_scale:
        return case.answer("trend: for" if enough else "trend: against", reason, "R15", parts)
    return case.answer("exact" if enough else "contradicts", reason, "R12", parts)


def _trend(case: _Case, described: Sequence[Part]) -> ClaimVerdict:
    """R15, joined as R7 joins: by counting parts."""
    if not all(part.direction for part in described):
        return case.answer("open", f"a part of the kind {case.claim.kind} has no direction by itself", "R15", described)
    parts = [replace(part, word=f"trend: {part.direction}") for part in described]
    groups = [next(part for part in parts if part.name == names[0]) for names in case.groups.values()]
    pro, contra = (sum(part.direction == side for part in groups) for side in ("for", "against"))
    u, k = case.claim.needed(len(groups)), len(groups)
    word = "trend: for" if pro >= u else "trend: against" if contra >= k - u + 1 else "trend: flat"
    reason = f"parts for it by more than one standard error: {pro} of {k}, against it: {contra}"
    if all(part.n == 1 for part in parts):
        reason = "one seed cannot tell a direction from chance"
    return case.answer(word, reason, "R15", parts)


def _tested(case: _Case, kind: Kind) -> ClaimVerdict:
    """Group by group at the largest look (R14), joined by R7."""
    groups = case.groups
    rule = RULES[case.claim.kind] if len(groups) == 1 else f"{RULES[case.claim.kind]}, R7"
    look = case.look(case.ready)
    if look is None:
        return _before_first_look(case, kind, rule)
    parts, evidence, notes = _at_look(case, kind, groups, look)
    u, k = case.claim.needed(len(groups)), len(groups)
    p = float(statistics.partial_conjunction_p(evidence.p, u))
    mirrored = float(statistics.partial_conjunction_p(evidence.p_reversed, k - u + 1))
    verdict = case.answer(_word(evidence, u, case.alpha(look)), "", rule, parts)
    verdict = replace(verdict, look=look, alpha=case.alpha(look), p=p, p_reversed=mirrored)
    reason = parts[0].reason if k == 1 else "; ".join([_joined_reason(case, kind, verdict), *_once(notes)])
    return _with_next(case, verdict, reason) if verdict.word == "inconclusive" else replace(verdict, reason=reason)


def _before_first_look(case: _Case, kind: Kind, rule: str) -> ClaimVerdict:
    """Too few seeds, or a hole among the first; a group that has its own first seeds is still shown with its word."""
    first, parts = min(case.claim.looks), []
    for group, names in case.groups.items():
        look = case.look(min(_leading(case.parts[name]) for name in names))
        if look is not None:
            parts += _at_look(case, kind, {group: names}, look)[0]
            continue
        for part in _described(case, {group: names}):
            told = replace(part, word="inconclusive", reason=f"{part.n} of {first} seeds")
            parts.append(told if part.n else part)
    if hole := next(filter(None, (_holes(values, first) for values in case.parts.values())), ""):
        return case.answer("open", hole, rule, parts)
    why = f"{case.ready} of the {first} seeds of the first look"
    if case.claim.kind == "pooled":  # R19: below the look it has a direction only
        why += f"; direction so far: {', '.join(f'{part.name} {part.direction}' for part in parts)}"
    return _with_next(case, case.answer("inconclusive", "", rule, parts), why)


def _at_look(case: _Case, kind: Kind, groups: Groups, look: int) -> tuple[list[Part], Evidence, dict[str, str]]:
    """The parts of the groups, each group tested by itself on a look's seeds, the evidence that R7 joins, and notes."""
    claim, alpha = case.claim, case.alpha(look)
    values = [_shared(case, names)[:, :look] for names in groups.values()]
    evidence = kind.test(claim, groups, np.concatenate(values), alpha, True)
    parts, notes = [], {}
    for i, (group, names) in enumerate(groups.items()):
        alone = Evidence(evidence.p[[i]], evidence.p_reversed[[i]], evidence.tied[[i]])
        p, mirrored, tied = float(alone.p[0]), float(alone.p_reversed[0]), bool(alone.tied[0])
        estimate, notes[group] = kind.tell(claim, group, values[i])
        word = _word(alone, 1, alpha)
        reason = f"{estimate} at n = {look}, p = {show(min(p, mirrored))}, level {show(alpha)}"
        reason = "; ".join(filter(None, [reason, _margin_reason(claim, word, tied), notes[group]]))
        for part in _described(case, {group: names}, look):
            parts.append(replace(part, word=word, reason=reason, p=p, p_reversed=mirrored, tied=tied))
    return parts, evidence, notes


def _word(evidence: Evidence, needed: int, alpha: float) -> str:
    decided = statistics.decide(evidence, needed, alpha)
    return next((w for w, yes in zip(("holds", "reversed", "tied"), decided, strict=True) if yes), "inconclusive")


def _with_size(case: _Case, verdict: ClaimVerdict) -> ClaimVerdict:
    """The claimed sizes, each a band for the mean of its part; judged at full only, apart from the direction."""
    sizes = case.claim.size
    if not sizes or case.scale != "full":
        return replace(verdict, size_word="judged at full" if sizes else "")
    if verdict.look is None or verdict.alpha is None:
        return replace(verdict, size_word="inconclusive" if verdict.word == "inconclusive" else "open")
    words = {}
    for name in sizes:
        values = np.array(_numbers(case.parts[name])[: verdict.look])
        words[name] = kinds.size_word(case.claim, name, values, verdict.alpha)
    off, open_ = {"smaller", "larger"} & set(words.values()), "inconclusive" in words.values()
    word = "not as claimed" if off else "inconclusive" if open_ else "as claimed"
    reason = ", ".join(f"{name}: {word}" for name, word in words.items())
    parts = tuple(replace(part, size_word=words.get(part.name, "")) for part in verdict.parts)
    return replace(verdict, parts=parts, size_word=word, size_reason=f"{reason} (n = {verdict.look})")


def _with_next(case: _Case, verdict: ClaimVerdict, why: str) -> ClaimVerdict:
    """R16: the reason with the next look, the seeds that it needs and their minutes."""
    ahead = min((look for look in case.claim.looks if look > (verdict.look or 0)), default=None)
    if ahead is None:
        return replace(verdict, reason=f"{why}; no further look is planned")
    more = ahead - case.ready
    minutes = None if case.minutes is None else more * case.minutes
    cost = "" if minutes is None else f", about {show(minutes, 2)} min"
    reason = f"{why}; next look at n = {ahead} (seeds needed: {more}{cost})"
    return replace(verdict, reason=reason, next_look=ahead, seeds_needed=more, minutes=minutes)


def _joined_reason(case: _Case, kind: Kind, verdict: ClaimVerdict) -> str:
    """Why several groups together are what they are; whether so few seeds can decide them together at all."""
    words = {part.name: part.word for part in verdict.parts}
    alone = [words[names[0]] for names in case.groups.values()]
    u, k, n = case.claim.needed(len(alone)), len(alone), verdict.look
    what, level = "groups" if case.claim.kind == "trend" else "parts", f"level {show(verdict.alpha)}, n = {n}"
    told = {
        "holds": f"at least {u} of {k} {what} are as claimed (p = {show(verdict.p)}, {level})",
        "reversed": f"at least {k - u + 1} of {k} {what} go the other way (p = {show(verdict.p_reversed)}, {level})",
        "tied": f"in all {k} parts the difference lies within the margin {case.claim.margin} (n = {n})",
    }
    if verdict.word in told:
        return told[verdict.word]
    held, against = alone.count("holds"), alone.count("reversed")
    reason = f"one by one, {held} of {k} {what} hold and {against} are reversed, {u} are needed ({level})"
    asked = [("hold", k - u + 1), *([("be reversed", u)] if against > k - u else [])] if kind.flips else []
    for does, factor in asked:
        able = [look for look in case.claim.looks if statistics.reachable(look, factor, case.alpha(look))]
        if n not in able:
            when = f"n = {able[0]} is the first look that can" if able else "no planned look can"
            reason += f"; {n} seeds cannot show this claim on {k} parts to {does}, {when}"
    return reason


def _margin_reason(claim: Claim, word: str, tied: bool) -> str:
    """Whether the difference is within the margin, where a kind that can be tied has one and it matters."""
    if claim.kind not in ("ordering", "threshold") or claim.margin is None:
        return ""
    if word in ("holds", "reversed") and not tied:
        return ""
    return f"{'' if tied else 'not '}shown to lie within the margin {claim.margin}"


def _once(notes: Mapping[str, str]) -> list[str]:
    """The groups' notes, one that all share without their names."""
    if len(notes) > 1 and len(set(notes.values())) == 1:
        return [note for note in list(notes.values())[:1] if note]
    return [f"{group}: {note}" for group, note in notes.items() if note]


def _shared(case: _Case, names: Sequence[str]) -> Floats:
    """The values (parts, n) of the seeds that have all of these parts."""
    columns = zip(*(case.parts[name].values() for name in names), strict=True)
    whole = [column for column in columns if not any(isinstance(value, Missing) for value in column)]
    return np.array(whole, dtype=np.float64).reshape(-1, len(names)).T


def _numbers(values: Mapping[int, Value]) -> list[float]:
    return [float(value) for value in values.values() if not isinstance(value, Missing)]


def _leading(values: Mapping[int, Value]) -> int:
    """How many seeds, from the first on, have a value."""
    return next((i for i, value in enumerate(values.values()) if isinstance(value, Missing)), len(values))


def _holes(values: Mapping[int, Value], first: int | None = None) -> str:
    """What is missing among the first seeds, and at which of them where others have it; empty when nothing is."""
    holes = {seed: value for seed, value in list(values.items())[:first] if isinstance(value, Missing)}
    if not holes:
        return ""
    where = "" if len(holes) == len(values) else f" (seed {', '.join(map(str, holes))})"
    return f"no rows for {next(iter(holes.values())).what}{where}"
