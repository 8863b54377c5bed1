"""The demo: pictures of people, or 2D keypoints, become 3D poses; measured where truth is known."""

import zipfile
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.camera import Camera
from unihpe.body.metrics import mpjpe, pa_mpjpe
from unihpe.body.prepare import root_relative
from unihpe.datasets import PACKED
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.errors import number_of
from unihpe.export.results import Results
from unihpe.inference.predictor import Options, Predictor
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.io.picture import SUFFIXES, read_picture
from unihpe.show.behind import Photos
from unihpe.show.crops import in_crops
from unihpe.show.sheets import write_files

HYPOTHESES = 20
FROM_PRIOR = 256  # poses drawn where no file is named
FROM_MOTION = 1000  # frames at most, evenly spaced
DISTANCE = 5000.0  # mm, from the virtual camera to a pose of the prior
FOCAL, SIZE = 1145.0, 1000.0  # of that camera, pixels


@dataclass(frozen=True)
class _Demo:
    """What the model made of some people."""

    what: str  # who they are, in words
    results: Results
    truth: Tensor | None = None  # their poses (N, J, 3), mm, root-relative, where they are known
    photo: Photos | None = None  # a picture by its name in the results
    given: str = "exact 2D"  # what the model was given, in words
    skipped: tuple[str, ...] = ()  # who was left out, in words
    notes: tuple[str, ...] = ()  # how a keypoint file was taken

    @property
    def hypotheses(self) -> int:
        """How many each person has."""
        return 0 if self.results.samples is None else len(self.results.samples)

    @property
    def errors(self) -> dict[str, float]:
        """MPJPE and PA-MPJPE, mm; empty without ground truth."""
        if (truth := self.truth) is None:
            return {}
        errors = {"MPJPE": mpjpe, "PA-MPJPE": pa_mpjpe}
        return {name: float(of(self.results.pose, truth).mean()) for name, of in errors.items()}

    def write(self, out: Path) -> list[Path]:
        """Write a sheet, a page, JSON and NPZ, all called `demo`, and say where they are."""
        title = f"unihpe: {'2D' if self.photo is None else 'picture'} to 3D, {self.what}"
        base = out / "demo"
        return list(write_files(base, title, self.results, self.truth, self.photo))


def demo(
    predictor: Predictor,
    path: Path | None = None,
    *,
    rig: Path | None = None,
    image_size: tuple[float, float] | None = None,
    skeleton: str | None = None,
    seed: int = 0,
) -> _Demo:
    """What the model makes of a picture, a motion (BVH, motion npz) or a keypoint file.

    Without a path, of the package's rendered people; a model without an image encoder lifts poses
    of its own prior. An InputError for a file that cannot be read.
    """
    if path is None:
        blind = predictor.model.image_encoder is None
        return _from_prior(predictor, seed) if blind else _from_people(predictor, seed)
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        picture = read_picture(path)
        results = predictor.predict(picture, samples=HYPOTHESES, seed=seed, name=path.name)
        return _Demo(path.name, results, photo=lambda name: picture)
    if _is_motion(path):
        return _from_motion(predictor, path, rig, seed)
    read = read_keypoints(path, skeleton, image_size)
    file, skipped = predictor.liftable(read)
    results = predictor.lift_file(file, Options(samples=HYPOTHESES, seed=seed))
    what = f"{number_of(len(results), 'person', 'people')} of {path.name}"
    return _Demo(what, results, skipped=tuple(skipped), notes=read.notes)


def _is_motion(path: Path) -> bool:
    """Whether a path holds motion capture rather than keypoints."""
    if path.suffix == ".npz":
        return zipfile.is_zipfile(path) and "poses.npy" in zipfile.ZipFile(path).namelist()
    files = path.rglob("*") if path.is_dir() else [path]
    return any(file.suffix.lower() == ".bvh" for file in files)


def _from_people(predictor: Predictor, seed: int) -> _Demo:
    """The package's rendered people, whom training never saw: from their pictures alone."""
    pack = resources.files("unihpe").joinpath("checkpoints", "people.pack")
    source = open_source(DataSettings(name=PACKED, root=str(pack)), Part())
    frames = source.read(torch.arange(len(source)), torch.Generator())
    assert frames.pose is not None and frames.box is not None and frames.image is not None
    results = predictor.predict_crops(frames, Options(samples=HYPOTHESES, seed=seed))
    results = replace(in_crops(results, frames.box), estimate=f"{results.estimate}; from pictures")
    crops = dict(zip(results.image, frames.image.permute(0, 2, 3, 1).numpy(), strict=True))
    what = f"{len(frames)} pictures of rendered people"
    truth = root_relative(frames.pose, source.skeleton)
    return _Demo(what, results, truth, crops.__getitem__, "from the picture alone")


def _from_prior(predictor: Predictor, seed: int) -> _Demo:
    """Poses that the model draws from its own prior, seen by a virtual camera and lifted back."""
    truth = predictor.sample(FROM_PRIOR, seed=seed)
    camera = Camera.simple(torch.full((len(truth), 2), SIZE), torch.full((len(truth),), FOCAL))
    keypoints = camera.project(truth + torch.tensor([0.0, 0.0, DISTANCE]))
    what = f"{len(truth)} poses drawn from the model's own pose prior"
    return _Demo(
        what, _lift(predictor, keypoints, camera, predictor.skeleton.name, seed + 1), truth
    )


def _from_motion(predictor: Predictor, path: Path, rig: Path | None, seed: int) -> _Demo:
    """Frames of a motion, seen by the four fixed virtual cameras."""
    source = open_source(DataSettings(root=str(path), rig=str(rig or "")), Part(two_d="exact"))
    people = evenly_spaced(len(source), FROM_MOTION)
    frames = source.read(people, torch.Generator().manual_seed(seed))
    assert frames.pose is not None
    results = _lift(predictor, frames.keypoints, frames.camera, source.skeleton.name, seed)
    what = f"{len(people)} frames of {path.name}, seen by four virtual cameras"
    return _Demo(what, results, root_relative(frames.pose, source.skeleton))


def _lift(predictor: Predictor, keypoints: Tensor, camera: Camera, name: str, seed: int) -> Results:
    """Keypoints (N, J, 2), pixels, of a skeleton so named, seen by cameras of one focal length."""
    focal, size = float(camera.focal[0, 0]), camera.size
    return predictor.lift(keypoints, size, name, focal=focal, samples=HYPOTHESES, seed=seed)
