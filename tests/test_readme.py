"""The README's Python runs as printed, and the documents' links lead somewhere."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from test_floors import FLOORS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(code: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_lifting_in_python(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "keypoints.npy", rng.uniform(300, 900, (2, 17, 2)))
    monkeypatch.chdir(tmp_path)
    code, _ = blocks(ROOT / "README.md", "python")
    result = run(code)["result"]
    assert result.pose.shape == (2, 17, 3)
    assert result.radii.shape == (2, 17, 2)
    assert "tensor" in capsys.readouterr().out


def test_the_loss_on_its_own():
    _, code = blocks(ROOT / "README.md", "python")
    names = run(code)
    assert names["loss"].isfinite()
    assert all(float(names[name].grad.norm()) > 0 for name in ("image", "text", "audio"))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_named_by_their_path_exist(page):
    """`tests/…`, `docs/…`, `benchmarks/…`, `src/…` in backticks."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:tests|docs|benchmarks|src)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_names_in_files_exist(page):
    """`file.py:name` in backticks, under `src/unihpe` or `benchmarks`."""
    text = page.read_text(encoding="utf-8")
    for file, name in re.findall(r"`([\w/]+\.py):(\w+)`", text):
        folder = ROOT if file.startswith("benchmarks/") else ROOT / "src" / "unihpe"
        code = (folder / file).read_text(encoding="utf-8")
        assert re.search(rf"\b(def|class) {name}\b|^{name}\b", code, re.MULTILINE), f"{file}:{name}"


def test_the_new_import_paths_exist():
    rows = re.findall(
        r"^\|.*\| (`unihpe.*) \|$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    names = [name for row in rows for name in re.findall(r"`(unihpe\.[\w.]+)`", row)]
    assert len(names) > 10
    for name in names:
        assert find_spec(name), name


def test_the_house_on_paper_has_the_floors_of_the_code():
    table = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8").split("## The house")[1]
    floors: list[set[str]] = []
    for number, packages in re.findall(r"^\| (\d?) ?\| (`.*?) \|", table, re.MULTILINE):
        floors += [set()] if number else []
        floors[-1] |= set(re.findall(r"`(\w+)/?`", packages))
    assert floors == [set(row.split()) for row in FLOORS]


def test_the_files_to_read_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stops = re.findall(r"^\* `(\w+)/`: (.*(?:\n  .*)*)", readme, re.MULTILINE)
    assert [package for package, _ in stops] == [
        "model",
        "losses",
        "diffusion",
        "training",
        "inference",
        "people",
    ]
    for package, text in stops:
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
            assert (ROOT / "src" / "unihpe" / package / name).exists(), f"{package}/{name}"
