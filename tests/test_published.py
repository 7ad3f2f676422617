"""The reader of published facts: what it keeps, and what it says of a file that is wrong."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import published, rows, strict
from suite.errors import UserError
from suite.facts import FAMILIES, KINDS, LOOKS
from suite.published import Claim, Of

BASELINES = sorted((Path(__file__).parents[1] / "baselines").glob("p*/published.yaml"))
DOC = """\
id: toy
number: 7
title: A toy
authors: [A. Author, "B. Author"]
year: 2021
venue: "Somewhere 2021, pp. 1-9"
family: theory
tables:
  - id: table1
    where: "Table 1"
    about: two methods on two sets
    runs: 3
    spread_is: sd
    metrics:
      acc: {unit: "%", better: higher, says: accuracy, gap: 2.0, cap: 1, n_test: 10000}
      time:
        unit: ""
        says: seconds
        s_ref: {value: 0.5, records: ["sha256:00", "sha256:11"]}
    rows:
      - at: {method: a, eps: 0.20}
        role: own
        values: {acc: 94.0, time: 1.0e-4}
        spread: {acc: 0.3}
      - at: {method: b, eps: 0.20}
        role: rerun
        runs: 1
        values: {acc: 92.10}
        doubt: {acc: smudged}
        note: printed in grey
  - id: table2
    where: Table 2
    about: rows with axes of their own
    metrics: {acc: {unit: "%", better: higher, says: accuracy}}
    rows:
      - {at: {method: a}, role: own, values: {acc: 90}}
      - {at: {method: b, alpha: 0.5, bn: True}, role: own, values: {acc: 91}}
      - {at: {method: b, alpha: 1, bn: false}, role: own, values: {}, note: printed as nan}
figures:
  - id: fig1
    where: "Fig. 1"
    about: curves without printed values
    metrics: {median: {unit: cosine, says: median}}
numbers:
  - {id: n1, where: "Sect. 4", says: a median, value: 0.58, unit: cosine, role: own, of: {table: fig1, metric: median, at: {method: a}}}
  - {id: n2, where: "Sect. 4", says: one more, value: 0.18, unit: cosine, role: own, of: {table: fig1, metric: median, at: {method: b}}}
  - {id: n3, where: "Sect. 4", says: in a table, value: 94, unit: "%", role: own, of: {table: table1, metric: acc, at: {eps: 0.2, method: a}}}
  - {id: n4, where: "Sect. 3", says: batch size, value: 200, unit: samples, role: setting, at: {method: a}, doubt: blurred}
claims:
  - id: c1
    where: "Table 1"
    says: a beats b
    test: "acc[a] - acc[b] > 0"
    effect: "1.9 points"
    decidable: reduced
    kind: ordering
    over: all
    unit: points
    margin: 0.5
    size: {main: [1.4, 2.4]}
    looks: [5, 10, 20]
  - {id: c2, where: "Sect. 4", says: no loss, test: t, decidable: full-cpu, kind: no_loss, margin: 0.5}
  - {id: c3, where: "Sect. 4", says: falls, test: t, decidable: full-cuda, kind: trend, levels: [1, 0.50, "low"], looks: [40]}
  - {id: c4, where: "Sect. 4", says: curve, test: t, decidable: full-cpu, kind: curve, margin: 1}
  - {id: c5, where: "Sect. 4", says: twice, test: t, decidable: smoke, kind: ratio, over: some, size: {0.20: [2, 2.5]}}
  - {id: c6, where: "Sect. 4", says: above, test: t, decidable: full-cpu, kind: threshold, value: 80, side: above, over: {at_least: 3}}
  - {id: c7, where: "Sect. 4", says: inside, test: t, decidable: full-cpu, kind: within, low: 0.25, high: 0.45}
  - {id: c8, where: "Sect. 4", says: middle, test: t, decidable: private, kind: pooled, statistic: median, value: 1, side: below}
  - {id: c9, where: "Eq. 9", says: a count, test: t, decidable: exact, kind: exact}
identities:
  - id: i1
    over: table1
    says: grows
    formula: a > b
    holds: "yes"
    each: {table: table1, where: {method: [a, b]}, without: {eps: 0.2}}
    check: ["acc > 0", "acc < 100"]
    basis: stated
  - {id: i2, over: Eq. 9, says: a note, formula: f, holds: "no"}
ours:
  - id: ours_control
    about: a control
    metrics: {rate: {unit: "%", says: rate}}
    axes: [method, target]
