"""Reads ``baselines/pNN_id/published.yaml``, what a paper printed, strictly: faults are named by file, line and remedy.

Printed numbers are exact ``Decimal`` values from the text of the file, so 94.0 keeps its last digit. The types stand in
``suite.facts`` and are exported here too.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from suite import facts, project, strict
from suite.facts import (
    Claim,
    Each,
    Figure,
    Identity,
    Metric,
    Number,
    Of,
    Ours,
    Published,
    SRef,
    Table,
    claim_digest,
    stem_of,
)
from suite.rows import Row, show_labels

__all__ = [
    "Claim", "Each", "Figure", "Identity", "Metric", "Number", "Of", "Ours", "Published", "SRef", "Table",
    "claim_digest", "load", "read", "stem_of",
]  # fmt: skip


def read(stem: str) -> Published:
    """The published facts of a paper of this project."""
    return load(project.root() / "baselines" / stem / "published.yaml")


def load(path: str | Path) -> Published:
    """Reads a file. UserError "file:line: problem; remedy", a line for each fault that was found."""
    return _load(Path(path), strict.bytes_of(Path(path)))


@functools.lru_cache(maxsize=128)  # a run asks for each row; the same bytes are the same facts
def _load(path: Path, data: bytes) -> Published:
    doc = strict.Document(path, data, READERS, ADVICE)
    root = doc.root()
    _unique_ids(doc, root)
    published = doc.attempt(lambda d, node, name: d.entry(node, name, Published, path=d.path), root, "the file")
    doc.stop_at_faults()
    _check_stem(doc, root, published)
    _check_references(doc, root, published)
    doc.stop_at_faults()
    return published


@dataclass(frozen=True)
class _Printed:
    """A row as it stands in the file."""

    at: Mapping[str, str]
    role: str
    values: Mapping[str, Decimal]
    spread: Mapping[str, Decimal] = field(default_factory=dict)
    doubt: Mapping[str, str] = field(default_factory=dict)
    runs: int | None = None
    note: str | None = None


def _named(cls: type) -> strict.Read:
    return lambda doc, node, name: doc.entry(node, name, cls)


def _section(what: str, read: strict.Read) -> strict.Read:
    """A reader of a list of entries, by id; each is called by its id in messages. The list may be empty."""

    def read_section(doc: strict.Document, node: yaml.Node, name: str) -> dict[str, Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise doc.fault(node, f"{name} is {strict.show(node)}", "expected a list of entries, or [] for none")
        ids = [_id(item) or str(place) for place, item in enumerate(node.value, 1)]
        found = [doc.attempt(read, item, f"{what} {i}") for i, item in zip(ids, node.value, strict=True)]
        return dict(zip(ids, found, strict=True))

    return read_section


def _id(item: yaml.Node) -> str:
    node = strict.value(item, "id") if strict.has(item, "id") else None
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _unique_ids(doc: strict.Document, root: yaml.Node) -> None:
    """Notes each id that stands twice: ids of all sections are functions, or names in checks, of one paper."""
    lines: dict[str, int] = {}
    for section in ("tables", "figures", "numbers", "claims", "identities", "ours"):
        items = strict.value(root, section).value if strict.has(root, section) else []
        for item in filter(_id, items if isinstance(items, list) else []):
            node, first = strict.value(item, "id"), lines.get(_id(item))
            if first:
                doc.fault(node, f"the id {_id(item)!r} stands twice, first in line {first}", "choose another")
            lines.setdefault(_id(item), node.start_mark.line + 1)


def _metrics(doc: strict.Document, node: yaml.Node, name: str) -> dict[str, Metric]:
    def metric(doc: strict.Document, node: yaml.Node, name: str) -> Metric:
        return doc.entry(node, name, Metric, name=name.rpartition(".")[2])

    return strict.by_key(metric)(doc, node, name)


def _table(cls: type[Table]) -> strict.Read:
    """A reader of a table or figure and of its rows, whose labels must pick each of its values."""

    def read(doc: strict.Document, node: yaml.Node, name: str) -> Table:
        before = len(doc.faults)
        table = doc.entry(node, name, cls, notes={}, doubts={})
        printed: tuple[_Printed, ...] = table.rows  # type: ignore[assignment]
        for place, row in enumerate(printed):
            _check_row(doc, strict.value(node, "rows", place), f"{name} row {place + 1}", row, table.metrics)
        _check_labels(doc, node, name, printed)
        if len(doc.faults) > before:
            raise strict.Broken
        rows = [Row(table.id, p.at, p.values, None, p.role, p.spread, p.runs or table.runs) for p in printed]
        notes = {show_labels(p.at): p.note for p in printed if p.note}
        doubts = {(show_labels(p.at), metric): why for p in printed for metric, why in p.doubt.items()}
        return replace(table, rows=tuple(rows), notes=notes, doubts=doubts)

    return read


def _check_row(doc: strict.Document, node: yaml.Node, name: str, row: _Printed, metrics: Mapping[str, Metric]) -> None:
    for part in ("values", "spread", "doubt"):
        for metric in getattr(row, part):
            if metric not in metrics:
                place = strict.at(node, part, metric)
                doc.fault(place, f"{name}: {part} names {metric!r}, no metric of it", strict.suggest(metric, metrics))
            elif part == "spread" and metric not in row.values:
                doc.fault(strict.at(node, part, metric), f"{name} has a spread of {metric} but no value", "give both")
    for axis in sorted(set(row.at) & set(metrics)):
        doc.fault(strict.at(node, "at", axis), f"{name}: {axis!r} is a label and a metric", "rename one of the two")
    if not row.values and not row.note:
        doc.fault(node, f"{name} has no values", "give it one, or a note that says why it has none")


def _check_labels(doc: strict.Document, node: yaml.Node, name: str, rows: tuple[_Printed, ...]) -> None:
    """Equal labels, and labels that do not pick one value.

    Rows may have axes besides the common ones ("alpha" where a method has one) if some row has the common ones alone;
    else an axis is misspelt or forgotten. The labels of a row may not fit another row that holds the same metric.
    """
    if not rows:
        return
    seen: dict[str, int] = {}
    axes = Counter(frozenset(row.at) for row in rows)
    common, usual = frozenset.intersection(*axes), axes.most_common(1)[0][0]
    for place, row in enumerate(rows):
        item, text = strict.value(node, "rows", place), show_labels(row.at)
        if text in seen:
            doc.fault(item, f"{name} has two rows [{text}], first in line {seen[text]}", "tell them apart by a label")
        seen.setdefault(text, item.start_mark.line + 1)
        if common not in axes and frozenset(row.at) != usual:
            remedy = f"give all rows the same labels (most have {', '.join(sorted(usual))})"
            doc.fault(item, f"{name}: the row [{text}] mixes axes with the others", remedy)
        for other in rows if len(axes) > 1 else ():
            if row.at.items() < other.at.items() and set(row.values) & set(other.values):
                remedy = "give the first one the label that tells them apart"
                doc.fault(item, f"{name}: the labels of [{text}] also fit the row [{show_labels(other.at)}]", remedy)


def _number(doc: strict.Document, node: yaml.Node, name: str) -> Number:
    found = doc.entry(node, name, Number)
    if found.of and found.role not in ("own", "rerun"):
        remedy = "only an own or rerun number is compared with a measured row; remove 'of'"
        raise doc.fault(strict.at(node, "of"), f"{name} has the role {found.role} and 'of'", remedy)
    return found


def _over(doc: strict.Document, node: yaml.Node, name: str) -> str | int:
    if isinstance(node, yaml.ScalarNode):
        text = strict.some_text(doc, node, name)
        if text not in ("all", "some"):
            raise doc.fault(node, f"{name} is {text!r}", "write all, some or {at_least: 3}")
        return text
    before = len(doc.faults)
    if found := doc.mapping(node, name, ("at_least",)):
        return strict.count(doc, found["at_least"][1], f"{name}: at_least")
    if len(doc.faults) == before:
        doc.fault(node, f"{name} does not say how many parts", "write all, some or {at_least: 3}")
    raise strict.Broken


def _range(doc: strict.Document, node: yaml.Node, name: str) -> tuple[Decimal, Decimal]:
    ends = strict.tuple_of(strict.number)(doc, node, name)
    if len(ends) != 2 or ends[0] > ends[1]:
        raise doc.fault(node, f"{name} is [{', '.join(map(str, ends))}]", "expected [low, high]")
    return ends[0], ends[1]


def _looks(doc: strict.Document, node: yaml.Node, name: str) -> tuple[int, ...]:
    looks = strict.tuple_of(strict.count)(doc, node, name)
    if list(looks) != sorted(set(looks) & set(facts.LOOKS)) and not (len(looks) == 1 and looks[0] > facts.LOOKS[-1]):
        what = f"{name} is [{', '.join(map(str, looks))}]"
        raise doc.fault(node, what, "expected some of [5, 10, 20] in this order, or one planned number above 20")
    return looks


def _levels(doc: strict.Document, node: yaml.Node, name: str) -> tuple[str, ...]:
    levels = strict.tuple_of(strict.a_label)(doc, node, name)
    if len(set(levels)) < max(3, len(levels)):
        what = f"{name} is [{', '.join(levels)}]"
        raise doc.fault(node, what, "expected three different levels or more, in the order in which the value grows")
    return levels


def _claim(doc: strict.Document, node: yaml.Node, name: str) -> Claim:
    """A claim whose kind has what it needs and nothing that belongs to another kind."""
    claim, before = doc.entry(node, name, Claim), len(doc.faults)
    there = [key for key in RULE if strict.has(node, key)]
    for key in facts.KINDS[claim.kind][0]:
        if key not in there:
            doc.fault(node, f"{name} is of kind {claim.kind} and has no {key}", f"add {ADVICE[key]}")
    for key, what, remedy in _claim_faults(claim, there):
        doc.fault(strict.at(node, key), f"{name}: {what}", remedy)
    if len(doc.faults) > before:
        raise strict.Broken
    return claim if "looks" in there else replace(claim, looks=DEFAULT_LOOKS.get(claim.kind, facts.LOOKS))


def _claim_faults(claim: Claim, there: list[str]) -> Iterator[tuple[str, str, str]]:
    """The key, what is wrong there, and the remedy; ``there`` are the keys of the rule that the claim states."""
    takes = [key for keys in facts.KINDS[claim.kind] for key in keys]
    for key in there:
        if key not in takes and (key != "looks" or claim.kind == "exact"):
            remedy = f"remove it, or choose another kind; {claim.kind} takes {', '.join(takes) or 'nothing'}"
            yield key, f"{key} means nothing to the kind {claim.kind}", remedy
    if claim.decidable == "exact" and claim.kind != "exact":
        yield "decidable", f"decidable exact, but of kind {claim.kind}", "give it the kind exact, or a scale"
    if claim.low is not None and claim.high is not None and claim.low >= claim.high:
        yield "low", f"low {claim.low} is not below high {claim.high}", "expected low < high"
    if claim.kind == "ratio" and any(low <= 0 for low, _ in claim.size.values()):
        yield "size", "a factor is not above 0", "expected {part: [low, high]} with low > 0"
    if claim.kind == "pooled" and "looks" in there and claim.looks[0] < facts.LOOKS[-1]:
        yield "looks", f"pooled over {claim.looks[0]} seeds", "expected [20], or one planned number above 20"


def _identity(doc: strict.Document, node: yaml.Node, name: str) -> Identity:
    found = doc.entry(node, name, Identity)
    if bool(found.check) != (found.basis is not None):
        missing, there = ("basis", "check") if found.check else ("check", "basis")
        raise doc.fault(node, f"{name} has {there} but no {missing}", f"add {ADVICE[missing]}, or remove {there}")
    if found.each and not found.check:
        raise doc.fault(strict.at(node, "each"), f"{name} has 'each' but no check", f"add {ADVICE['check']}")
    return found


def _ours(doc: strict.Document, node: yaml.Node, name: str) -> Ours:
    found = doc.entry(node, name, Ours)
    if not found.id.startswith("ours_"):
        raise doc.fault(strict.at(node, "id"), f"{name}: the id is {found.id!r}", f"call it 'ours_{found.id}'")
    if both := set(found.axes) & set(found.metrics):
        raise doc.fault(strict.at(node, "axes"), f"{name}: {min(both)!r} is axis and metric", "rename one of the two")
    return found


def _check_stem(doc: strict.Document, root: yaml.Node, published: Published) -> None:
    folder = doc.path.resolve().parent.name
    if re.fullmatch(r"p\d\d_\w+", folder) and folder != published.stem:
        remedy = "make number and id those of the folder, or rename it"
        doc.fault(strict.at(root, "id"), f"number and id make {published.stem}, but the folder is {folder}", remedy)


def _check_references(doc: strict.Document, root: yaml.Node, published: Published) -> None:
    """Notes each table, metric, axis, label or row that a number or an identity names and that is not there."""
    printed: dict[str, Table] = {**published.tables, **published.figures}
    drawn: dict[str, Number] = {}  # the first number of a figure without rows says what its axes are
    for place, number in enumerate(published.numbers.values()):
        if number.of:
            first = drawn.setdefault(number.of.table, number)
            for key, what, remedy in _of_faults(number, number.of, first, printed):
                node = strict.value(root, "numbers", place, "of")
                doc.fault(strict.at(node, key), f"number {number.id}: {what}", remedy)
    for place, identity in enumerate(published.identities.values()):
        for path, what, remedy in _each_faults(identity.each or Each(()), printed):
            node = strict.at(root, "identities", place, "each", *path)
            doc.fault(node, f"identity {identity.id}: {what}", remedy)


def _of_faults(number: Number, of: Of, first: Number, printed: Mapping[str, Table]) -> Iterator[tuple[str, str, str]]:
    table = printed.get(of.table)
    if table is None:
        yield "table", f"there is no table or figure {of.table!r}", strict.suggest(of.table, printed)
    elif of.metric not in table.metrics:
        yield "metric", f"{of.table} has no metric {of.metric!r}", strict.suggest(of.metric, table.metrics)
    elif (unit := table.metrics[of.metric].unit) != number.unit:
        yield "metric", f"its unit is {number.unit!r}, that of {of.metric} {unit!r}", "give both one unit"
    elif table.rows and not any(row.at == of.at for row in table.rows):
        remedy = f"expected all the labels of one row, such as [{show_labels(table.rows[0].at)}]"
        yield "at", f"{of.table} has no row [{show_labels(of.at)}]", remedy
    elif not table.rows and first.of and set(of.at) != set(first.of.at):
        remedy = f"write {', '.join(first.of.at)}, as number {first.id} does"
        yield "at", f"its labels are {', '.join(of.at) or 'none'}", remedy


def _each_faults(each: Each, printed: Mapping[str, Table]) -> Iterator[tuple[list[str], str, str]]:
    for ident in each.table:
        if ident not in printed:
            yield ["table"], f"there is no table {ident!r}", strict.suggest(ident, printed)
            continue
        rows = printed[ident].rows
        for key, wanted in (("where", each.where), ("without", each.without)):
            for axis, wanted_labels in wanted.items():
                known = dict.fromkeys(row.at[axis] for row in rows if axis in row.at)
                axes = dict.fromkeys(axis for row in rows for axis in row.at)
                if axis not in axes:
                    yield [key, axis], f"the rows of {ident} have no label {axis!r}", strict.suggest(axis, axes)
                for text in wanted_labels if known else ():
                    if text not in known:
                        yield [key, axis], f"no row of {ident} has {axis}={text}", strict.suggest(text, known)


RULE = ("looks", "margin", "size", "levels", "value", "side", "low", "high", "statistic")
DEFAULT_LOOKS: dict[str, tuple[int, ...]] = {"exact": (), "pooled": facts.LOOKS[-1:]}
_TEXT, _NUMBER = strict.some_text, strict.number
READERS: dict[str, strict.Read] = {
    **dict.fromkeys(("title", "venue", "doi", "note", "where", "about", "says", "test", "effect"), _TEXT),
    **dict.fromkeys(("formula", "holds", "Identity.over", "statistic", "Number.doubt"), _TEXT),
    **dict.fromkeys(("table", "metric"), strict.name_of),
    **dict.fromkeys(("value", "low", "high"), _NUMBER),
    **dict.fromkeys(("gap", "cap", "margin", "SRef.value"), strict.positive),
    **dict.fromkeys(("number", "year", "n_test", "runs"), strict.count),
    "id": strict.function_name,
    "unit": strict.a_text,
    "authors": strict.tuple_of(_TEXT),
    "family": strict.one_of(facts.FAMILIES),
    "better": strict.one_of(facts.BETTER),
    "role": strict.one_of(facts.ROLES),
    "spread_is": strict.one_of(facts.SPREADS),
    "noise": strict.one_of(facts.NOISE),
    "decidable": strict.one_of(facts.DECIDABLE),
    "kind": strict.one_of(tuple(facts.KINDS)),
    "side": strict.one_of(facts.SIDES),
    "basis": strict.one_of(facts.BASES),
    "at": strict.by_key(strict.a_label),
    "values": strict.by_key(_NUMBER),
    "spread": strict.by_key(_NUMBER),
    "doubt": strict.by_key(_TEXT),
    "records": strict.tuple_of(_TEXT),
    "s_ref": _named(SRef),
    "of": _named(Of),
    "each": _named(Each),
    "Each.table": strict.tuple_of(strict.name_of, single=True),
    "Each.where": strict.by_key(strict.tuple_of(strict.a_label, single=True)),
    "Each.without": strict.by_key(strict.tuple_of(strict.a_label, single=True)),
    "check": strict.tuple_of(_TEXT, single=True),
    "axes": strict.tuple_of(strict.name_of),
    "over": _over,
    "size": strict.by_key(_range, named=False),
    "looks": _looks,
    "levels": _levels,
    "metrics": _metrics,
    "rows": strict.tuple_of(_named(_Printed)),
    "tables": _section("table", _table(Table)),
    "figures": _section("figure", _table(Figure)),
    "numbers": _section("number", _number),
    "claims": _section("claim", _claim),
    "identities": _section("identity", _identity),
    "ours": _section("table of ours", _ours),
}
ADVICE = {
    "unit": "'unit: \"%\"', or 'unit: \"\"' where none is printed",
    "kind": "'kind: ...' and what it needs: "
    + ", ".join(kind + (f" ({', '.join(needs)})" if needs else "") for kind, (needs, _) in facts.KINDS.items()),
    "role": f"'role: ...', one of {', '.join(facts.ROLES)}",
    "decidable": f"'decidable: ...', one of {', '.join(facts.DECIDABLE)}",
    "margin": "'margin: 5', the difference that counts as none, in the unit of the claim's values",
    "size": "'size: {part: [low, high]}', the interval that the claimed size stands for",
    "levels": "'levels: [a, b, c]' in the order in which the value is claimed to grow",
    "value": "'value: 80', the constant",
    "side": "'side: above' or 'side: below'",
    "low": "'low: 0.25'",
    "high": "'high: 0.45'",
    "statistic": "'statistic: median' or another that joins the seeds",
    "check": "'check: ...', a comparison",
    "basis": f"'basis: ...', one of {', '.join(facts.BASES)}",
}
