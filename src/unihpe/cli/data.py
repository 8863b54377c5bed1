"""`unihpe data …`: what is on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from unihpe.cli.options import console, named
from unihpe.errors import InputError

app = typer.Typer(help="Look at data sets, and make rendered people.", no_args_is_help=True)

SOURCES = {
    "motion": (
        "CMU motion capture as BVH, mocap.cs.cmu.edu",
        "free to use, not to be resold as data",
    ),
    "coco": (
        "cocodataset.org: train2017, val2017, annotations_trainval2017",
        "annotations CC BY 4.0; photographs: Flickr's terms",
    ),
    "human36m": (
        "vision.imar.ro/human3.6m; VideoPose3D's and MMPose's packagings",
        "academic, by agreement",
    ),
    "humaneva": ("humaneva.is.tue.mpg.de; VideoPose3D's packaging", "research, by agreement"),
    "mpi_inf_3dhp": ("vcai.mpi-inf.mpg.de/3dhp-dataset", "research only"),
    "threedpw": ("virtualhumans.mpi-inf.mpg.de/3DPW", "research only, by agreement"),
}


@app.command("info")
def data_info() -> None:
    """Where each data set comes from, and its terms in a line."""
    table = Table("name")
    for column in ("where", "terms"):
        table.add_column(column, overflow="fold")  # addresses are whole, or of no use
    for name, row in SOURCES.items():
        table.add_row(name, *row)
    console.print(table)
    console.print("Layouts that are understood: docs/data.md.")


@app.command("check")
def data_check(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SOURCES)}.")],
    root: Annotated[Path, typer.Option(help="The data set's folder, or a motion's file.")],
    layout: Annotated[str | None, typer.Option(help="Where a set has several.")] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the report to this file.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Also draw people of the set with their 2D (PNG).")
    ] = None,
) -> None:
    """Prove a data set's unit, leg order and calibration from its own numbers; exit code 1 if something disagrees."""
    import json as library

    from unihpe.datasets.check import check
    from unihpe.io.files import write_text
    from unihpe.show.contact_sheet import draw_contact_sheet

    if name not in SOURCES:
        raise InputError(f"no data set '{name}'; there are {', '.join(SOURCES)}")
    if not root.exists():
        raise InputError(f"no data at {root}: check --root")
    report = check(name, root, layout)
    show_check(report)
    if json is not None:
        write_text(json, library.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if sheet is not None:
        draw_contact_sheet(name, root, sheet, layout)
        console.print(f"Look at {sheet}.")
    if report["problems"]:
        raise typer.Exit(1)


def show_check(report: dict[str, Any]) -> None:
    """The report as lines; problems last."""
    for key, value in report.items():
        if key == "splits":
            for split, counts in value.items():
                console.print(named(split, counts_in_words(counts)))
        elif key not in ("problems", "notes"):
            shown = ", ".join(str(entry) for entry in value) if isinstance(value, list) else value
            console.print(named(key, shown))
    for note in report["notes"]:
        console.print(f"note: {note}")
    for problem in report["problems"]:
        console.print(named("problem", problem, "red"))


def counts_in_words(counts: dict[str, Any]) -> str:
    """The counts of one split, beside the known copy they are held against."""
    words = ", ".join(
        f"{counts[key]:,} {key}" for key in ("subjects", "sequences", "cameras", "frames")
    )
    expected = "" if counts["expected"] is None else f"{counts['expected']:,} expected, "
    return f"{words} ({expected}{counts['variant']})"


@app.command("protocols")
def data_protocols(
    data: Annotated[
        str | None, typer.Argument(help="A data set; default: all that have named protocols.")
    ] = None,
) -> None:
    """The named protocols of `unihpe eval --protocol`: whose they are, and what compares with them."""
    from unihpe.evaluation.rules import RULES

    chosen = [rules for rules in RULES if data in (None, rules.data)]
    if not chosen:
        raise InputError(
            f"{data} has no named protocols; {', '.join(dict.fromkeys(rules.data for rules in RULES))} have"
        )
    for rules in chosen:
        words = rules.words(
            "the set", "as asked for", rules.flip, "as asked for", "all that set and model share"
        )
        console.print(named(f"{rules.data} {rules.name}", rules.about))
        for part in ("data", "joints", "root", "alignment", "averaging", "exclusions"):
            console.print(f"    {part}: {getattr(words, part)}")


@app.command("pack")
def data_pack(
    name: Annotated[str, typer.Argument(help="human36m, mpi_inf_3dhp or threedpw.")],
    root: Annotated[Path, typer.Option(help="The data set's folder.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="The packed set to write, such as h36m/train.pack.")
    ],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "train",
    stride: Annotated[int, typer.Option(min=1, help="Every n-th frame of each view.")] = 5,
    pictures: Annotated[
        Path | None, typer.Option(help="Where pictures or videos lie, if not in the set's folder.")
    ] = None,
    keypoints: Annotated[str, typer.Option(help="Which 2D.")] = "gt",
    joints: Annotated[
        str, typer.Option(help="human36m17: 3DPW's regressed joints where a copy has both kinds.")
    ] = "",
    skip_missing: Annotated[
        bool, typer.Option(help="Leave out people whose picture is not there.")
    ] = False,
) -> None:
    """Crops and labels of a recorded set as one file for training and evaluation from pictures; goes on where it stopped."""
    from unihpe.cli.progress import counted
    from unihpe.datasets.check_counts import step_of
    from unihpe.datasets.pack_recorded import pack_recorded
    from unihpe.datasets.pictures import Pictures
    from unihpe.datasets.sets import open_recorded

    if not root.exists():
        raise InputError(f"no data at {root}: check --root")
    files = Pictures(name, pictures or root)
    whole = open_recorded(name, root, keypoints, split, joints=joints)  # type: ignore[arg-type]
    recorded = whole.select(stride=stride)
    if stride > 1:
        own = step_of(whole)
        hint = f"; the copy itself has every {own}th: --stride 1 takes all of it" if own > 1 else ""
        console.print(
            f"{len(recorded):,} of {len(whole):,} people: frames whose number {stride} divides{hint}."
        )
    with counted(console, "people", len(recorded)) as done:
        found = pack_recorded(recorded, files, out, skip_missing=skip_missing, done=done)
    for note in found.notes:
        console.print(f"  {note}")
    again = f", {found.kept} of them from an earlier run" if found.kept else ""
    console.print(f"{found.people} people in {out}{again} ({recorded.layout}).")


@app.command("render")
def data_render(
    motion: Annotated[
        Path, typer.Option(help="A BVH folder or motion npz whose poses the people take.")
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="The packed set to write, such as people/train.pack."),
    ],
    count: Annotated[int, typer.Option(min=1, help="How many people.")] = 10_000,
    split: Annotated[str, typer.Option(help="Of the motion: train, val or test.")] = "train",
    skins: Annotated[Path | None, typer.Option(help="Folder of skin textures.")] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder of photographs and panoramas.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    sheet: Annotated[
        Path | None, typer.Option(help="Also write a contact sheet (PNG) of the first people.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Another seed, other people.")] = 0,
) -> None:
    r"""Render people in the poses of motion capture into one file for training (unihpe\[synthetic])."""
    import torch

    from unihpe.cli.progress import counted
    from unihpe.datasets.motion.source import open_motion
    from unihpe.datasets.pack import pack
    from unihpe.rendering.render import render
    from unihpe.rendering.scene import People, Settings
    from unihpe.show.rendered_sheet import contact_sheet

    poses = open_motion(motion).select(split).poses
    order = torch.randperm(len(poses), generator=torch.Generator().manual_seed(seed))[:count]
    settings = Settings(seed=seed, skins=skins, backgrounds=backgrounds)
    if sheet is not None:
        contact_sheet(People(poses[order], settings), sheet, 4, 8)
        console.print(f"Look at {sheet}.")
    people = render(poses[order], settings, range(count), workers)
    with counted(console, "people", count) as done:
        pack(people, out, asdict(settings), done=done)
    console.print(f"{count} people in {out}.")
