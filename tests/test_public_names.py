"""Public and private: `__all__` in every package is exact, and helpers start with an underscore."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import unihpe

PACKAGE = Path(unihpe.__file__).parent
ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def dotted(path):
    return ".".join(path.relative_to(PACKAGE.parent).parts).removesuffix(".py")


def used_names(tree):
    """(module, name) of what a file imports from the package, or reaches through its modules."""
    nodes = list(ast.walk(tree))
    froms = [n for n in nodes if isinstance(n, ast.ImportFrom) and "unihpe" in (n.module or "")]
    names = {(node.module, alias.name) for node in froms for alias in node.names}
    modules = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in froms
        for alias in node.names
    }
    reached = [n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    return names | {(modules[n.value.id], n.attr) for n in reached if n.value.id in modules}


@cache
def imported_names():
    """What the package's own files, its documents, benchmarks and tools use of each module."""
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    beside = [path for name in ("benchmarks", "tools") for path in (ROOT / name).glob("*.py")]
    sources += [path.read_text(encoding="utf-8") for path in beside]
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        sources += re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return set().union(*(used_names(ast.parse(source)) for source in sources))


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.name)
def test_a_package_lists_exactly_its_public_names(folder):
    package = importlib.import_module(dotted(folder))
    own = {name for name, value in vars(package).items() if not isinstance(value, ModuleType)}
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    foreign = {  # what the file imports for its own use, from elsewhere
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith(dotted(folder))
        for alias in node.names
    }
    public = {name for name in own - foreign if not name.startswith("_")}
    assert public == {name for name in package.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_nobody_else_uses_starts_with_an_underscore(path):
    name = dotted(path)
    listed = importlib.import_module(name.rpartition(".")[0]).__all__
    used = {imported for module, imported in imported_names() if module == name}
    definitions = ast.parse(path.read_text(encoding="utf-8")).body
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = {n.name for n in definitions if isinstance(n, kinds) and not n.name.startswith("_")}
    assert public <= {*listed, *used}, "helpers start with an underscore"


def test_no_private_name_is_imported():
    private = [f"{module}.{name}" for module, name in imported_names() if name.startswith("_")]
    assert [name for name in private if not name.endswith(("__version__", "__future__"))] == []
