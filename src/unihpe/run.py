"""Whole runs, as the commands make them: train a recipe, evaluate a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from unihpe.batch import Batch
from unihpe.checkpoint import Card, load_checkpoint, load_into, save_checkpoint
from unihpe.data.check_counts import KNOWN, Split, frames_apart, what_is_absent
from unihpe.data.coco import SPLITS as COCO_SPLITS
from unihpe.data.coco import VISIBLE, CocoSource, annotation_files
from unihpe.data.joints import InJoints, in_joints
from unihpe.data.people import PeopleSource
from unihpe.data.prepare import prepare
from unihpe.data.recorded import Recorded
from unihpe.data.sets import open_recorded
from unihpe.data.source import Source
from unihpe.data.threedpw.regressed import regressed_files
from unihpe.data.threedpw.sequences import has_sequences, sequence_files
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.evaluation.photographs import evaluate_photographs
from unihpe.evaluation.pictures import evaluate_pictures
from unihpe.evaluation.protocols import (
    Protocol,
    motion_protocol,
    people_protocol,
    photographs_protocol,
    recorded_protocol,
)
from unihpe.evaluation.report import Report, evaluate_lifting
from unihpe.evaluation.rules import Rules, every_joint, rules_of
from unihpe.files import write_text
from unihpe.nn.unihpe import UniHPE
from unihpe.predict import default_checkpoint
from unihpe.recipe import (
    DataSettings,
    DecoderSettings,
    EncoderSettings,
    ImageEncoderSettings,
    Recipe,
    build_model,
    check_skeleton,
    load_model,
    measure_scales,
    open_source,
    open_stream,
    stage_stream,
    start_image_encoder,
    training_stream,
)
from unihpe.skeleton import get_skeleton
from unihpe.training.loop import STATE_FILE, Origin, Progress, Schedule, Scores, saved_origin, train
from unihpe.training.processes import ALONE, Processes

EVALUATION_BATCH = 2048
VALIDATED = 400  # people with pictures, each time a model is validated
HELD_OUT = 4000  # people of a held-out part, likewise
MEAN = "mean over groups"
EYES = ("image_encoder.", "heatmap_head.")  # a lifting model may grow them, and a model with them be trained on without
SHIPPED = Path("shipped")
MODEL_FILE = "model.safetensors"


def train_recipe(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    device: str = "cpu",
    schedule: Schedule = Schedule(),  # noqa: B008 (frozen)
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    half: bool = False,
    processes: Processes = ALONE,
) -> tuple[UniHPE, Progress]:
    """Train a recipe into the folder `out`: log, training state, and at the end `model.safetensors` with its card.

    Args:
        start: a checkpoint to begin from (fine-tuning); its scales are kept, its parts must be built alike. A run that is resumed
            knows them and goes on without it.
        half: store the weights as float16.
        processes: that train together; the first of them writes.

    Raises:
        InputError: for data that cannot be read, a folder that holds another run, a checkpoint that does not fit.
    """
    source = open_source(recipe.data, split=recipe.data.split, view="random", part="trained")
    if source.skeleton.name != recipe.data.skeleton:
        raise InputError(f"the data has the joints of {source.skeleton.name}, the recipe names {recipe.data.skeleton}")
    begun = None if start is None else load_start(recipe, start)
    origin = origin_of(begun, out / STATE_FILE if resume else None)
    stream = training_stream(source, recipe.data)
    if origin is None:
        recipe = measure_scales(recipe, training_stream(source, recipe.data.model_copy(update={"apart": 0})))
    else:
        scales = {"pose_scale": origin.pose_scale, "keypoint_scale": origin.keypoint_scale}
        recipe = recipe.model_copy(update=scales)
    mix = [(table.share, open_stream(table)) for table in recipe.mix]
    draw = stage_stream(stream, mix, None if recipe.poses is None else open_stream(recipe.poses))
    model = build_model(recipe)
    start_image_encoder(model, recipe)
    if begun is not None:
        load_into(model, begun.tensors, begun.file, may_lack=EYES)
    model, progress = train(
        model,
        recipe.stage,
        draw,
        out,
        seed=recipe.seed,
        fingerprint=recipe.fingerprint(),
        schedule=schedule,
        device=device,
        resume=resume,
        validate=validation(recipe, device),
        report=report,
        processes=processes,
        origin=origin,
    )
    if processes.writes:
        card = card_of(recipe, progress.samples + (0 if origin is None else origin.samples))
        save_checkpoint(out / MODEL_FILE, model.state_dict(), card, half=half)
    return model, progress


def card_of(recipe: Recipe, samples: int) -> Card:
    """What a checkpoint says of its training, by the recipe and the number of samples of all its runs."""
    return Card(
        skeleton=recipe.data.skeleton,
        recipe=without_places(recipe).model_dump(mode="json"),
        data=recipe.data.description,
        licence=recipe.data.licence,
        samples=samples,
    )


def without_places(recipe: Recipe) -> Recipe:
    """The recipe without the paths of its data, which mean nothing elsewhere."""
    nowhere = {"root": ""}
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=nowhere),
            "poses": recipe.poses and recipe.poses.model_copy(update=nowhere),
            "mix": tuple(table.model_copy(update=nowhere) for table in recipe.mix),
        }
    )


@dataclass(frozen=True)
class Start:
    """A checkpoint that training begins from."""

    file: Path
    tensors: dict[str, Tensor]
    card: Card

    @property
    def origin(self) -> Origin:
        """What a run keeps of it."""
        return Origin(float(self.tensors["pose_scale"]), float(self.tensors["keypoint_scale"]), self.card.samples)


def origin_of(begun: Start | None, state: Path | None) -> Origin | None:
    """What a run begins from: the checkpoint it is given or, where it is resumed from a saved state, what that says.

    Raises:
        InputError: if the state says another than is given.
    """
    given = None if begun is None else begun.origin
    if state is None or not state.exists():
        return given
    saved = saved_origin(state, otherwise=given)
    if begun is not None and saved != given:
        raise InputError(f"{state.parent} did not begin from {begun.file} as it is now: resume it without --from")
    return saved


def load_start(recipe: Recipe, path: Path) -> Start:
    """The checkpoint at `path`: a file, a training folder, or `SHIPPED` for the package's.

    Raises:
        InputError: for one that cannot be read, with other joints, or with parts that the recipe would read another meaning into.
    """
    file = default_checkpoint() if path == SHIPPED else path / MODEL_FILE if path.is_dir() else path
    tensors, card = load_checkpoint(file)
    if card.skeleton != recipe.data.skeleton:
        raise InputError(f"{file} has the joints of {card.skeleton}, the recipe trains on {recipe.data.skeleton}")
    wanted = recipe.model.image_encoder
    if wanted is None:
        tensors = {name: value for name, value in tensors.items() if not name.startswith(EYES)}
    require_meaning(recipe, tensors, card, file)
    return Start(file, tensors, card)


def require_meaning(recipe: Recipe, tensors: Mapping[str, Tensor], card: Card, file: Path) -> None:
    """Raise where weights of a checkpoint would fit the recipe's model by their shapes, but mean something else there.

    Parts that one of the two lacks are nobody's concern: a lifting model may grow eyes. What changes shapes, `load_into` finds.
    """
    found, wanted = [], []
    for part, settings in settings_of(recipe).items():
        table = card.recipe.get("model", {}).get(part)
        if not table or not any(name.startswith(f"{part}.") for name in tensors):
            continue
        theirs = type(settings)().model_dump() | table  # a setting that is younger than the checkpoint had its default
        for name in telling(settings, theirs):
            if theirs[name] != (own := getattr(settings, name)):
                found.append(f"model.{part}.{name}={theirs[name]}".replace("True", "true"))
                wanted.append(str(own).lower())
    if found:
        changes = " ".join(f"--set {change}" for change in found)
        raise InputError(f"{file} has {', '.join(found)}, the recipe {', '.join(wanted)}: add {changes}")


PartSettings = ImageEncoderSettings | EncoderSettings | DecoderSettings


def settings_of(recipe: Recipe) -> dict[str, PartSettings]:
    """The settings of the parts that the recipe's model has, by name."""
    model = recipe.model
    poses: dict[str, PartSettings] = {
        name: getattr(model, name) for name in ("encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d")
    }
    return poses if model.image_encoder is None else {"image_encoder": model.image_encoder, **poses}


