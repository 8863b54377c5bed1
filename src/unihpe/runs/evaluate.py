"""Evaluate a checkpoint, as the command does."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import get_data_set
from unihpe.datasets.counts import Split, frames_apart, what_is_absent
from unihpe.datasets.dataset import Reading
from unihpe.datasets.protocol import Protocol, Scored
from unihpe.datasets.settings import DataSettings, Part, TwoD, open_source
from unihpe.datasets.source import Source, in_joints
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import Report, evaluate_lifting, prepared
from unihpe.evaluation.pictures import evaluate_photographs, evaluate_pictures
from unihpe.io.files import write_text
from unihpe.model.build import load_model
from unihpe.recipe import Recipe
from unihpe.settings import parse

CAMERAS = {
    "fixed": "four fixed virtual cameras placed like Human3.6M's",
    "free": "one virtual camera a frame, held by hand (joints outside its picture are missing)",
}


def evaluate_checkpoint(
    checkpoint: str | Path,
    data: str,
    root: Path,
    *,
    protocol: str | None = None,
    rig: Path | None = None,
    split: str = "test",
    stride: int = 10,
    two_d: TwoD = "exact",
    cameras: Literal["fixed", "free"] = "fixed",
    by: Literal["source", "posture"] = "source",
    keypoints: str = "gt",
    focal_known: bool = True,
    samples: int = 0,
    sampler: str = "auto",
    steps: int = 0,
    gallery: int = 2000,
    flip: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Report:
    """Evaluate a checkpoint on a data set: lifting, or the paths from pictures where it has some.

    A named `protocol` says split, stride and figures; without one, every joint of the frames asked
    for counts. InputError for what cannot be read, joints that differ, an unknown protocol.
    """
    model, card = load_model(checkpoint, device)
    recipe, data_set = parse(Recipe, card.recipe, f"{checkpoint} (its recipe)"), get_data_set(data)
    place = {"name": data, "root": str(root), "rig": str(rig or ""), "keypoints": keypoints}
    if data_set.world_poses is None:
        _require_plain(data_set.name, two_d, cameras, by)
    # 3D may have been withheld in training; errors need it
    settings = recipe.data.model_copy(update=place | {"with_pose": True})
    if protocol is None:
        rules = replace(data_set.default, split=split, stride=stride)
        source = open_source(settings, Part(split, stride, two_d=two_d, cameras=cameras, by=by))
        scored = Scored(layout=source.layout)
    else:
        rules = data_set.protocol(protocol)
        source, scored = open_by_protocol(settings, rules)
    card.require_skeleton(source.skeleton.name, str(root))
    virtual = two_d if two_d == "exact" else f"{two_d}, detector noise seed {seed}"
    focal = "true" if focal_known else "assumed √(W² + H²)"
    scored = replace(_described(scored, source), data=data_set.name, flip=flip, focal=focal)
    scored = replace(scored, keypoints=keypoints, two_d=virtual, cameras=CAMERAS[cameras])
    # hypotheses must not change the data
    noise, generator = (torch.Generator().manual_seed(s) for s in (seed, seed + 1))
    what = model, prepared(source, noise, device, focal_known), rules.words(scored)
    draw = build_sampler(sampler, steps, generator)
    how: dict[str, Any] = {"skeleton": source.skeleton, "generator": generator}
    how |= {"sampler": draw, "flip": flip}
    if not source.has_pose:
        report = evaluate_photographs(*what, reference=source.sizes(), **how)
    elif source.has_pictures:
        report = evaluate_pictures(*what, gallery=gallery, **how)
    else:
        report = evaluate_lifting(*what, protocol=rules, samples=samples, gallery=gallery, **how)
    about = {"checkpoint": str(checkpoint), "trained_on": card.data}
    return {**about, "training_samples": card.samples, "seed": seed, **report}


def _require_plain(name: str, two_d: TwoD, cameras: str, by: str) -> None:
    """InputError where something is asked of a set that has its own."""
    if (two_d, cameras, by) != ("exact", "fixed", "source"):
        only = "--two-d, --cameras and --by are for motion, which has no 2D, cameras or groups"
        raise InputError(f"{only} of its own; leave them out for {name}")


def open_by_protocol(settings: DataSettings, protocol: Protocol) -> tuple[Source, Scored]:
    """The people that a named protocol scores, in the model's joints, and what their copy is."""
    recording, split = get_data_set(settings.name).recording, protocol.split
    if recording is None:
        raise InputError(f"protocol {protocol.name}: {settings.name} is no recorded set")
    joints = protocol.joints_from
    reading = Reading(settings.keypoints, split, truth=protocol.truth, joints=joints)
    recorded = recording.open(Path(settings.root), reading, protocol.stride, protocol.wants)
    if joints and recorded.skeleton.name != joints:
        has = f"{settings.root} ({recorded.layout}) has {recorded.skeleton.name}{recording.remedy}"
        raise InputError(f"protocol {protocol.name} is about the joints {joints}; {has}")
    known = recording.known.get(split, Split())
    lacks = (*what_is_absent(known, recorded, protocol.cameras), *recorded.notes)
    scored = Scored(layout=recorded.layout, step=frames_apart(known, recorded), lacks=lacks)
    return in_joints(recorded, get_skeleton(settings.skeleton)), scored


def _described(scored: Scored, source: Source) -> Scored:
    """What is scored, with the joints that set and model share, and what the source left out."""
    name, count, shared = source.skeleton.name, len(source.skeleton), source.shared
    some = f"the {len(shared)} that set and model share: {', '.join(shared)}"
    joints, notes = some if len(shared) < count else f"all {count}", "; ".join(source.notes)
    return replace(scored, skeleton=name, count=count, joints=joints, notes=notes or "none")


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON, whole or not at all."""
    write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
