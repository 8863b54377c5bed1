"""`unihpe data …`: what is on disk, and packed sets made of it."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table
from typer import Argument, Option

from unihpe.cli.options import (
    Device,
    Json,
    OutFile,
    Rig,
    Root,
    Seed,
    console,
    leave_skipped,
    named,
    require_data,
)
from unihpe.datasets import DATA_SETS, DEFAULT, get_data_set
from unihpe.errors import InputError, number_of

app = typer.Typer(help="Look at data sets, and make packed ones.", no_args_is_help=True)


@app.command("info")
def _data_info() -> None:
    """Where each data set comes from, and its terms in a line."""
    folded = (Column(name, overflow="fold") for name in ("where", "terms"))  # addresses stay whole
    table = Table(Column("name", no_wrap=True), *folded)
    for name, data_set in DATA_SETS.items():
        table.add_row(name, data_set.where, data_set.terms)
    console.print(table)
    console.print("Layouts that can be read: docs/data.md.")


@app.command("check")
def _data_check(
    name: Annotated[str, Argument(help="A data set of `unihpe data info`.")],
    root: Root,
    layout: Annotated[str | None, Option(help="Which one, if the set has several.")] = None,
    rig: Rig = None,
    json: Json = None,
    sheet: Annotated[Path | None, Option(help="Also draw people with their 2D (PNG).")] = None,
) -> None:
    """Check unit, leg order and calibration by a data set's own numbers.

    The exit code is 1 if something disagrees.
    """
    from unihpe.datasets.check import check
    from unihpe.runs.evaluate import write_report
    from unihpe.show.contact_sheet import draw_contact_sheet

    require_data(root)
    report = check(name, root, layout, rig)
    _show_check(report)
    if json is not None:
        write_report(json, report)
    if sheet is not None:
        draw_contact_sheet(name, root, sheet, layout)
        console.print(f"Look at {sheet}.")
    if report["problems"]:
        raise typer.Exit(1)


def _show_check(report: dict[str, Any]) -> None:
    for key, value in report.items():
        if key == "splits":
            for split, counts in value.items():
                kinds = "subjects", "sequences", "cameras", "frames"
                words = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds)
                known = "" if counts["expected"] is None else f"{counts['expected']:,} expected, "
                console.print(named(split, f"{words} ({known}{counts['variant']})"))
        elif key not in ("problems", "notes"):
            text = ", ".join(str(entry) for entry in value) if isinstance(value, list) else value
            console.print(named(key, text))
    for note in report["notes"]:
        console.print(f"note: {note}")
    for problem in report["problems"]:
        console.print(named("problem", problem, "red"))


@app.command("protocols")
def _data_protocols(
    data: Annotated[str | None, Argument(help="A data set; default: all that have some.")] = None,
) -> None:
    """The protocols of `unihpe eval --protocol`: whose they are, and what compares with them."""
    from unihpe.datasets.protocol import Scored

    having = [data_set for data_set in DATA_SETS.values() if data_set.protocols]
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
def _data_pack(
    name: Annotated[str, Argument(help="A data set that was recorded by cameras.")],
    root: Root,
    out: OutFile,
    split: Annotated[str, Option(help="train, val or test.")] = "train",
    stride: Annotated[int, Option(min=1, help="Every n-th frame of each view.")] = 5,
    pictures: Annotated[Path | None, Option(help="Their folder, if it is another.")] = None,
    keypoints: Annotated[str, Option(help="Which 2D.")] = "gt",
    joints: Annotated[str, Option(help="Joint set, if a copy has several.")] = "",
    skip_missing: Annotated[bool, Option(help="Leave out people without picture.")] = False,
) -> None:
    """Pack crops and labels of a recorded set into one file, for training with pictures.

    A call that was interrupted continues where it stopped.
    """
    from unihpe.cli.progress import counted
    from unihpe.datasets.counts import step_of
    from unihpe.datasets.dataset import Reading
    from unihpe.datasets.packed import pack_recorded
    from unihpe.datasets.pictures import Pictures

    require_data(root)
    recording = get_data_set(name).with_pictures()
    files = Pictures(recording, pictures or root)
    whole = recording.open(root, Reading(keypoints, split, joints=joints))
    recorded = whole.select(stride=stride)
    if stride > 1:
        own, taken = step_of(whole), f"{len(recorded):,} of {len(whole):,} people"
        hint = f"; the copy itself has every {own}th: --stride 1 takes all of it" if own > 1 else ""
        console.print(f"{taken}: frames whose number {stride} divides{hint}.")
    with counted("people", len(recorded)) as done:
        packed = pack_recorded(recorded, files, out, skip_missing=skip_missing, done=done)
    for note in packed.notes:
        console.print(f"  {note}")
    kept = f", {packed.kept} of them from an earlier run" if packed.kept else ""
    console.print(f"{packed.people} people in {out}{kept} ({recorded.layout}).")


@app.command("label")
def _data_label(
    pictures: Annotated[Path, Argument(help="A folder of pictures, or a zip file with images/.")],
    out: OutFile,
    boxes: Annotated[
        Path | None, Option(help="JSON (docs/formats.md); else they are found.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Label people in photographs with 2D keypoints (COCO JSON), to be corrected and trained on.

    A joint is marked where most looks of MoveNet Thunder agree: at two sizes, each in a mirror too.
    """
    from unihpe.cli.progress import counted
    from unihpe.runs.label import label_pictures, pictures_of

    with counted("pictures", len(pictures_of(pictures))) as done:
        people, skipped = label_pictures(pictures, out, boxes, device, done)
    console.print(f"{number_of(people, 'person', 'people')} in {out}.")
    leave_skipped(skipped)


