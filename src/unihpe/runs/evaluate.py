"""Evaluate a checkpoint, as the command does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch

from unihpe.body.batch import Batch
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.check_counts import KNOWN, Split, frames_apart, what_is_absent
from unihpe.datasets.coco.source import VISIBLE, CocoSource
from unihpe.datasets.in_joints import InJoints, in_joints
from unihpe.datasets.people.source import PeopleSource
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.sets import open_recorded
from unihpe.datasets.settings import DataSettings, open_source
from unihpe.datasets.source import Source
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.evaluation.batches import prepared
from unihpe.evaluation.lifting import Report, evaluate_lifting
from unihpe.evaluation.photographs import evaluate_photographs
from unihpe.evaluation.pictures import evaluate_pictures
from unihpe.evaluation.rules import Rules, every_joint, rules_of
from unihpe.evaluation.words import (
    Protocol,
    motion_protocol,
    people_protocol,
    photographs_protocol,
    recorded_protocol,
)
from unihpe.io.files import write_text
from unihpe.model.build import load_model
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import parse_recipe


def evaluate_checkpoint(
    checkpoint: str | Path,
    data: str,
    root: Path,
    *,
    protocol: str | None = None,
    rig: Path | None = None,
    split: str = "test",
    stride: int = 10,
    two_d: Literal["exact", "detected"] = "exact",
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
    """Evaluate a checkpoint on a data set.

    Args:
        protocol: a named one of a recorded set (`evaluation.rules`), which says split, stride and
            figures; without it, every joint of the frames asked for.

    Raises:
        InputError: for an unreadable checkpoint or data, joints that do not agree, an unknown
            protocol.
    """
    model, card = load_model(checkpoint, device)
    recipe = parse_recipe(card.recipe, f"{checkpoint} (its recipe)")
    settings = recipe.data.model_copy(
        update={
            "name": data,
            "root": str(root),
            "rig": str(rig or ""),
            "keypoints": keypoints,
            "with_pose": True,  # withheld in training, perhaps; errors need it
        }
    )
    noise, generator = (
        torch.Generator().manual_seed(s) for s in (seed, seed + 1)
    )  # samples must not change the data
    focal = "true" if focal_known else "assumed √(W² + H²)"
    if protocol is None:
        rules = every_joint(data)
        source = open_source(settings, split=split, view="fixed", two_d=two_d, stride=stride)
        words = protocol_of(source, data, split, stride, two_d, seed, focal)
    else:
        rules = rules_of(data, protocol)
        source, words = open_by_rules(settings, rules, flip, focal)
    card.require_skeleton(source.skeleton.name, str(root))
    batches = prepared(source, noise, device, focal_known)
    lifting = {"samples": samples, "rules": rules}
    how = {
        "generator": generator,
        "sampler": build_sampler(sampler, steps, generator),
        "flip": flip,
    }
    report = evaluate_source(model, source, batches, words, gallery, lifting, how)
    about = {
        "checkpoint": str(checkpoint),
        "trained_on": card.data,
        "training_samples": card.samples,
        "seed": seed,
    }
    return {**about, **report}


def evaluate_source(
    model: UniHPE,
    source: Source,
    batches: Iterator[Batch],
    words: Protocol,
    gallery: int,
    lifting: dict[str, Any],
    how: dict[str, Any],
) -> Report:
    """The evaluation that a source's kind calls for, of its people in `batches`.

    Args:
        lifting: what `evaluate_lifting` is given besides.
        how: generator, sampler and flip test, for all.
    """
    rest = {"skeleton": source.skeleton, **how}
    if isinstance(source, CocoSource):
        low, high = source.annotations.corners.split(2, dim=1)
        size = (high - low).amax(1)
        return evaluate_photographs(model, batches, words, reference=size, visible=VISIBLE, **rest)
    if isinstance(source, PeopleSource):
        return evaluate_pictures(model, batches, words, gallery=gallery, **rest)
    return evaluate_lifting(model, batches, words, gallery=gallery, **lifting, **rest)


def open_by_rules(
    settings: DataSettings, rules: Rules, flip: bool, focal: str
) -> tuple[Source, Protocol]:
    """The people that a named protocol scores, in the model's joints, and the protocol in words.

    Raises:
        InputError: where the copy of the set does not have the joints that the protocol is about.
    """
    recorded = open_recorded(
        rules.data,  # type: ignore[arg-type]
        Path(settings.root),
        settings.keypoints,
        rules.split,
        rules.stride,
        wanted=rules.wants,
        truth=rules.truth,
        joints=rules.joints_from,
    )
    if rules.joints_from and recorded.skeleton.name != rules.joints_from:
        beside = (
            "; put HybrIK's or MMHuman3D's file, or SMPL, beside it (docs/data.md)"
            if rules.data == "threedpw"
            else ""
        )
        raise InputError(
            f"protocol {rules.name} is about the joints {rules.joints_from}; {settings.root} ({recorded.layout}) has"
            f" {recorded.skeleton.name}{beside}"
        )
    source = in_joints(recorded, get_skeleton(settings.skeleton))
    known = KNOWN[rules.data].get(rules.split, Split())
    words = rules.words(
        recorded.layout,
        settings.keypoints,
        flip,
        focal,
        scored_joints(source),
        frames_apart(known, recorded),
        [*what_is_absent(known, recorded, rules.cameras), *recorded.notes],
    )
    return source, words


def scored_joints(source: Source) -> str:
    """All joints that can be scored, in words: those that the set and the model have."""
    if not isinstance(source, InJoints) or len(shared := source.shared) == len(source.skeleton):
        return f"all {len(source.skeleton)}"
    return f"the {len(shared)} that set and model share: {', '.join(shared)}"


def protocol_of(
    source: Source, data: str, split: str, stride: int, two_d: str, seed: int, focal: str
) -> Protocol:
    """What is measured where no protocol is named, in words."""
    joints = source.skeleton.name, len(source.skeleton)
    match source:
        case CocoSource():
            return photographs_protocol(split, source.annotations.notes)
        case PeopleSource():
            return people_protocol(split, joints[1], focal)
        case Recorded():
            return recorded_protocol(data, source.layout, *joints, split, stride, focal)
        case InJoints(source=Recorded(layout=layout)):
            return recorded_protocol(
                data, f"{layout}, joints by name", *joints, split, stride, focal
            )
        case _:
            return motion_protocol(*joints, split, stride, two_d, seed, focal)


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON, whole or not at all."""
    write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