"""  # noqa: E501


def load(folder: Path, text: str | bytes = DOC) -> published.Published:
    """A file with this text, read."""
    path = folder / "published.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return published.load(path)


def faults(folder: Path, text: str | bytes) -> list[str]:
    """What is said of a file with this text, without the folder."""
    with pytest.raises(UserError) as caught:
        load(folder, text)
    assert caught.value.code == 2
    return str(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("published")


# What is kept -------------------------------------------------------------------------------------------------------


def test_everything_that_stands_in_the_file_is_read(tmp_path):
    """No printed fact is lost: rows, spreads, runs, notes, doubts, references, rules."""
    toy = load(tmp_path)
    assert (toy.stem, toy.authors, toy.year, toy.family) == ("p07_toy", ("A. Author", "B. Author"), 2021, "theory")
    table = toy.tables["table1"]
    first, second = table.rows
    assert (first.table, first.at, first.role, first.n) == ("table1", {"method": "a", "eps": "0.2"}, "own", 3)
    assert (first.values, first.spread) == (
        {"acc": Decimal("94.0"), "time": Decimal("0.00010")},
        {"acc": Decimal("0.3")},
    )
    assert second.n == 1, "a row's own number of runs goes before the table's"
    assert table.notes == {"eps=0.2 method=b": "printed in grey"}
    assert table.doubts == {("eps=0.2 method=b", "acc"): "smudged"}
    acc, time = table.metrics["acc"], table.metrics["time"]
    assert (acc.name, acc.gap, acc.cap, acc.n_test, acc.s_ref) == ("acc", Decimal("2.0"), Decimal(1), 10000, None)
    assert (time.unit, time.better, time.s_ref.records) == ("", "none", ("sha256:00", "sha256:11"))
    assert toy.tables["table2"].rows[1].at == {"alpha": "0.5", "bn": "true", "method": "b"}
    assert toy.figures["fig1"].rows == ()
    assert toy.numbers["n3"].of == Of("table1", "acc", {"method": "a", "eps": "0.2"})
    assert (toy.numbers["n4"].at, toy.numbers["n4"].doubt) == ({"method": "a"}, "blurred")
    assert (toy.identities["i1"].check, toy.identities["i2"].check) == (("acc > 0", "acc < 100"), ())
    assert toy.identities["i1"].each == published.Each(("table1",), {"method": ("a", "b")}, {"eps": ("0.2",)})
    assert toy.ours["ours_control"].axes == ("method", "target")
    assert list(toy.units) == ["table1", "table2", "fig1", "ours_control"]


def test_a_claim_holds_its_rule(tmp_path):
    """Each kind carries what it needs; looks that are not given are the planned ones of the rule book."""
    claims = load(tmp_path).claims
    assert {claim.kind for claim in claims.values()} == set(KINDS)
    assert claims["c1"].size == {"main": (Decimal("1.4"), Decimal("2.4"))}
    assert claims["c3"].levels == ("1", "0.5", "low")
    assert claims["c5"].size == {"0.2": (Decimal(2), Decimal("2.5"))}
    assert [claims[c].looks for c in ("c1", "c2", "c3", "c8", "c9")] == [LOOKS, LOOKS, (40,), (20,), ()]
    assert [claims[c].over for c in ("c1", "c5", "c6")] == ["all", "some", 3]


@pytest.mark.parametrize(("over", "parts", "want"), [("all", 4, 4), ("some", 4, 1), (3, 4, 3), (4, 4, 4)])
def test_how_many_parts_must_hold(tmp_path, over, parts, want):
    """All, one, or the declared number of parts."""
    claim = dataclasses.replace(load(tmp_path).claims["c6"], over=over)
    assert claim.needed(parts) == want


def test_a_claim_cannot_ask_for_more_parts_than_there_are(tmp_path):
    """The error names the claim and the numbers."""
    with pytest.raises(UserError, match="claim c6: at_least: 3 of 2 parts"):
        load(tmp_path).claims["c6"].needed(2)


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.parent.name)
def test_the_published_facts_of_every_paper_are_valid(path):
    """Each baseline reads without a fault and lies in the folder of its stem."""
    assert published.read(path.parent.name).stem == path.parent.name


SMALL = """\
{id: toy, number: 7, title: t, authors: [a], year: 2021, venue: v, family: rl, tables: [{id: table1, where: w, about: a,
  metrics: {acc: {unit: "%", says: s}}, rows: [{at: {eps: 0.20}, role: own, values: {acc: 94.0}}]}]}
