"""schemas <- streams <- agents; infra -> schemas; and streams computes: no clock, no chance, no I/O."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"schemas", "streams", "agents", "infra", "tests"}

THIRD_PARTY = {
    "schemas": {"msgspec", "orjson"},
    "streams": {"msgspec", "orjson", "numpy", "scipy", "river", "datasketches", "xxhash", "pyarrow"},
}
"""What a package may use from outside; the other packages may use any dependency."""

OUR_OWN = {
    "schemas": {"schemas"},
    "streams": {"schemas", "streams"},
    "infra": {"schemas", "infra"},
    "agents": {"schemas", "streams", "infra", "agents"},
}

IMPURE_MODULES = {
    "asyncio", "concurrent", "fcntl", "ftplib", "glob", "http", "inspect", "logging", "mmap",
    "multiprocessing", "os", "pathlib", "platform", "random", "resource", "secrets", "select", "selectors",
    "shelve", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib.request", "uuid", "warnings",
}  # fmt: skip
IMPURE_FUNCTIONS = {"open", "input", "print", "exec", "eval", "breakpoint"}
CLOCK_METHODS = {"now", "utcnow", "today"}
SEEDED_RANDOM = {"Generator", "default_rng", "SeedSequence", "PCG64", "Philox", "SFC64", "BitGenerator"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a module imports, at any depth and under any condition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            assert node.module is not None
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def forbidden_imports(package: str, source: str) -> list[str]:
    """Imports of a module of `package` that go against the direction, or outside of what it may use."""
    found = []
    for line, name in imports(ast.parse(source)):
        top = name.partition(".")[0]
        if top in PACKAGES:
            allowed = top in OUR_OWN[package]
        elif top in sys.stdlib_module_names:
            allowed = True
        else:
            allowed = package not in THIRD_PARTY or top in THIRD_PARTY[package]
        if not allowed:
            found.append(f"line {line}: {name}")
    return found


def impurities(source: str) -> list[str]:
    """Clock, chance and I/O in a module: imports of modules that offer them, and calls."""
    tree = ast.parse(source)
    found = [
        f"line {line}: import {name}"
        for line, name in imports(tree)
        if any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE_MODULES)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            last = function.rpartition(".")[2]
            numpy_random = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", function)
            if (
                function in IMPURE_FUNCTIONS
                or function == "io.open"
                or (last in CLOCK_METHODS and "date" in function)
                or (numpy_random and numpy_random[1] not in SEEDED_RANDOM)
                or (last == "default_rng" and not node.args)
            ):
                found.append(f"line {node.lineno}: {function}()")
    return found


@pytest.mark.parametrize("package", sorted(OUR_OWN))
def test_imports_follow_the_direction(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in modules(package)
        if (wrong := forbidden_imports(package, path.read_text(encoding="utf-8")))
    }
    assert modules(package)
    assert found == {}


@pytest.mark.parametrize("package", ["schemas", "streams"])
def test_no_clock_chance_or_io(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in modules(package)
        if (wrong := impurities(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_nothing_but_the_command_line_imports_the_command_line() -> None:
    for path in [*modules("agents"), *modules("infra")]:
        if (ROOT / "agents" / "cli") not in path.parents:
            names = [name for _, name in imports(ast.parse(path.read_text(encoding="utf-8")))]
            assert not [name for name in names if f"{name}.".startswith("agents.cli.")], path


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("schemas", "import numpy"),
        ("schemas", "from streams.windows import x"),
        ("streams", "from agents import bus"),
        ("streams", "import aiokafka.errors"),
        ("infra", "def f():\n    from agents.settings import load"),
        ("infra", "import streams.config"),
        ("agents", "from tests import conftest"),
    ],
)
def test_the_check_sees_a_wrong_import(package: str, line: str) -> None:
    assert len(forbidden_imports(package, line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from os import path",
        "import urllib.request",
        "from urllib import request",
        "from datetime import datetime\ndatetime.now()",
        "datetime.date.today()",
        "with open('x') as f: pass",
        "import numpy as np\nnp.random.seed(1)",
        "np.random.rand()",
        "np.random.default_rng()",
    ],
)
def test_the_check_sees_an_impurity(line: str) -> None:
    assert len(impurities(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from urllib.parse import urlsplit",
        "from io import BytesIO",
        "np.random.default_rng(7).random()",
        "np.random.Generator(np.random.PCG64(1))",
        "episodes.open(subject)",
        "from datetime import datetime",
    ],
)
def test_the_check_lets_pure_code_pass(line: str) -> None:
    assert impurities(line) == []
