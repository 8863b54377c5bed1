"""The house: imports go to lower floors only, and names, lengths and widths are as promised."""

import ast
import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest

import unihpe
from unihpe.model.backbones import KINDS
from unihpe.recipe import shipped_recipes

PACKAGE = Path(unihpe.__file__).parent
ROOT = PACKAGE.parents[1]
FLOORS = (
    "errors",
    "settings io body diffusion",
    "losses model inputs export",
    "datasets rendering people",
    "training inference",
    "evaluation recipe",
    "show runs",
    "cli",
    "__main__",
)
LONGEST_FUNCTION = 60
WIDEST_LINE = 100
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[Path, ast.Module]:
    """The syntax tree of every file of the package, by its path below it."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE): ast.parse(path.read_text("utf-8")) for path in files}


def nodes(kind):
    """All nodes of a kind, each with its file and line."""
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield path, f"{path}:{node.lineno}", node


def imports():
    """Every module of the package that is imported, with where that is."""
    for path, place, node in nodes(ast.ImportFrom | ast.Import):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.module == "unihpe":
            names = [f"unihpe.{alias.name}" for alias in node.names]
        else:
            names = [node.module or ""]
        yield from ((path, place, name) for name in names if name.startswith("unihpe."))


def room_of(path: Path) -> str:
    return path.with_suffix("").parts[0]


def test_imports_go_to_lower_floors():
    floor = {room: n for n, row in enumerate(FLOORS) for room in row.split()}
    climbs = [
        f"{place} imports {name}"
        for path, place, name in imports()
        if (here := room_of(path)) != "__init__"
        and (room := name.split(".")[1]) in floor
        and room != here
        and floor[room] >= floor[here]
    ]
    assert climbs == []


def test_every_module_has_a_floor():
    rooms = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert rooms == set(" ".join(FLOORS).split())


def test_losses_import_nothing_of_the_house_but_its_error():
    own = [(place, name) for path, place, name in imports() if room_of(path) == "losses"]
    allowed = ("unihpe.losses", "unihpe.errors")
    assert [place for place, name in own if not name.startswith(allowed)] == []


@pytest.mark.parametrize("room", ["model", "losses", "diffusion", "inputs", "inference"])
def test_the_method_knows_no_data_rendering_or_training(room):
    own = [(place, name) for path, place, name in imports() if room_of(path) == room]
    upper = ("datasets", "rendering", "training")
    assert [place for place, name in own if name.split(".")[1] in upper] == []


def test_all_names_exist():
    for module in ("unihpe", "unihpe.losses"):
        loaded = importlib.import_module(module)
        assert all(hasattr(loaded, name) for name in loaded.__all__)


def test_no_joint_numbers_outside_the_skeletons():
    """A literal index into joints is an integer subscript on a name like pose or keypoints."""
    for path, place, node in nodes(ast.Subscript):
        if path.name == "skeleton.py" or not isinstance(node.value, ast.Name):
            continue
        if node.value.id in ("pose", "poses", "keypoints") and isinstance(node.slice, ast.Tuple):
            first, second = node.slice.elts[:2]
            if isinstance(first, ast.Constant) and first.value is ...:
                continue  # pose[..., 2] is a coordinate
            numbers = [second.value] if isinstance(second, ast.Constant) else []
            assert not [n for n in numbers if isinstance(n, int)], place


DATA_SET_NAMES = ("coco", "human36m", "humaneva", "motion", "mpi_inf_3dhp", "people", "threedpw")
PLAIN_WORDS = {"coco", "motion", "people"}  # also a keypoint file's layout, a table's heading, …
TABLE = Path("datasets/__init__.py")
BESIDE = {"motion": Path("cli/data.py")}  # `unihpe data render` poses its people by motion capture


@pytest.mark.parametrize("name", DATA_SET_NAMES)
def test_a_data_set_is_known_to_its_own_folder_only(name):
    def is_own(path: Path) -> bool:
        return path in (TABLE, BESIDE.get(name)) or path.parts[:2] == ("datasets", name)

    known = [
        place
        for path, place, module in imports()
        if not is_own(path) and re.match(rf"unihpe\.datasets\.{name}(\.|$)", module)
    ]
    if name not in PLAIN_WORDS:
        known += strings_of(re.compile(rf"(?<![\w/]){name}(?!\w)"), is_own)
    assert known == []


def test_a_backbone_is_known_to_its_own_room_only():
    kinds = re.compile(rf"(?<!\w)({'|'.join(KINDS)})(?!\w)")
    assert strings_of(kinds, lambda path: path.parts[:2] == ("model", "backbones")) == []


def strings_of(pattern: re.Pattern[str], is_own) -> list[str]:
    """Where a string that is no docstring matches."""
    prose = {id(node.value) for _, _, node in nodes(ast.Expr)}
    return [
        place
        for path, place, node in nodes(ast.Constant)
        if isinstance(node.value, str) and id(node) not in prose and not is_own(path)
        if pattern.search(node.value)
    ]


def test_functions_are_short():
    long = [
        f"{place} {node.name}: {length}"
        for _, place, node in nodes(Function)
        if (length := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_every_parameter_and_return_is_annotated():
    bare = []
    for _, place, node in nodes(Function):
        given = node.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        missing = [a for a in named if a and not a.annotation and a.arg not in ("self", "cls")]
        bare += [place] * (bool(missing) or node.returns is None)
    assert bare == []


def test_no_line_is_too_wide():
    """But Markdown's tables and addresses, which cannot be broken, and notes to mypy and ruff."""
    folders = (ROOT / name for name in ("src", "tests", "benchmarks", "docs", "tools"))
    files = [path for folder in folders for path in folder.rglob("*")] + list(ROOT.glob("*.*"))
    wide = []
    for path in files:
        if path.suffix not in (".py", ".toml", ".md") or not path.is_file():
            continue
        text = re.sub(r"  # (type: ignore|noqa).*", "", path.read_text("utf-8"))
        lines = text.splitlines()
        for n, line in enumerate(lines, 1):
            whole = path.suffix == ".md" and line.lstrip().startswith("|")
            if len(line) > WIDEST_LINE and not whole and "://" not in line:
                wide.append(f"{path.relative_to(ROOT)}:{n}")
    assert wide == []


def test_a_recipe_fits_a_page():
    recipes = PACKAGE / "recipes"
    lengths = {n: len((recipes / f"{n}.toml").read_text().splitlines()) for n in shipped_recipes()}
    assert {name: length for name, length in lengths.items() if length > 90} == {}


def test_the_document_of_the_paper_names_things_that_exist():
    document = (ROOT / "docs" / "paper.md").read_text("utf-8")
    for module, name in re.findall(r"`([\w/]+\.py):(\w+)`", document):
        root = ROOT if module.startswith("benchmarks/") else PACKAGE
        source = (root / module).read_text("utf-8")
        found = re.search(rf"\b(def|class) {name}\b|^{name}\b", source, re.MULTILINE)
        assert found, f"{module}:{name}"
