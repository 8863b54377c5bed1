"""`unihpe data …`: what is on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from unihpe.cli.options import console, named
from unihpe.datasets import DATA_SETS
from unihpe.errors import InputError

app = typer.Typer(help="Look at data sets, and make rendered people.", no_args_is_help=True)


@app.command("info")
def data_info() -> None:
    """Where each data set comes from, and its terms in a line."""
    table = Table("name")
    for column in ("where", "terms"):
        table.add_column(column, overflow="fold")  # addresses are whole, or of no use
    for name, data_set in DATA_SETS.items():
        table.add_row(name, data_set.where, data_set.terms)
    console.print(table)
    console.print("Layouts that are understood: docs/data.md.")


@app.command("check")
def data_check(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(DATA_SETS)}.")],
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
    from unihpe.datasets import get_data_set
    from unihpe.datasets.protocol import Scored

    known = [get_data_set(name) for name in DATA_SETS]
    having = [data_set for data_set in known if data_set.protocols]
    chosen = having if data is None else [get_data_set(data)]
    if not any(data_set.protocols for data_set in chosen):
        names = ", ".join(data_set.name for data_set in having)
        raise InputError(f"{data} has no named protocols; {names} have")
    for data_set in chosen:
        for protocol in data_set.protocols:
            words = protocol.words(Scored(flip=protocol.flip))
            console.print(named(f"{data_set.name} {protocol.name}", protocol.about))
            for part in ("data", "joints", "root", "alignment", "averaging", "exclusions"):
                console.print(f"    {part}: {words[part]}")


@app.command("pack")
def data_pack(
    name: Annotated[str, typer.Argument(help="A recorded set with pictures.")],
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
    from unihpe.datasets import get_data_set
    from unihpe.datasets.counts import step_of
    from unihpe.datasets.dataset import Reading
    from unihpe.datasets.pack import pack_recorded
    from unihpe.datasets.pictures import Pictures

    if not root.exists():
        raise InputError(f"no data at {root}: check --root")
    recording = get_data_set(name).with_pictures()
    files = Pictures(recording, pictures or root)
    whole = recording.open(root, Reading(keypoints, split, joints=joints))
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
    from unihpe.datasets.packed import pack
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