@app.command("render")
def _data_render(
    motion: Annotated[Path, Option(help="BVH folder or motion npz that poses the people.")],
    out: OutFile,
    also: Annotated[list[Path], Option(help="More such motions; repeatable.")] = [],
    count: Annotated[int, Option(min=1, help="How many people.")] = 10_000,
    split: Annotated[str, Option(help="Of the motion: train, val or test.")] = "train",
    skins: Annotated[Path | None, Option(help="Folder of skin textures.")] = None,
    backgrounds: Annotated[Path | None, Option(help="Folder of photographs and panoramas.")] = None,
    workers: Annotated[int, Option(min=1, help="Processes.")] = 1,
    sheet: Annotated[Path | None, Option(help="Also draw the first people (PNG).")] = None,
    change: Annotated[
        list[str], Option("--set", metavar="NAME=SHARE", help="A share; docs/synthetic.md.")
    ] = [],
    seed: Seed = 0,
) -> None:
    r"""Render people in the poses of motion capture into one file (unihpe\[synthetic])."""
    from unihpe.cli.progress import counted
    from unihpe.datasets.packed import pack
    from unihpe.datasets.variety import Variety
    from unihpe.rendering.body import SKELETON
    from unihpe.rendering.scene import People, render
    from unihpe.rendering.settings import Settings, changed
    from unihpe.settings import parse
    from unihpe.show.crops import draw_crops

    world_poses = get_data_set(DEFAULT).world_poses
    assert world_poses is not None
    settings = changed(Settings(seed=seed, skins=skins, backgrounds=backgrounds), change)
    shares = {name: getattr(settings, name) for name in ("postures", "recombined", "turned")}
    variety = parse(Variety, shares, "--set")
    poses = world_poses([motion, *also], split, count, seed, variety)
    if sheet is not None:
        some, first = People(poses, settings), min(count, 4 * 8)
        draw_crops([some[n] for n in range(first)], SKELETON, sheet, columns=8)
        console.print(f"Look at {sheet}: the first {first} of {count} people.")
    people = render(poses, settings, range(count), workers)
    # closed at once where packing stops, so that no process renders on
    with closing(people), counted("people", count) as done:
        pack(people, out, asdict(settings), done=done)
    console.print(f"{count} people in {out}.")