"""
PLAIN = st.from_regex(r"-?(0|[1-9][0-9]{0,6})(\.[0-9]{0,8}([eE][+-][0-9]{1,2})?)?", fullmatch=True)


@given(PLAIN)
def test_printed_numbers_keep_every_digit(folder, text):
    """A value has the digits and the exponent of its text, so that its rounding interval can be known."""
    toy = load(folder, SMALL.replace("acc: 94.0", f"acc: {text}"))
    assert toy.tables["table1"].rows[0].values["acc"].as_tuple() == Decimal(text).as_tuple()


@given(st.decimals(-1000, 1000, places=3), st.integers(0, 3), st.booleans())
def test_a_label_is_one_however_it_is_written(folder, number, zeros, quoted):
    """0.2, 0.20, "0.2" and Decimal("0.200") name the same row."""
    text = f"{number}" + "0" * zeros
    toy = load(folder, SMALL.replace("eps: 0.20", f"eps: {repr(text) if quoted else text}"))
    assert toy.tables["table1"].rows[0].at["eps"] == rows.label(number) == rows.label(text)


# Malformed files ----------------------------------------------------------------------------------------------------
# What is replaced, by what, a piece of the line that is named, what is said of it, and the remedy.

ROW = "{at: {method: a}, role: own, values: {acc: 90}}"
CASES: dict[str, tuple[str, str, str, str, str]] = {
    "unknown key at the top": ("venue:", "venu: x\nvenue:", "venu:", "unknown key 'venu'", "did you mean 'venue'?"),
    "unknown key in a claim": ("    effect:", "    efect:", "efect:",
        "claim c1 has an unknown key 'efect'", "'effect'?"),
    "unknown key in a metric": ("n_test:", "ntest:", "ntest",
        "acc has an unknown key 'ntest'", "did you mean 'n_test'?"),
    "unknown key in a row": ("doubt: {", "doubts: {", "doubts", "unknown key 'doubts'", "did you mean 'doubt'?"),
    "unknown key of a rule": ("{at_least: 3}", "{atleast: 3}", "atleast", "unknown key 'atleast'", "'at_least'?"),
    "path is no key": ("year:", "path: x\nyear:", "path:", "unknown key 'path'", "expected one of id, number"),
    "key twice": ("year: 2021", "year: 2021\nyear: 2022", "year: 2022",
        "has 'year' twice, first in line 5", "keep one"),
    "metric twice": ("{acc: 94.0", "{acc: 94.0, acc: 93.0", "acc: 93.0", "has 'acc' twice", "keep one of the two"),
    "label key twice by value": (
        *("size: {0.20: [2, 2.5]}", "size: {0.20: [2, 2.5], 0.2: [2, 3]}", "0.2: [2, 3]"),
        *("claim c5: size has '0.2' twice", "keep one of the two"),
    ),
    "id twice": ("id: table2", "id: table1", "id: table1\n    where: Table 2",
        "id 'table1' stands twice, first in line 9", "another"),
    "id twice across sections": ("{id: n4,", "{id: c1,", "id: c1\n",
        "the id 'c1' stands twice, first in line 48", "choose another"),
    "no title": ("title: A toy\n", "", "id: toy", "the file has no title", "add 'title: ...'"),
    "no unit of a metric": ('unit: "%", better: higher, says: accuracy, gap', "says: x, gap", "acc: {",
        "has no unit", "'unit: \"%\"'"),
    "no unit of a number": (', unit: samples', "", "id: n4",
        "number n4 has no unit", "add 'unit: \"%\"', or 'unit: \"\"'"),
    "no kind": ("    kind: ordering\n", "", "id: c1",
        "claim c1 has no kind", "ordering (margin), no_loss (margin), trend (levels)"),
    "no values": (ROW, "{at: {method: a}, role: own}", "method: a}, role: own}", "has no values", "add 'values: ...'"),
    "no role": (ROW, "{at: {method: a}, values: {acc: 90}}", "method: a}, values", "has no role", "one of own, rerun"),
    "empty values": (ROW, "{at: {method: a}, role: own, values: {}}", "own, values: {}}",
        "row 1 has no values", "note"),
    "label no": ("method: a, eps", "method: no, eps", "method: no",
        "is no, which YAML takes for true or false", '"no"'),
    "label off": ("bn: True", "bn: off", "bn: off", "is off, which YAML takes for true or false", 'in quotes: "off"'),
    "key yes": ("{method: a}, doubt", "{yes: a}, doubt", "yes: a",
        "is yes, which YAML takes for true or false", '"yes"'),
    "text no": ('holds: "no"', "holds: no", "holds: no",
        "identity i2: holds is no, which YAML takes for true or false", '"no"'),
    "text is a number": ('unit: ""', "unit: 1", "unit: 1",
        "unit is 1, which YAML takes for a number", 'in quotes: "1"'),
    "text is a date": ("about: a control", "about: 2021-01-01", "2021-01-01", "YAML takes for a date", "in quotes"),
    "text is empty": ("about: a control", "about:", "    about:\n", "about is empty", "give it text or remove the key"),
    "text is blank": ("about: a control", "about: ' '", "about: ' '", "about is blank", "say it in a few words"),
    "text is a list": ("title: A toy", "title: [A, toy]", "title:", "title is a list", "expected text"),
    "label is octal": ("eps: 0.20}\n        role: own", "eps: 010}\n        role: own", "eps: 010",
        "is 010, which YAML", '"010"'),
    "label is sexagesimal": ("{eps: 0.2}", "{eps: 1:30}", "1:30",
        "eps is 1:30, which YAML takes for a number", '"1:30"'),
    "label is a mapping": ("method: a, eps", "method: {a: b}, eps", "{a: b}",
        "at.method is a mapping", "text or a number"),
    "number in quotes": ("acc: 94.0", 'acc: "94.0"', "94.0",
        'values.acc is the text "94.0"', "write 94.0 without quotes"),
    "text for a number": ("acc: 94.0", "acc: high", "acc: high", "values.acc is 'high'", "write a plain decimal"),
    "number with the tag of a text": ("acc: 94.0", "acc: !!str 94.0", "!!str",
        "values.acc is '94.0', no number", "write a plain decimal"),
    "number is missing": ("acc: 94.0", "acc: ", "acc: ,", "values.acc is empty", "give it a number or remove the key"),
    "nan": ("acc: 94.0", "acc: .nan", ".nan", "values.acc is .nan", "expected a finite number"),
    "infinity": ("value: 80", "value: -.inf", "-.inf", "claim c6: value is -.inf", "expected a finite number"),
    "nan as other languages write it": ("acc: 94.0", "acc: NaN", "NaN", "values.acc is NaN", "leave it out"),
    "underscore": ("acc: 94.0", "acc: 94_0.0", "94_0.0",
        "'94_0.0', no number that all", "write a plain decimal such as"),
    "octal": ("value: 80", "value: 080.5", "080.5", "claim c6: value is '080.5'", "write a plain decimal such as 1000"),
    "sexagesimal": ("value: 80", "value: 1:20", "1:20", "'1:20', no number that all YAML readers", "plain decimal"),
    "hexadecimal": ("value: 80", "value: 0x50", "0x50", "value is '0x50'", "plain decimal"),
    "exponent without a point": ("value: 80", "value: 8e1", "8e1", "value is '8e1', no number that all YAML", "1.0e-4"),
    "too large": ("value: 80", "value: 1.0e+999", "1.0e+999", "value is 1.0e+999", "choose a larger unit"),
    "number is a boolean": ("value: 80", "value: true", "value: true", "value is 'true'", "write a plain decimal"),
    "margin of zero": ("margin: 0.5\n", "margin: 0\n", "margin: 0\n", "claim c1: margin is 0", "a number above 0"),
    "half a run": ("runs: 3", "runs: 2.5", "runs: 2.5", "table table1: runs is 2.5", "a whole number"),
    "negative year": ("year: 2021", "year: -1", "year: -1", "the file: year is -1", "a number above 0"),
    "role": ("role: rerun", "role: rerunn", "rerunn", "role is 'rerunn'", "did you mean 'rerun'?"),
    "kind": ("kind: no_loss", "kind: noloss", "noloss", "claim c2: kind is 'noloss'", "did you mean 'no_loss'?"),
    "decidable": ("full-cuda", "full-gpu", "full-gpu", "claim c3: decidable is 'full-gpu'", "full-cuda, private"),
    "basis": ("basis: stated", "basis: state", "basis: state", "basis is 'state'", "did you mean 'stated'?"),
    "family": ("family: theory", "family: thoery", "family:", "family is 'thoery'", "did you mean 'theory'?"),
    "better": ("better: higher, says: accuracy, gap", "better: up, says: x, gap", "up,",
        "better is 'up'", "higher, lower, none"),
    "spread_is": ("spread_is: sd", "spread_is: std", "spread_is:", "spread_is is 'std'", "did you mean 'sd'?"),
    "side": ("side: above", "side: over", "side: over", "side is 'over'", "above, below"),
    "over": ("over: some", "over: most", "over: most", "claim c5: over is 'most'", "write all, some or {at_least: 3}"),
    "over as text": ("over: some", "over: at_least 2", "over: at_least 2", "over is 'at_least 2'", "{at_least: 3}"),
    "over inline": ("    over: all", "    over: at_least: 3", "at_least: 3",
        "mapping values are not", "write an inner mapping as {"),
    "at_least of nothing": ("{at_least: 3}", "{}", "over: {}",
        "claim c6: over does not say how many parts", "{at_least: 3}"),
    "at_least of text": ("{at_least: 3}", "{at_least: most}", "most}",
        "over: at_least is 'most'", "write a plain decimal"),
    "at_least zero": ("{at_least: 3}", "{at_least: 0}", "at_least: 0", "over: at_least is 0", "a number above 0"),
    "undeclared metric": ("{acc: 92.10}", "{acc: 92.10, ac: 1}", "ac: 1",
        "row 2: values names 'ac'", "did you mean 'acc'?"),
    "spread of an undeclared metric": ("{acc: 0.3}", "{uer: 0.3}", "uer: 0.3",
        "row 1: spread names 'uer'", "acc, time"),
    "spread without its value": ("doubt: {acc: smudged}", "spread: {time: 0.1}", "time: 0.1",
        "spread of time but no", "both"),
    "equal labels": (
        *("{method: b, eps: 0.20}", '{eps: "0.2", method: a}', "{eps:"),
        *("two rows [eps=0.2 method=a], first in line 21", "tell them apart by a label"),
    ),
    "misspelt axis": (
        *("{method: b, eps: 0.20}", "{methd: b, eps: 0.20}", "methd", "mixes axes with the others"),
        "give all rows the same labels (most have eps, method)",
    ),
    "forgotten axis": (
        *(ROW, "{at: {method: b}, role: own, values: {acc: 90}}", "{method: b}, role"),
        *("[method=b] also fit the row [alpha=0.5", "give the first one the label"),
    ),
    "axis and metric": ("{method: a, eps: 0.20}", "{method: a, eps: 0.20, acc: 1}", "acc: 1}",
        "'acc' is a label and a metric", "rename"),
    "number of no table": (
        *("{table: fig1, metric: median, at: {method: b}", "{table: fig2, metric: median, at: {method: b}", "fig2"),
        *("there is no table or figure 'fig2'", "did you mean 'fig1'?"),
    ),
    "number of no metric": ("metric: acc, at", "metric: err, at", "metric: err",
        "number n3: table1 has no metric 'err'", "acc, time"),
    "number of no row": ("at: {eps: 0.2, method: a}", "at: {eps: 0.3, method: a}", "eps: 0.3",
        "has no row [eps=0.3 method=a]", "[eps=0.2"),
    "number of part of a row": ("at: {eps: 0.2, method: a}", "at: {method: a}", "id: n3",
        "has no row [method=a]", "all the labels"),
    "number of other axes": ("median, at: {method: b}", "median, at: {net: b}", "net: b",
        "its labels are net", "write method, as number n1"),
    "number in another unit": ('value: 94, unit: "%"', "value: 94, unit: points", "id: n3",
        "unit is 'points', that of acc '%'", "one unit"),
    "setting of a row": ('unit: "%", role: own, of', 'unit: "%", role: setting, of', "id: n3",
        "role setting and 'of'", "remove 'of'"),
    "ordering without margin": ("    margin: 0.5\n", "", "id: c1",
        "c1 is of kind ordering and has no margin", "add 'margin: 5'"),
    "no_loss without margin": (", margin: 0.5}", "}", "id: c2",
        "c2 is of kind no_loss and has no margin", "add 'margin: 5'"),
    "trend without levels": (', levels: [1, 0.50, "low"]', "", "id: c3",
        "of kind trend and has no levels", "in the order"),
    "curve without margin": (", margin: 1}", "}", "id: c4", "of kind curve and has no margin", "add 'margin"),
    "ratio without size": (", size: {0.20: [2, 2.5]}", "", "id: c5",
        "of kind ratio and has no size", "'size: {part: [low, high]}'"),
    "threshold without value": ("value: 80, ", "", "id: c6", "of kind threshold and has no value", "add 'value: 80'"),
    "threshold without side": (", side: above", "", "id: c6", "of kind threshold and has no side", "'side: above' or"),
    "within without low": ("low: 0.25, ", "", "id: c7", "of kind within and has no low", "add 'low"),
    "within without high": (", high: 0.45", "", "id: c7", "of kind within and has no high", "add 'high"),
    "within upside down": ("low: 0.25", "low: 0.45", "id: c7",
        "low 0.45 is not below high 0.45", "expected low < high"),
    "pooled without statistic": ("statistic: median, ", "", "id: c8", "of kind pooled and has no statistic", "median"),
    "pooled too early": ("side: below}", "side: below, looks: [10, 20]}", "id: c8",
        "pooled over 10 seeds", "expected [20]"),
    "key of another kind": ("    margin: 0.5\n", "    margin: 0.5\n    side: above\n", "side: above",
        "side means nothing to the kind ordering", "takes margin, size"),
    "looks of an exact claim": ("kind: exact}", "kind: exact, looks: [5]}", "id: c9",
        "looks means nothing to the kind exact", "takes nothing"),
    "exact that is tested": ("decidable: smoke", "decidable: exact", "id: c5",
        "decidable exact, but of kind ratio", "the kind exact"),
    "two levels": ('[1, 0.50, "low"]', "[1, 2]", "id: c3", "levels is [1, 2]", "three different levels or more"),
    "equal levels": ('[1, 0.50, "low"]', "[0.5, 0.50, 1, 2]", "id: c3",
        "levels is [0.5, 0.5, 1, 2]", "three different levels"),
    "looks that no level is known for": ("looks: [5, 10, 20]", "looks: [3, 5]", "looks: [3",
        "looks is [3, 5]", "some of [5, 10, 20]"),
    "one look that is too early": ("looks: [40]", "looks: [7]", "id: c3", "looks is [7]", "one planned number"),
    "looks out of order": ("looks: [5, 10, 20]", "looks: [10, 5]", "looks: [10", "looks is [10, 5]", "in this order"),
    "looks empty": ("looks: [5, 10, 20]", "looks: []", "looks: []", "looks is an empty list", "expected a list"),
    "size upside down": ("[1.4, 2.4]", "[2.4, 1.4]", "[2.4", "size.main is [2.4, 1.4]", "expected [low, high]"),
    "size of one end": ("[1.4, 2.4]", "[1.4]", "[1.4]", "size.main is [1.4]", "expected [low, high]"),
    "size of text": ("[1.4, 2.4]", "[low, 2.4]", "[low", "size.main is 'low'", "write a plain decimal"),
    "looks of text": ("looks: [5, 10, 20]", "looks: [five, 10]", "[five", "looks is 'five'", "write a plain decimal"),
    "levels with a hole": ('[1, 0.50, "low"]', "[1, ~, 2, 3]", "id: c3", "levels is empty", "a label: text or"),
    "one author without brackets": ("[A. Author, \"B. Author\"]", "A. Author", "authors: A.",
        "authors is the single value 'A. Author'", "expected a list"),
    "size is a number": ("{main: [1.4, 2.4]}", "1.9", "size: 1.9",
        "size is the single value '1.9'", "expected a mapping"),
    "factor of zero": ("[2, 2.5]", "[0, 2.5]", "id: c5", "a factor is not above 0", "low > 0"),
    "each of no table": ("each: {table: table1", "each: {table: table3", "table3",
        "i1: there is no table 'table3'", "did you mean"),
    "each of no label": ("where: {method: [a, b]}", "where: {methods: a}", "{methods",
        "table1 have no label 'methods'", "'method'?"),
    "each without no label": ("without: {eps", "without: {epss", "{epss", "have no label 'epss'", "mean 'eps'?"),
    "each of no row": ("where: {method: [a, b]}", "where: {method: [a, c]}", "[a, c]",
        "no row of table1 has method=c", "a, b"),
    "check without basis": ("    basis: stated\n", "", "id: i1",
        "i1 has check but no basis", "arithmetic, stated, assumed"),
    "basis without check": ('holds: "no"}', 'holds: "no", basis: stated}', "id: i2",
        "basis but no check", "'check: ...'"),
    "each without check": ('holds: "no"}', 'holds: "no", each: {table: table1}}', "id: i2",
        "'each' but no check", "'check: ...'"),
    "our table under a printed name": ("id: ours_control", "id: control", "id: control",
        "the id is 'control'", "'ours_control'"),
    "our axis is a metric": ("axes: [method,", "axes: [rate,", "axes: [rate", "'rate' is axis and metric", "rename"),
    "id that is no name": ("id: c1\n", "id: c-1\n", "id: c-1", "id is 'c-1', which is no name", "letters, digits"),
    "id that Python keeps": ("id: c1\n", "id: lambda\n", "id: lambda", "id is 'lambda', a word of Python", "lambda_1"),
    "axis that is no name": ("{method: a, eps", "{my method: a, eps", "my method",
        "'my method', which is no name", "letters"),
    "section is a mapping": ("numbers:", "numbers: {}\nold:", "numbers:", "numbers is a mapping", "a list of entries"),
    "section is empty": ("identities:", "identities:\nold:", "identities:", "identities is empty", "[] for none"),
    "entry is text": ("  - {id: i2, over: Eq. 9, says: a note, formula: f, holds: \"no\"}", "  - i2", "- i2",
        "the single value 'i2'", "a mapping"),
    "a quote left open": ('where: "Table 1"\n    about', 'where: "Table 1\n    about', "acc: {",
        "cannot start any token", "a quote left open above"),
    "a tab": ("    about: two", "\tabout: two", "\tabout", "found character '\\t'", "indent with blanks, not tabs"),
    "an alias": ("year: 2021", "year: &y 2021\nnote: *y", "note: *y", "alias *y", "write the facts out"),
    "two documents": ("tables:\n", "---\ntables:\n", "---", "found another document", "keep one document a file"),
    "a control character": ("title: A toy", "title: A \x01toy", "title:",
        "the character U+0001 is not allowed", "remove it"),
}  # fmt: skip
ALSO_SAID = {"section is a mapping", "section is empty"}  # the rest of the section then stands under an unknown key


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_file_is_refused_with_line_and_remedy(tmp_path, name):
    """The one thing that is wrong is named with file and line, what it is, and what to write instead."""
    old, new, at, problem, remedy = CASES[name]
    assert old in DOC
    text = DOC.replace(old, new, 1)
    line = text.count("\n", 0, text.index(at)) + 1
    said = faults(tmp_path, text)
    found = next((fault for fault in said if problem in fault), "\n".join(said))
    assert found.startswith(f"published.yaml:{line}: "), found
    assert problem in found
    assert remedy in found.split(problem, 1)[1]
    assert len(said) == 1 + (name in ALSO_SAID), said


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (b"", "published.yaml:1: the file holds nothing; give it at least its required keys"),
        (b"# only words\n", "published.yaml:1: the file holds nothing; "),
        (b"- 1\n- 2\n", "published.yaml:1: the file is a list; expected a mapping"),
        (b"words", "published.yaml:1: the file is the single value 'words'; expected a mapping"),
        (b"id: toy\ntitle: \xff\n", "published.yaml:2: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"id: toy\nnote: " + b"[" * 1500, "published.yaml:1: the file is nested too deeply; "),
    ],
)
def test_what_is_no_file_of_facts_at_all(tmp_path, text, want):
    """Empty, of another shape, not text, or hostile: one line says so."""
    (said,) = faults(tmp_path, text)
    assert said.startswith(want)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    """Some editors write one."""
    assert load(tmp_path, b"\xef\xbb\xbf" + DOC.encode()).id == "toy"


def test_a_file_that_is_not_there(tmp_path):
    """A missing file, and a folder in its place, are named with the reason."""
    with pytest.raises(
        UserError, match=r"nowhere\.yaml: cannot be read \(No such file or directory\); put the file there"
    ):
        published.load(tmp_path / "nowhere.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        published.load(tmp_path)


def test_a_paper_without_facts_is_named_by_its_place():
    """Reading a stem that has no baseline names the file that is missing."""
    with pytest.raises(UserError, match=r"baselines/p99_nobody/published\.yaml: cannot be read"):
        published.read("p99_nobody")


def test_a_file_in_the_folder_of_another_paper(tmp_path):
    """Number and id are the folder's, since one stem names module, facts and reports."""
    folder = tmp_path / "p08_toy"
    folder.mkdir()
    (said,) = faults(folder, DOC)
    assert said == (
        "published.yaml:1: number and id make p07_toy, but the folder is p08_toy; "
        "make number and id those of the folder, or rename it"
    )


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path):
    """Whoever mends a file sees everything that is wrong with its parts, and no consequences of it."""
    text = (
        DOC.replace("family: theory", "family: magic")
        .replace("acc: 94.0", "acc: .inf")
        .replace("kind: curve", "kind: line")
    )
    said = faults(tmp_path, text)
    assert [re.sub(r".*?:\d+: (.*?);.*", r"\1", fault) for fault in said] == [
        "the file: family is 'magic'",
        "table table1: rows: values.acc is .inf",
        "claim c4: kind is 'line'",
    ]