def telling(ours: PartSettings, theirs: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings of a part without which its weights say nothing: recipe and checkpoint must agree in them."""
    match ours:
        case ImageEncoderSettings():
            head = ("heatmap_head", *(("heatmaps_from",) if ours.heatmap_head else ()))
            return ("kind", "shrink", "read_out", *(head if theirs["heatmap_head"] else ()))
        case EncoderSettings():
            return ("kind", "heads") if ours.kind == "transformer" else ("kind",)
        case DecoderSettings():
            return ("kind", "path", "prediction") if ours.kind == "diffusion" else ("kind",)


def validation(recipe: Recipe, device: str) -> Callable[[UniHPE], Scores] | None:
    """Scores on the part of [data] that is held out, or on its validation split; None where there is neither, or no 3D.

    Motion capture is seen with exact 2D; recorded sets have the 2D that they are trained on, and [[mix]] takes no part.
    MPJPE and cosines of every path: lifting alone without pictures; with them image → 3D too, on at most 400 people.

    Raises:
        InputError: for a validation part that is there and cannot be read, or a held-out one that is empty.
    """
    held, most = recipe.data.held_out, None
    try:
        if held:
            source, most = open_source(recipe.data, split=recipe.data.split, view="fixed", part="held out"), HELD_OUT
        else:
            known = recipe.data.model_copy(update={"with_pose": True})  # withheld in training, scored all the same
            source = open_source(known, split="val", view="fixed", two_d="exact", stride=10)
    except InputError:
        if held or has_own_files(recipe.data, "val"):
            raise
        return None
    if isinstance(source, CocoSource):  # photographs have no 3D to be scored against
        return None
    sampler = build_sampler("zero-temperature", 50)
    protocol = protocol_of(source, recipe.data.name, "val", 10, "exact", recipe.seed, "true")

    def lifting(model: UniHPE) -> Scores:
        generator = torch.Generator().manual_seed(recipe.seed)
        batches = prepared(source, generator, device, most=most)
        report = evaluate_lifting(
            model, batches, protocol, generator=generator, sampler=sampler, gallery=0, skeleton=source.skeleton
        )
        name = next(name for name in report["errors_mm"] if name.startswith("MPJPE"))
        return {
            "validation mpjpe": report["errors_mm"][name][MEAN],
            "validation cosine": report["cosine_2d_3d"]["matched"],
        }

    def pictures(model: UniHPE) -> Scores:
        generator = torch.Generator().manual_seed(recipe.seed)
        batches = prepared(source, generator, device, most=VALIDATED)
        report = evaluate_pictures(
            model, batches, protocol, skeleton=source.skeleton, generator=generator, sampler=sampler, gallery=0
        )
        mean = {name: report["errors_mm"][f"MPJPE {name}"][MEAN] for name in ("image", "lifting")}
        cosines = {
            f"validation cosine {pair} {kind}": value
            for pair, found in report["cosine"].items()
            for kind, value in found.items()
        }
        return {"validation mpjpe": mean["image"], "validation mpjpe lifting": mean["lifting"], **cosines}

    return pictures if isinstance(source, PeopleSource) and recipe.model.image_encoder else lifting


def has_own_files(data: DataSettings, split: str) -> bool:
    """Whether files of this split alone are there.

    Where all splits share their files, training has read them already: a split that cannot be opened after that is not in them.
    """
    root = Path(data.root)
    match data.name:
        case "people":
            return (root / f"{split}.pack").exists()
        case "coco":  # annotations of both splits come in one archive, their pictures do not
            pictures = any((folder / COCO_SPLITS[split]).is_dir() for folder in (root, root / "images"))
            return pictures and bool(annotation_files(root, f"person_keypoints_{COCO_SPLITS[split]}.json"))
        case "threedpw":
            files = sequence_files(root, None) if has_sequences(root) else regressed_files(root)
            return any(part == split for _, part in files)
        case _:
            return False


def prepared(
    source: Source, generator: torch.Generator, device: str, focal_known: bool = True, most: int | None = None
) -> Iterator[Batch]:
    """The people of a source, in order, in batches; a detector's noise is drawn batch by batch, so the size is part of it.

    Args:
        most: no more people than these, evenly spread; None takes all.
    """
    for indices in evenly_spread(len(source), most or len(source)).split(EVALUATION_BATCH):
        unknown = 0.0 if focal_known else 1.0
        frames = source.read(indices, generator)
        yield prepare(frames, source.skeleton, generator=generator, unknown_focal=unknown).to(device)


def evenly_spread(total: int, most: int) -> Tensor:
    """At most `most` of `total` indices, evenly spread."""
    return torch.linspace(0, total - 1, min(total, most), dtype=torch.float64).round().long()


def evaluate_checkpoint(
    checkpoint: Path,
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
        protocol: a named one of a recorded set (`evaluation.rules`), which says split, stride and figures; without it, every
            joint of the frames asked for.

    Raises:
        InputError: for an unreadable checkpoint or data, joints that do not agree, an unknown protocol.
    """
    model, recipe, card = load_model(checkpoint, device)
    settings = recipe.data.model_copy(
        update={
            "name": data,
            "root": str(root),
            "rig": str(rig or ""),
            "keypoints": keypoints,
            "with_pose": True,  # withheld in training, perhaps; errors need it
        }
    )
    noise, generator = (torch.Generator().manual_seed(s) for s in (seed, seed + 1))  # samples must not change the data
    focal = "true" if focal_known else "assumed √(W² + H²)"
    if protocol is None:
        rules = every_joint(data)
        source = open_source(settings, split=split, view="fixed", two_d=two_d, stride=stride)
        words = protocol_of(source, data, split, stride, two_d, seed, focal)
    else:
        rules = rules_of(data, protocol)
        source, words = open_by_rules(settings, rules, flip, focal)
    check_skeleton(recipe, source.skeleton, str(root))
    batches = prepared(source, noise, device, focal_known)
    lifting = {"samples": samples, "rules": rules}
    how = {"generator": generator, "sampler": build_sampler(sampler, steps, generator), "flip": flip}
    report = evaluate_source(model, source, batches, words, gallery, lifting, how)
    about = {"checkpoint": str(checkpoint), "trained_on": card.data, "training_samples": card.samples, "seed": seed}
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


def open_by_rules(settings: DataSettings, rules: Rules, flip: bool, focal: str) -> tuple[Source, Protocol]:
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
            "; put HybrIK's or MMHuman3D's file, or SMPL, beside it (docs/data.md)" if rules.data == "threedpw" else ""
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


def protocol_of(source: Source, data: str, split: str, stride: int, two_d: str, seed: int, focal: str) -> Protocol:
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
            return recorded_protocol(data, f"{layout}, joints by name", *joints, split, stride, focal)
        case _:
            return motion_protocol(*joints, split, stride, two_d, seed, focal)


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON, whole or not at all."""
    write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
