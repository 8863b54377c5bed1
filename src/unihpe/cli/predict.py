"""`unihpe predict`: keypoints and pictures become 3D poses."""

from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

from typer import Argument, Option

from unihpe.cli import options
from unihpe.cli.options import console
from unihpe.errors import InputError, number_of, printable

if TYPE_CHECKING:
    from unihpe.export.results import Results

UNITS = "pixels, shares, centred or screen"  # `inputs.detections.Units`: here, torch comes later
UNSURE = "Joints below are missing; default 0.2."


def predict(
    out: options.OutFolder,
    picture: Annotated[Path | None, Argument(help="A picture, or a folder of pictures.")] = None,
    keypoints: Annotated[Path | None, Option(help="Keypoint file, or OpenPose's folder.")] = None,
    boxes: Annotated[Path | None, Option(help="JSON (docs/formats.md), or: whole.")] = None,
    image_size: options.ImageSize = None,
    skeleton: options.SkeletonName = None,
    units: Annotated[str | None, Option(help=f"Of x and y: {UNITS}.")] = None,
    sides: Annotated[str | None, Option(help="given, or swapped: left is right.")] = None,
    min_confidence: Annotated[float | None, Option(min=0, max=1, help=UNSURE)] = None,
    checkpoint: options.LiftingModel = None,
    focal: options.FocalLength = None,
    centre: options.Centre = None,
    camera: options.CameraFile = None,
    samples: Annotated[int | None, Option(min=0, help="Default 20; 0 above 8 people.")] = None,
    sampler: options.Sampler = "auto",
    steps: options.Steps = 0,
    flip: options.Flip = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Estimate 3D poses from 2D keypoints, from pictures, or from both.

    Finds the people in pictures. Writes JSON, NPZ, a picture and a page."""
    from unihpe import load
    from unihpe.inference.predictor import Options
    from unihpe.inputs.detections import MIN_CONFIDENCE, Hints, Sides, Units
    from unihpe.inputs.files import Files
    from unihpe.io.picture import read_picture
    from unihpe.runs.predict import predict_files
    from unihpe.show.sheets import write_files

    options.one_of(units, "--units", get_args(Units))
    options.one_of(sides, "--sides", get_args(Sides))
    size = options.parse_size(image_size)
    least = MIN_CONFIDENCE if min_confidence is None else min_confidence
    how = Hints(skeleton, size, cast(Any, units), cast(Any, sides), least)
    files = Files(picture, boxes, keypoints, how)
    lens = options.parse_camera(focal, centre, camera)
    asked = Options(lens, sampler=sampler, steps=steps, flip=flip, seed=seed)
    if files.source is None:
        raise InputError("predict takes a picture (or folder), or --keypoints FILE, or both")
    own = "shipped" if picture and keypoints else "shipped:lifting"
    predicted = predict_files(load(checkpoint or own, device), files, asked, samples)
    name, results, pictures = files.source.name, predicted.results, predicted.pictures
    if results is None:
        console.print(f"Nobody found in {printable(name)}.")
        return options.leave_skipped(predicted.skipped)
    where = f" in {number_of(len(pictures), 'picture', 'pictures')}" if pictures else ""
    console.print(f"{number_of(len(results), 'person', 'people')}{where} of {printable(name)}.")
    for note in predicted.notes:
        console.print(f"Note: {printable(note)}.")
    photo = (lambda image: read_picture(pictures[image])) if pictures else None
    written = write_files(out / "poses", f"unihpe: {name}", results, None, photo)
    _say_how(results)
    console.print(f"Poses: {written[2]}, {written[3]}.")
    console.print(f"Pictures: {written[0]}, {written[1]}.")
    options.leave_skipped(predicted.skipped)


def _say_how(results: "Results") -> None:
    """Print what the poses rest on."""
    from unihpe.inference.results import HEAT_MAPS_2D
    from unihpe.people.keypoints import THUNDER

    if THUNDER in results.estimate:
        console.print(f"{THUNDER}, lifted.")
    elif HEAT_MAPS_2D in results.estimate:
        console.print(f"3D from the picture; {HEAT_MAPS_2D}.")
    console.print(f"Focal length {results.focal_source}.")
    if made := list(compress(results.skeleton.joints, results.synthesised)):
        console.print(f"Joints made from others: {', '.join(made)}.")
