"""What installing rests on: a lock that pins and hashes everything, and a wheel that holds what the package reads."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
PINS = dict(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", LOCK, flags=re.MULTILINE))
WANTED = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"]


@pytest.mark.parametrize("text", WANTED)
def test_the_lock_pins_what_is_wanted(text):
    """Each dependency has one pinned version, inside the range that pyproject.toml gives."""
    wanted = Requirement(text)
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])


def test_every_pin_has_a_hash():
    """No line of the lock installs a file whose digest is not known."""
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", LOCK, flags=re.MULTILINE))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert len(entries) == len(PINS)


def test_the_lock_names_no_place():
    """The lock serves every mirror of the registry: no host, index or link stands in it."""
    assert re.findall(r"://|--(?:extra-)?index|--find-links|file:|\+cpu", LOCK) == []


def test_build_tools_are_locked_with_the_rest():
    """An install without build isolation finds all that the build needs."""
    assert {Requirement(text).name for text in PROJECT["build-system"]["requires"]} <= set(PINS)


def test_the_wheel_holds_catalogue_and_templates(tmp_path):
    """What the package reads beside its modules is in the wheel, and nothing from outside the package is."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("repro_suite-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    read = {p.relative_to(ROOT).as_posix() for p in (ROOT / "suite").rglob("*") if p.suffix in (".yaml", ".md", ".txt")}
    assert {"suite/templates/module.py.txt", "suite/data/catalogue/mnist.yaml"} <= read <= held
    assert {name.split("/")[0] for name in held if ".dist-info" not in name} == {"suite"}
