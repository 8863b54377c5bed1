"""`unihpe predict`: keypoints and pictures become 3D poses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unihpe.cli.options import (
    Device,
    ImageSize,
    Model,
    OutFolder,
    Seed,
    SkeletonName,
    console,
    leave_skipped,
    parse_size,
)
from unihpe.errors import InputError

if TYPE_CHECKING:
    from unihpe.inference.boxes import Corners
    from unihpe.inference.keypoints.read import KeypointFile
    from unihpe.inference.predictor import Predictor
    from unihpe.inference.results import Results


def predict(
    out: OutFolder,
    picture: Annotated[
        Path | None, typer.Argument(help="A picture, or a folder of pictures.")
    ] = None,
    keypoints: Annotated[
        Path | None, typer.Option(help="Keypoint file, or a folder of OpenPose files.")
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="JSON with the people's boxes in the pictures (docs/formats.md)."),
    ] = None,
    image_size: ImageSize = None,
    skeleton: SkeletonName = None,
    checkpoint: Model = "shipped",
    focal: Annotated[
        float | None, typer.Option(help="Focal length in pixels; else √(W² + H²) is assumed.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Hypotheses for each person.")] = 20,
    sampler: Annotated[
        str, typer.Option(help="How they are drawn; see docs/samplers.md.")
    ] = "auto",
    steps: Annotated[
        int, typer.Option(min=0, help="Steps of the sampler; 0 is its own default.")
    ] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="Estimates are means with the mirrored one.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """2D keypoints, or pictures, or pictures and their keypoints, to 3D poses: JSON, NPZ, a picture and a page."""
    from unihpe import load
    from unihpe.inference.keypoints.read import read_keypoints

    if picture is None and keypoints is None:
        raise InputError("predict takes a picture (or folder), or --keypoints FILE, or both")
    predictor = load(checkpoint, device)
    options = {
        "focal": focal,
        "samples": samples,
        "sampler": sampler,
        "steps": steps,
        "flip": flip,
        "seed": seed,
    }
    if picture is not None:
        marks = keypoints_by_picture(picture, keypoints, skeleton, parse_size(image_size))
        predict_pictures(predictor, picture, boxes, marks, out, options)
        return
    assert keypoints is not None
    file, skipped = predictor.liftable(read_keypoints(keypoints, skeleton, parse_size(image_size)))
    results = predictor.lift_file(file, **options)
    console.print(f"{len(results)} people of {keypoints.name} ({file.skeleton.name}).")
    write_results(out, keypoints.name, results)
    leave_skipped(skipped)


def keypoints_by_picture(
    picture: Path, file: Path | None, skeleton: str | None, size: tuple[float, float] | None
) -> dict[str, KeypointFile] | None:
    """The people of each picture, by its name; None without a file."""
    from unihpe.inference.keypoints.read import read_keypoints
    from unihpe.io.picture import read_picture

    if file is None:
        return None
    if size is None and picture.is_file():
        height, width = read_picture(picture).shape[:2]
        size = float(width), float(height)
    found = read_keypoints(file, skeleton, size)
    names = [Path(name).name for name in found.image]
    if picture.is_file() and picture.name not in names and len(set(names)) == 1:
        names = [picture.name] * len(found)  # a file about one picture, which it does not name
    people: dict[str, list[int]] = {}
    for n, name in enumerate(names):
        people.setdefault(name, []).append(n)
    return {name: found.select(rows) for name, rows in people.items()}


def evidence_for(
    predictor: Predictor, boxes: Corners | None, marks: KeypointFile | None
) -> tuple[dict[str, Any], list[str]]:
    """What `Predictor.predict` takes beside a picture, of those people who can be lifted; and who
    cannot, in words.

    Raises:
        InputError: if boxes and keypoints are of different numbers of people, or nobody can be
            lifted.
    """
    if marks is None:
        return {"boxes": boxes}, []
    if boxes is not None and len(boxes) != len(marks):
        raise InputError(
            f"{len(boxes)} boxes and keypoints of {len(marks)} people: give one box for each"
        )
    rows, skipped = predictor.liftable_rows(marks)
    kept = marks.select(rows)
    return {
        "boxes": None if boxes is None else [boxes[n] for n in rows],
        "keypoints": kept.keypoints,
        "confidence": kept.confidence,
        "skeleton": kept.skeleton.name,
        "person": kept.person,
    }, skipped


def predict_pictures(
    predictor: Predictor,
    path: Path,
    boxes: Path | None,
    marks: dict[str, KeypointFile] | None,
    out: Path,
    options: dict[str, Any],
) -> None:
    """Every picture that can be read, and everybody in it who can be lifted; the others are listed at the end."""
    from unihpe.inference.boxes import read_boxes
    from unihpe.inference.results import join
    from unihpe.io.picture import pictures_in, read_picture

    known = read_boxes(boxes) if boxes is not None else {}
    parts, skipped, places = [], [], {}
    for file in pictures_in(path):
        if boxes is not None and not known.get(file.name):  # a detector that found nobody writes []
            skipped.append(f"{file.name}: no box for it in {boxes}")
            continue
        if marks is not None and file.name not in marks:
            skipped.append(f"{file.name}: no keypoints for it in the keypoint file")
            continue
        try:
            here = None if marks is None else marks[file.name]
            given, left = evidence_for(predictor, known.get(file.name), here)
            parts.append(predictor.predict(file, **given, name=file.name, **options))
            places[file.name] = file
            skipped += left
        except InputError as error:
            text = str(error)
            skipped.append(text if text.startswith(str(file)) else f"{file.name}: {text}")
    if not parts:
        raise InputError(f"no picture to predict from: {skipped[0]}")
    results = join(parts)
    console.print(f"{len(results)} people in {len(parts)} pictures of {path.name}.")
    write_results(out, path.name, results, lambda name: read_picture(places[name]))
    leave_skipped(skipped)


def write_results(
    out: Path, name: str, results: Results, photo: Callable[[str], Any] | None = None
) -> None:
    """JSON, NPZ, a sheet and a page; and where they are."""
    from unihpe.export.json import write_json
    from unihpe.export.npz import write_npz
    from unihpe.show.sheets import write_pictures

    # first what can fail, so that nothing is written of results that cannot be drawn
    pictures = write_pictures(out, "poses", f"unihpe: {name}", results, photo=photo)
    write_json(out / "poses.json", results)
    write_npz(out / "poses.npz", results)
    made = [
        joint
        for joint, is_made in zip(results.skeleton.joints, results.synthesised, strict=True)
        if is_made
    ]
    console.print(f"Focal length {results.focal_source}.")
    if made:
        console.print(f"Joints made from others: {', '.join(made)}.")
    console.print(
        f"Poses: {out / 'poses.json'}, {out / 'poses.npz'}. Pictures: {pictures[0]}, {pictures[1]}."
    )
