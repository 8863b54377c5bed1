"""Every reader, with what must hold of that which it lets pass."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

import unihpe
from tests.fuzz import seeds
from unihpe.datasets.coco.source import read_annotations
from unihpe.datasets.motion.bvh import load_folder
from unihpe.datasets.packed import PeopleSource
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.export import FORMATS, read_results, write
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.inference.predictor import Predictor
from unihpe.inputs.boxes import checked_boxes, read_boxes
from unihpe.inputs.calibration import read_lens
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.io.files import all_or_none
from unihpe.io.picture import read_picture
from unihpe.model.build import load_model
from unihpe.recipe import build_model, load_recipe
from unihpe.training.state import Run, begin_run

SIZE = (640.0, 480.0)
CHEAP = [name for name, form in FORMATS.items() if form.extra != "plots"]


@cache
def shipped():
    return unihpe.load(device="cpu")


def finite(*tensors):
    assert all(bool(torch.isfinite(one).all()) for one in tensors), "something is not finite"


def keypoints(path, out):
    size, joints = (
        None if path.stem == "coco" else SIZE,
        "coco17" if path.suffix == ".npy" else None,
    )
    people = read_keypoints(path, joints, size)
    seen = people.confidence > 0
    finite(people.keypoints[seen], people.confidence, people.image_size)
    file, _ = shipped().liftable(people)
    results = shipped().lift_file(file, samples=2)
    finite(results.pose, results.samples)
    with all_or_none():
        write_json(out / "poses.json", results)
        write_npz(out / "poses.npz", results)
    written = json.loads((out / "poses.json").read_text())
    assert len(written["people"]) == len(np.load(out / "poses.npz")["pose"]) == len(file)


def boxes(path, out):
    picture = np.zeros((480, 640, 3), np.uint8)
    for own in read_boxes(path).values():
        finite(checked_boxes(own, picture)[1])


def motion(path, out):
    source = open_source(DataSettings(root=str(path)), Part(two_d="exact"))
    frames = source.read(torch.arange(len(source)), torch.Generator().manual_seed(0))
    finite(frames.pose, frames.keypoints[frames.confidence > 0])


def rig(path, out):
    walk = path.with_name("seed.bvh")
    walk.write_bytes(next(iter(seeds.bvh().values())))
    finite(*(poses for _, poses in load_folder(walk, path)))


def packed(path, out):
    source = PeopleSource(path)
    for n in range(len(source)):
        frames = source.read(torch.tensor([n]), torch.Generator())
        assert frames.image.shape[1:] == (3, 256, 192)
        finite(frames.keypoints, frames.pose, frames.box)


def checkpoint(path, out):
    model, card = load_model(path)
    predictor = Predictor(model, unihpe.body.get_skeleton(card.skeleton), card)
    finite(predictor.lift(seeds.JOINTS, SIZE, samples=1).pose)


def state(path, out):
    model = torch.nn.Linear(3, 2)
    progress, _ = begin_run(Run(path.parent, "a recipe's"), True, model, torch.nn.Linear(3, 2))
    assert progress.samples == 3
    finite(*model.parameters())


def recipe(path, out):
    loaded = load_recipe(str(path))
    assert loaded.fingerprint()
    build_model(loaded)


def camera(path, out):
    seen = read_lens(path).camera(torch.tensor([SIZE]))
    finite(seen.focal, seen.centre)


def picture(path, out):
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


def annotations(path, out):
    part = read_annotations(path, with_pictures=False)
    finite(part.confidence, part.keypoints[part.confidence > 0])


def results(path, out):
    """What is read can be written again in every format, or is refused."""
    people = read_results(path)
    paths = write(people, out / "again", CHEAP)
    again = read_results(paths[0])
    assert len(again) == len(people) and again.person == people.person


def readers(folder: Path):
    """By name: the seeds (file name → bytes), the kind of their mutations, and what reads them."""
    return {
        "keypoints": (seeds.keypoint_files(), "json", keypoints),
        "arrays": (seeds.arrays(), "arrays", keypoints),
        "boxes": (seeds.boxes(), "json", boxes),
        "annotations": (seeds.annotations(), "json", annotations),
        "bvh": (seeds.bvh(), "text", motion),
        "motion": (seeds.motions(), "arrays", motion),
        "rig": (seeds.rigs(), "text", rig),
        "recipe": (seeds.recipes(), "text", recipe),
        "camera": (seeds.cameras(), "text", camera),
        "picture": (seeds.pictures(), "bytes", picture),
        "pack": (seeds.packs(folder), "bytes", packed),
        "pack's description": (seeds.packs(folder), "footer", packed),
        "checkpoint": (seeds.checkpoints(folder), "bytes", checkpoint),
        "checkpoint's header": (seeds.checkpoints(folder), "header", checkpoint),
        "results": (seeds.results(folder, ".json"), "json", results),
        "results' arrays": (seeds.results(folder, ".npz"), "arrays", results),
        "state": (seeds.states(folder), "bytes", state),
    }