def test_faults_stand_in_the_order_of_their_lines(tmp_path):
    """A repeated id at the end is told after what is wrong above it, whichever was found first."""
    text = DOC.replace("id: ours_control", "id: c1").replace("year: 2021", "year: long ago")
    said = faults(tmp_path, text)
    lines = [int(fault.split(":")[1]) for fault in said]
    assert len(lines) > 1
    assert lines == sorted(lines)


def test_a_file_is_named_from_the_folder_one_stands_in(tmp_path, monkeypatch):
    """What a user may click on or open is short where that is possible."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^here/published\.yaml:1: the file holds nothing"):
        load(tmp_path / "here", "")


def test_many_faults_are_cut_short(tmp_path):
    """A file with a hundred faults shows the first ones and how many follow."""
    numbers = "".join(f'  - {{id: n{i}, where: w, says: s, value: x, unit: "", role: own}}\n' for i in range(100))
    said = faults(tmp_path, DOC[: DOC.index("numbers:")] + "numbers:\n" + numbers)
    assert len(said) == strict.SHOWN + 1
    assert said[-1] == f"... and {100 - strict.SHOWN} more"


def test_a_draft_is_told_what_a_claim_needs(tmp_path):
    """A claim without a kind is refused with all kinds and what each of them needs."""
    (said,) = faults(tmp_path, DOC.replace(", kind: curve, margin: 1", ""))
    for kind, (needs, _) in KINDS.items():
        assert f"{kind} ({', '.join(needs)})" in said if needs else said.endswith(kind)


# Any file -----------------------------------------------------------------------------------------------------------


def loads_or_tells(folder: Path, text: str) -> None:
    """Reads the text; the only way to fail is a UserError, each line of which names file, line and remedy."""
    try:
        load(folder, text)
    except UserError as error:
        lines = str(error).replace(f"{folder}/", "").splitlines()
        assert all(re.match(r"published\.yaml:\d+: .+; .+|\.\.\. and \d+ more$", line) for line in lines), lines


@given(st.integers(0, len(DOC)), st.integers(0, 12), st.text("abc01.:,-{}[]\"'#&*!|>%@`?~ \t\n\\\x00é", max_size=6))
def test_any_damage_is_told_or_harmless(folder, start, length, put):
    """A piece of the file replaced by anything gives facts or a message, never a traceback."""
    loads_or_tells(folder, DOC[:start] + put + DOC[start + length :])


TREE = yaml.compose(DOC, Loader=yaml.SafeLoader)


def places(node: yaml.Node) -> list[yaml.Node]:
    """All nodes of the document, keys included."""
    inner = (
        [n for item in node.value for n in (item if isinstance(item, tuple) else (item,))]
        if not isinstance(node, yaml.ScalarNode)
        else []
    )
    return [node, *(deeper for n in inner for deeper in places(n))]


ODD = [
    "~",
    "no",
    "''",
    "' '",
    "[]",
    "{}",
    "[[]]",
    "{a: {b: c}}",
    "[1, 2]",
    "-1",
    "0",
    "1.5",
    "1e3",
    ".nan",
    "1_0",
    "'7'",
]
ODD += ["2021-01-01", "!x y", "!!float a", "!!int '7'", "true", "é", "=", "<<", "{at_least: {}}", "all", "c1", "table1"]


@settings(max_examples=60)
@given(st.sampled_from(places(TREE)), st.sampled_from(ODD))
def test_any_value_in_any_place_is_told_or_harmless(folder, place, odd):
    """Whatever stands where something else belongs gives facts or a message, never a traceback."""
    loads_or_tells(folder, DOC[: place.start_mark.index] + odd + "\n" + DOC[place.end_mark.index :])
    loads_or_tells(folder, DOC[: place.start_mark.index] + odd + DOC[place.end_mark.index :])


KEYS = sorted(
    {k.start_mark.index for node in places(TREE) if isinstance(node, yaml.MappingNode) for k, _ in node.value}
)
FREE = r"(acc|time|median|rate|method|eps|alpha|bn|main|0\.20):"  # names and labels of the paper itself


@pytest.mark.parametrize("start", [k for k in KEYS if not re.match(FREE, DOC[k:])])
def test_every_key_of_the_schema_is_known_by_its_exact_name(tmp_path, start):
    """A letter too many in any key is refused, with the line and the right key."""
    key = re.match(r"\w+", DOC[start:])[0]
    text = DOC[:start] + key + "x" + DOC[start + len(key) :]
    said = faults(tmp_path, text)
    line = text.count("\n", 0, start) + 1
    assert any(
        f.startswith(f"published.yaml:{line}: ") and f"'{key}x'" in f and f"did you mean '{key}'?" in f for f in said
    ), said


# Declarations -------------------------------------------------------------------------------------------------------

CLAIM = Claim("c1", "Table 1", "a beats b", "a - b > 0", "reduced", "ordering", margin=Decimal("0.5"))
CHANGES: list[dict[str, Any]] = [
    *({"id": "c2"}, {"says": "b beats a"}, {"test": "b - a > 0"}, {"decidable": "smoke"}, {"kind": "no_loss"}),
    *({"effect": "5"}, {"over": "some"}, {"over": 1}, {"margin": Decimal("0.6")}, {"margin": None}, {"looks": (5, 10)}),
    *({"size": {"a": (Decimal(1), Decimal(2))}}, {"levels": ("a", "b", "c")}, {"value": Decimal(0)}, {"side": "above"}),
    *({"low": Decimal(0)}, {"high": Decimal(1)}, {"statistic": "median"}, {"unit": "%"}),
]


def test_a_digest_sees_every_part_of_a_declaration():
    """Each change of what is claimed or of how it is decided gives a digest of its own."""
    digests = [published.claim_digest(dataclasses.replace(CLAIM, **change)) for change in [{}, *CHANGES]]
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests)
    assert {f.name for f in dataclasses.fields(Claim)} == {key for c in CHANGES for key in c} | {"where", "note"}


def test_a_digest_leaves_commentary_and_spelling_out():
    """Where a claim stands, notes on it, and zeros at the end of a number do not make a verdict post hoc."""
    same = dataclasses.replace(CLAIM, where="Sect. 4", note="a word", margin=Decimal("0.50"))
    assert published.claim_digest(same) == published.claim_digest(CLAIM)


def test_a_digest_is_the_same_on_every_machine():
    """The digest of a declaration is part of committed records, so it may not drift."""
    assert published.claim_digest(CLAIM) == "sha256:290e23fb58eb9f71e4f3c233613cf671ba011f40070b7c4820fc6044c288464c"


def test_stems_have_two_digits():
    """The canonical id of a paper sorts by its number."""
    assert [published.stem_of(n, "a_b") for n in (7, 17)] == ["p07_a_b", "p17_a_b"]
    assert "adversarial" in FAMILIES
