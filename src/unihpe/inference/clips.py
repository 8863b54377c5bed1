"""The people of a clip: found, followed and lifted, some frames at a time, then made steady."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from unihpe.errors import InputError
from unihpe.export.results import Results
from unihpe.inference.motion import PEOPLE, SMOOTH, chosen_people, filled, steadied, without_brief
from unihpe.inputs.clip_boxes import FrameBoxes
from unihpe.inputs.detections import MIN_CONFIDENCE
from unihpe.inputs.evidence import Evidence, from_keypoints, from_picture
from unihpe.inputs.keypoints import checked_keypoints, unliftable_rows
from unihpe.inputs.media import Clip
from unihpe.people.follow import People, follow, follow_boxes
from unihpe.people.keypoints import THUNDER

if TYPE_CHECKING:
    from unihpe.inference.predictor import Options, Predictor

NOTHING = np.zeros((0, 0, 3), np.uint8)
AT_ONCE = 32  # people lifted at a time, in so many frames at most


@dataclass(frozen=True)
class Motion:
    """What becomes of a clip's people over time."""

    people: str = "all"  # whose poses are kept: all, largest, first, or somebody's number
    smooth: str = "savgol"  # or one-euro, or off
    bones: bool = True  # of one length for each person
    min_confidence: float = MIN_CONFIDENCE  # joints below are missing

    def __post_init__(self) -> None:
        if self.smooth not in SMOOTH:
            raise InputError(f"smoothing is {', '.join(SMOOTH)}, not {self.smooth!r}")
        if self.people not in PEOPLE and not self.people.isdecimal():
            raise InputError(f"people are {', '.join(PEOPLE)}, or a number, not {self.people!r}")


def poses_in(
    predictor: "Predictor",
    clip: Clip,
    options: "Options",
    least: float = MIN_CONFIDENCE,
    boxes: FrameBoxes | None = None,
) -> Iterator[tuple[int, Results | None]]:
    """How many more frames of a clip are done, and the poses of those who are in them, as seen.

    Args:
        least: joints below are missing.
        boxes: of the people in each frame; without them they are found and followed.
    """
    if boxes is None:
        seen = follow(clip.frames(), predictor.device)
    else:
        seen = follow_boxes(clip.frames(), boxes, predictor.device)
    for frames in _batches(_without_picture(predictor, clip, one, options) for one in seen):
        people = [frame for frame in frames if len(frame.people)]
        yield len(frames), _poses(predictor, clip, people, options, least) if people else None


def made_steady(raw: Results, clip: Clip, motion: Motion, given: bool = False) -> Results:
    """The people of a clip as they were seen, chosen, without gaps and noise.

    `given` people keep their numbers, however brief; those who were found are counted from 1.
    """
    chosen = chosen_people(raw if given else without_brief(raw), motion.people)
    return steadied(filled(chosen, clip.every), motion.smooth, motion.bones)


class _Frame(NamedTuple):
    """A frame's people, without the picture: many frames may wait."""

    people: People
    crops: Evidence | None  # for a model that knows pictures


def _without_picture(
    predictor: "Predictor", clip: Clip, people: People, options: "Options"
) -> _Frame:
    picture, crops = people.shown.picture, None
    if predictor.model.image_encoder is not None and len(people):
        skeleton, focal = predictor.skeleton, options.focal
        crops = from_picture(picture, people.boxes, None, skeleton, focal, clip.name)
        crops = Evidence.join([crops])
    return _Frame(replace(people, shown=replace(people.shown, picture=NOTHING)), crops)


def _batches(frames: Iterable[_Frame]) -> Iterator[list[_Frame]]:
    """Some frames at a time, of not too many people."""
    batch: list[_Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) >= AT_ONCE or sum(len(one.people) for one in batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _poses(
    predictor: "Predictor", clip: Clip, given: list[_Frame], options: "Options", least: float
) -> Results | None:
    """The poses of all the people of some frames, by one call of the model."""
    frames = [frame.people for frame in given]
    crops = [frame.crops for frame in given if frame.crops is not None]
    if crops:
        evidence = Evidence.join(crops)
        rows = list(range(len(evidence)))
    else:
        points = np.concatenate([frame.keypoints for frame in frames])
        scores = np.concatenate([frame.confidence for frame in frames])
        seen = np.where(scores < least, 0.0, scores)
        people = checked_keypoints(points, clip.size, "coco17", seen)
        lost = unliftable_rows(people, predictor.skeleton)
        rows = [n for n in range(len(people)) if n not in lost]
        if not rows:
            return None
        people = replace(people.select(rows), source=THUNDER)
        evidence = from_keypoints(people, predictor.skeleton, options.focal)
    shown = [frame.shown for frame in frames for _ in frame.number]
    number = [str(n) for frame in frames for n in frame.number]
    boxes = torch.from_numpy(np.concatenate([frame.boxes for frame in frames])).float()
    return replace(
        predictor.answer(evidence, options),
        image=(clip.name,) * len(rows),
        person=tuple(number[n] for n in rows),
        frame=torch.tensor([shown[n].index for n in rows]),
        time=torch.tensor([shown[n].time for n in rows], dtype=torch.float64),
        filled=torch.zeros(len(rows), dtype=torch.bool),
        boxes=boxes[rows],
        frame_rate=clip.frame_rate,
    )
