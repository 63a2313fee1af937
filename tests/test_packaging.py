"""What pyproject.toml installs is what there is: a folder that it does not name would be missing from an installed package."""

from __future__ import annotations

import tomllib

from tests.conftest import ROOT

DATA = {".yaml", ".json", ".go", ".mod", ".sum"}


def test_every_package_is_installed():
    named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    tops = {name for name in named if "." not in name}
    there = {".".join(path.parent.relative_to(ROOT).parts) for top in tops for path in (ROOT / top).rglob("__init__.py")}
    assert sorted(named) == sorted(there)


def test_what_the_packages_read_is_installed():
    given = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    named = {path for package, patterns in given.items() for pattern in patterns for path in (ROOT / package).glob(pattern)}
    there = {path for package in given for path in (ROOT / package).rglob("*") if path.suffix in DATA}
    assert there <= named
