"""The house: imports go to lower floors only, and public names are what they say."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import unihpe

PACKAGE = Path(unihpe.__file__).parent
FLOORS = (
    "errors",
    "settings io body diffusion",
    "losses model",
    "datasets rendering",
    "training inference",
    "export evaluation show",
    "recipe",
    "runs",
    "cli",
    "__main__",
)


def climbs() -> list[str]:
    """Imports that go to the same or a higher floor in another module."""
    floor = {module: n for n, row in enumerate(FLOORS) for module in row.split()}
    found = []
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if here == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unihpe."):
                there = node.module.split(".")[1]
                if there != here and floor[there] >= floor[here]:
                    found.append(f"{path.name}:{node.lineno} {here} → {there}")
    return found


@pytest.mark.xfail(reason="rooms that are still being rebuilt", strict=False)
def test_imports_go_to_lower_floors():
    assert climbs() == []


def test_every_module_has_a_floor():
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert modules == set(" ".join(FLOORS).split())


def test_losses_import_nothing_of_the_house():
    for path in (PACKAGE / "losses").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unihpe"):
                assert node.module.startswith("unihpe.losses"), path


def test_all_names_exist():
    for module in ("unihpe", "unihpe.losses"):
        loaded = importlib.import_module(module)
        assert all(hasattr(loaded, name) for name in loaded.__all__)


def test_no_joint_numbers_outside_the_skeletons():
    """A literal index into joints would be an integer subscript on a name like pose or keypoints."""
    for path in PACKAGE.rglob("*.py"):
        if path.name == "skeleton.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
                continue
            if node.value.id in ("pose", "poses", "keypoints") and isinstance(
                node.slice, ast.Tuple
            ):
                first, second = node.slice.elts[:2]
                if isinstance(first, ast.Constant) and first.value is ...:
                    continue  # pose[..., 2] is a coordinate
                numbers = [second.value] if isinstance(second, ast.Constant) else []
                assert not [n for n in numbers if isinstance(n, int)], f"{path}:{node.lineno}"


def test_the_document_of_the_paper_names_things_that_exist():
    document = Path(__file__).parents[1] / "docs" / "paper.md"
    import re

    for module, name in re.findall(r"`([\w/]+\.py):(\w+)`", document.read_text(encoding="utf-8")):
        root = PACKAGE.parents[1] if module.startswith("benchmarks/") else PACKAGE
        source = (root / module).read_text(encoding="utf-8")
        assert re.search(rf"\b(def|class) {name}\b|^{name}\b", source, re.MULTILINE), (
            f"{module}:{name}"
        )
