"""The paper's tables as commands: each in the documents parses, and its recipe loads."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from unihpe.cli import app
from unihpe.cli.plot import FIGURES
from unihpe.datasets import get_data_set
from unihpe.diffusion.sampling import build_sampler
from unihpe.recipe import load_recipe, with_stages

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = typer.main.get_command(app)


def commands():
    """Every whole command in backticks or in a fenced block of README and documents."""
    found = {}
    pages = {DOCS.parent / "README.md", *DOCS.rglob("*.md")} - {DOCS / "extending.md"}  # runs
    for page in sorted(pages):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"`(unihpe [^`]*)`", text) + re.findall(
            r"^(unihpe .*)$", text, re.MULTILINE
        ):
            if "…" not in line and ("--root" in line or " -o " in line):
                found[line] = None
    return list(found)


def parsed(line):
    """The command's name and its options, as typer understands them."""
    line = re.sub(r"\$(\w)", r"\1", line).replace("--device cuda", "")
    words = shlex.split(line, comments=True)[1:]
    group, context = COMMAND, typer.Context(COMMAND)
    while words and hasattr(group, "commands"):
        name, group = words[0], group.commands[words.pop(0)]
    return name, group.make_context(name, words, parent=context).params


def test_there_are_many():
    assert len([line for line in commands() if line.startswith("unihpe train")]) >= 18


@pytest.mark.parametrize("line", commands())
def test_a_command_is_understood(line):
    if re.search(r"\[|NAME", re.sub(r"'[^']*'", "", line)):
        pytest.skip("a pattern, not a command")
    name, given = parsed(line)
    if name == "train":
        recipe = load_recipe(given["recipe"], tuple(given["change"]))
        assert with_stages(
            recipe, tuple(given["stage"] or [stage.name for stage in recipe.stage])
        ).stage
    if name == "eval":
        assert given["protocol"] is None or get_data_set(given["data"]).protocol(given["protocol"])
        build_sampler(given["sampler"], given["steps"])
    if name == "plot":
        assert given["what"] in FIGURES


# The figures of UniHPE's own in tables 1 to 6, from the paper's text.
OWN_ROWS = {
    "table 1, lifting, Human3.6M, CPN": "53.6 40.9",
    "table 1, lifting, 3DPW, true 2D": "51.6",
    "table 2, UniHPE-w32": "55.2 40.0 67.1",
    "table 2, UniHPE-w48": "50.5 36.2 65.7",
    "table 3, UniHPE-w32": "93.5 7.18",
    "table 4 (true 2D), MLP encoder + MLP decoder": "60.5 44.5",
    "table 4, transformer + MLP": "64.8 48.1",
    "table 4, MLP + diffusion": "71.4 45.6",
    "table 4, transformer + diffusion": "39.3 29.9",
    "table 5, ViT-S": "151.6 93.8",
    "table 5, ViT-B": "149.9 93.4",
    "table 5, HRNet-w32, -w48": "55.2 40.0 50.5 36.2",
    "table 6, no alignment": "41.3 31.6 91.8 68.7",
    "table 6, L_pair": "60.0 47.5 65.5 51.8",
    "table 6, + L_triplet": "40.9 31.7 58.7 44.4",
    "table 6, + token": "39.3 29.9 57.5 42.9",
    "table 6, + 3DHP": "44.2 33.6 55.1 40.0",
}


@pytest.mark.parametrize("title", OWN_ROWS)
def test_the_papers_own_rows_are_all_there(title):
    rows = [
        line
        for line in (DOCS / "paper.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {title} |")
    ]
    assert len(rows) == 1
    figures = re.findall(r"\d+\.\d+", rows[0].split("|")[2])
    assert figures == OWN_ROWS[title].split()
    assert "`" in rows[0] or "as table 2" in rows[0]  # there is a command
