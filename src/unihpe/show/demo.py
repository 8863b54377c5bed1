"""The demo: pictures of people, or 2D keypoints, become 3D poses, with the error shown where the truth is known."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.camera import Camera
from unihpe.body.metrics import mpjpe, pa_mpjpe
from unihpe.body.prepare import root_relative
from unihpe.body.virtual_cameras import fixed_cameras
from unihpe.datasets.motion.source import MotionSource, open_motion
from unihpe.datasets.people.source import PeopleSource
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.inference.keypoints.read import read_keypoints
from unihpe.inference.predictor import Predictor
from unihpe.inference.results import Results
from unihpe.io.picture import SUFFIXES, Picture, read_picture
from unihpe.show.sheets import in_crops, write_pictures

HYPOTHESES = 20
FROM_PRIOR = 256  # poses drawn where no file is named
FROM_MOTION = 1000  # at most, evenly spread
DISTANCE = 5000.0  # mm, from the virtual camera to a pose of the prior


@dataclass(frozen=True)
class Shown:
    """What the demo did.

    Attributes:
        what: in words.
        people: how many.
        hypotheses: for each of them.
        errors: MPJPE and PA-MPJPE in mm; empty without ground truth.
        files: what was written.
        skipped: who was left out, in words.
        given: what the model was given, in words.
    """

    what: str
    people: int
    hypotheses: int
    errors: dict[str, float]
    files: tuple[Path, ...]
    skipped: tuple[str, ...] = ()
    given: str = "exact 2D"


def demo(
    predictor: Predictor,
    out: Path,
    path: Path | None = None,
    *,
    rig: Path | None = None,
    image_size: tuple[float, float] | None = None,
    skeleton: str | None = None,
    seed: int = 0,
) -> Shown:
    """Show what the model makes of the package's rendered people, of a picture, a motion (BVH,
    motion npz), or a keypoint file.

    A model without an image encoder lifts poses of its own prior instead of looking at people.

    Raises:
        InputError: for a file that cannot be read.
    """
    if path is None:
        return (
            from_prior(predictor, out, seed)
            if predictor.model.image_encoder is None
            else from_people(predictor, out, seed)
        )
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return from_picture(predictor, out, path, seed)
    if is_motion(path):
        return from_motion(predictor, out, path, rig, seed)
    file, skipped = predictor.liftable(read_keypoints(path, skeleton, image_size))
    results = predictor.lift_file(file, samples=HYPOTHESES, seed=seed)
    return replace(
        finish(out, f"{len(results)} people of {path.name}", results, None), skipped=tuple(skipped)
    )


def is_motion(path: Path) -> bool:
    """Whether a path holds motion capture rather than keypoints."""
    if path.is_dir():
        return any(file.suffix.lower() == ".bvh" for file in path.rglob("*"))
    if path.suffix.lower() == ".bvh":
        return True
    if path.suffix != ".npz":
        return False
    return zipfile.is_zipfile(path) and "poses.npy" in zipfile.ZipFile(path).namelist()


def from_people(predictor: Predictor, out: Path, seed: int) -> Shown:
    """The package's rendered people, whom training never saw: picture to 2D and 3D, beside the truth."""
    source = PeopleSource(
        Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack")))
    )
    frames = source.read(torch.arange(len(source)), torch.Generator())
    assert frames.pose is not None and frames.box is not None and frames.image is not None
    results = predictor.predict_crops(frames, samples=HYPOTHESES, seed=seed)
    results = in_crops(results, frames.box)
    results = replace(results, estimate=f"{results.estimate}; from pictures")
    crops = {
        name: image.permute(1, 2, 0).numpy()
        for name, image in zip(results.image, frames.image, strict=True)
    }
    truth = root_relative(frames.pose, source.skeleton)
    shown = finish(
        out, f"{len(frames)} pictures of rendered people", results, truth, crops.__getitem__
    )
    return replace(shown, given="from the picture alone")


def from_picture(predictor: Predictor, out: Path, path: Path, seed: int) -> Shown:
    """A picture of one person, who fills it."""
    picture = read_picture(path)
    results = predictor.predict(picture, samples=HYPOTHESES, seed=seed, name=path.name)
    return finish(out, path.name, results, None, lambda name: picture)


def from_prior(predictor: Predictor, out: Path, seed: int) -> Shown:
    """Poses that the model draws from its own prior, seen by a virtual camera and lifted back."""
    truth = predictor.sample(FROM_PRIOR, seed=seed)
    size = torch.tensor([1000.0, 1000.0]).expand(len(truth), 2)
    camera = Camera.simple(size, torch.full((len(truth),), 1145.0))
    keypoints = camera.project(truth + torch.tensor([0.0, 0.0, DISTANCE]))
    results = predictor.lift(
        keypoints, size, predictor.skeleton.name, focal=1145.0, samples=HYPOTHESES, seed=seed + 1
    )
    return finish(out, f"{len(truth)} poses drawn from the model's own pose prior", results, truth)


def from_motion(predictor: Predictor, out: Path, path: Path, rig: Path | None, seed: int) -> Shown:
    """Frames of a motion, seen by the four fixed virtual cameras."""
    source = MotionSource(open_motion(path, rig), "fixed")
    people = evenly_spaced(len(source), FROM_MOTION)
    frames = source.read(people, torch.Generator().manual_seed(seed))
    assert frames.pose is not None
    truth = root_relative(frames.pose, source.skeleton)
    results = predictor.lift(
        frames.keypoints,
        frames.camera.size,
        source.skeleton.name,
        focal=float(fixed_cameras(people[:1] % 4).focal[0, 0]),
        samples=HYPOTHESES,
        seed=seed,
    )
    return finish(
        out, f"{len(people)} frames of {path.name}, seen by four virtual cameras", results, truth
    )


def finish(
    out: Path,
    what: str,
    results: Results,
    truth: Tensor | None,
    photo: Callable[[str], Picture] | None = None,
) -> Shown:
    """Write everything, and measure where the truth is known."""
    errors = {}
    if truth is not None:
        errors = {
            "MPJPE": float(mpjpe(results.pose, truth).mean()),
            "PA-MPJPE": float(pa_mpjpe(results.pose, truth).mean()),
        }
    title = f"unihpe: {'2D' if photo is None else 'picture'} to 3D, {what}"
    pictures = write_pictures(out, "demo", title, results, truth, photo=photo)
    write_json(out / "demo.json", results)
    write_npz(out / "demo.npz", results)
    hypotheses = 0 if results.samples is None else len(results.samples)
    return Shown(
        what, len(results), hypotheses, errors, (*pictures, out / "demo.json", out / "demo.npz")
    )
