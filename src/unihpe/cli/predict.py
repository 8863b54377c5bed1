"""`unihpe predict`: pictures, videos and keypoints become 3D poses."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

from typer import Argument, Option

from unihpe.cli import options
from unihpe.cli.clips import USUAL, ClipsOut, Part
from unihpe.cli.pictures import pictures_to_files
from unihpe.cli.progress import download_report
from unihpe.errors import InputError

if TYPE_CHECKING:
    from unihpe.inputs.detections import Hints

UNITS = "pixels, shares, centred or screen"  # `inputs.detections.Units`: here, torch comes later
UNSURE = "Joints below are missing; default 0.2."
FORMATS = "More files, see docs/formats.md: csv, trc, bvh, c3d, glb, … or all."
DRAWN = "Default 20; 0 for clips, and above 8 people."
PRIVATE = "Addresses in private networks, too."
SOURCES = "Pictures, videos, folders of them, patterns, addresses, a webcam's number, or -."


def predict(
    out: options.OutFolder,
    source: Annotated[list[str] | None, Argument(help=SOURCES)] = None,
    keypoints: Annotated[Path | None, Option(help="Keypoint file, or OpenPose's folder.")] = None,
    boxes: Annotated[Path | None, Option(help="JSON or MOT (docs/formats.md), or: whole.")] = None,
    image_size: options.ImageSize = None,
    skeleton: options.SkeletonName = None,
    units: Annotated[str | None, Option(help=f"Of x and y: {UNITS}.")] = None,
    sides: Annotated[str | None, Option(help="given, or swapped: left is right.")] = None,
    min_confidence: Annotated[float | None, Option(min=0, max=1, help=UNSURE)] = None,
    checkpoint: options.LiftingModel = None,
    focal: options.FocalLength = None,
    centre: options.Centre = None,
    camera: options.CameraFile = None,
    samples: Annotated[int | None, Option(min=0, help=DRAWN)] = None,
    sampler: options.Sampler = "auto",
    steps: options.Steps = 0,
    flip: options.Flip = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    formats: Annotated[list[str], Option("-f", "--format", help=FORMATS)] = [],
    start: Annotated[float | None, Option(min=0, help="Of a clip: from this second on.")] = None,
    end: Annotated[float | None, Option(min=0, help="Of a clip: up to this second.")] = None,
    every: Annotated[int, Option(min=1, help="Of a clip: 2 for every second frame.")] = 1,
    people: Annotated[str, Option(help="Of a clip: all, largest, first, or a number.")] = "all",
    smooth: Annotated[str, Option(help="Of a clip: savgol, one-euro or off.")] = "savgol",
    bones: Annotated[bool, Option(help="Of a clip: of one length for each person.")] = True,
    film: Annotated[bool, Option(help="Of a clip: write the film.")] = True,
    allow_private: Annotated[bool, Option("--allow-private", help=PRIVATE)] = False,
) -> None:
    """Estimate 3D poses from pictures, from videos, from 2D keypoints, or from both.

    Finds the people. Writes JSON, NPZ, a picture and a page; of a video a film, tables and motion
    files."""
    from unihpe import load
    from unihpe.export import chosen
    from unihpe.inference.clips import Motion
    from unihpe.inference.predictor import Options
    from unihpe.inputs.files import Files
    from unihpe.inputs.sources import find_sources

    how = _hints(image_size, skeleton, units, sides, min_confidence)
    lens = options.parse_camera(focal, centre, camera)
    asked = Options(lens, sampler=sampler, steps=steps, flip=flip, seed=seed)
    motion = Motion(people, smooth, bones, how.min_confidence)
    with TemporaryDirectory() as folder:
        found = find_sources(source or [], Path(folder), allow_private, download_report)
        files = Files(found.place, boxes, keypoints, how, found.pictures)
        motions = bool(found.clips or found.cameras)
        if files.source is None and not motions:
            raise InputError("predict takes a picture (or folder), or --keypoints FILE, or both")
        more, part = chosen(formats, clip=motions), Part(start, end, every)
        clips = ClipsOut(found.clips, part, out, more or USUAL, film, boxes, found.cameras)
        clips.check(keypoints)
        own = "shipped" if found.place and (keypoints or not found.clips) else "shipped:lifting"
        predictor, skipped = load(checkpoint or own, device), list[str]()
        if found.place is not None or not motions:
            skipped += pictures_to_files(predictor, files, asked, samples, out, more)
        skipped += clips.write(predictor, asked, samples or 0, motion, alone=found.place is None)
    options.leave_skipped(skipped)


def _hints(
    image_size: str | None,
    skeleton: str | None,
    units: str | None,
    sides: str | None,
    min_confidence: float | None,
) -> "Hints":
    """What the options say of keypoints."""
    from unihpe.inputs.detections import MIN_CONFIDENCE, Hints, Sides, Units

    options.one_of(units, "--units", get_args(Units))
    options.one_of(sides, "--sides", get_args(Sides))
    least = MIN_CONFIDENCE if min_confidence is None else min_confidence
    size = options.parse_size(image_size)
    return Hints(skeleton, size, cast(Any, units), cast(Any, sides), least)
