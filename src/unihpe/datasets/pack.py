"""Recorded sets into packed sets: the crop of every person with its labels, for training and for
evaluation from pictures.

Packing goes piece by piece: pieces that are whole are kept when it stops, and the next run goes on
after them.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop
from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.packed import PackedPeople, join, pack
from unihpe.datasets.pictures import Pictures, require_size
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.source import in_joints
from unihpe.errors import InputError, listing

PIECE = 2000  # people
SEEN = 2


@dataclass(frozen=True)
class Done:
    """What was packed."""

    people: int
    kept: int  # of them, from pieces that an earlier run left
    notes: tuple[str, ...]  # who was left out, with counts


@dataclass(frozen=True)
class Labels:
    """Of N people, as `LabelledCrop` has them of one."""

    index: NDArray[np.int64]
    keypoints: NDArray[np.float32]
    pose: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    box: NDArray[np.float64]
    camera: Camera
    group: tuple[str, ...]


def pack_recorded(
    recorded: Recorded,
    pictures: Pictures,
    file: Path,
    *,
    skip_missing: bool = False,
    done: Callable[[int], None] = lambda count: None,
    piece: int = PIECE,
) -> Done:
    """Pack the people of a recorded set, in human36m17's joints by name (NaN where the set lacks
    one).

    Boxes hold all joints of the set. Pictures keep their lens's distortion, and so does the 2D of
    sets that have it.

    Args:
        recorded: the frames that are wanted.
        file: where the set goes; pieces lie in a folder beside it until all are done.
        skip_missing: leave out people whose picture is not there, instead of refusing.
        done: told how many people are ready.
        piece: people of one piece.

    Raises:
        InputError: for pictures that are not there or cannot be read, or nobody to pack.
    """
    indices, notes = people_with_pictures(recorded, pictures, skip_missing)
    notes = (*recorded.notes, *notes)
    place = str(pictures.root.resolve()).encode()  # the digest tells places, and names none
    settings = {
        "layout": recorded.layout,
        "people": len(indices),
        "first": int(indices[0]),
        "last": int(indices[-1]),
        "notes": list(notes),
        "pictures": hashlib.sha256(place).hexdigest()[:16],
    }
    folder = file.with_name(f"{file.name}.pieces")
    parts, kept, ready = [], 0, 0
    for number, chosen in enumerate(indices.split(piece)):
        part = folder / f"{number:05d}"
        parts.append(part)
        wanted, labels = settings | {"piece": number, "of": piece}, labels_of(recorded, chosen)
        if holds(part, wanted, labels):
            kept += len(chosen)
            done(ready + len(chosen))
        else:
            people, more = (
                packed_people(recorded, pictures, labels),
                partial(report_more, done, ready),
            )
            pack(people, part, wanted, done=more)
        ready += len(chosen)
    join(parts, file)
    if (written := len(PackedPeople(file))) != len(indices):
        raise InputError(f"{file}: holds {written} people, not {len(indices)}: pack it again")
    shutil.rmtree(folder)
    return Done(len(indices), kept, notes)


def report_more(done: Callable[[int], None], before: int, count: int) -> None:
    """Tell how many people are ready, those of earlier pieces among them."""
    done(before + count)


def people_with_pictures(
    recorded: Recorded, pictures: Pictures, skip_missing: bool
) -> tuple[Tensor, tuple[str, ...]]:
    """The indices that can be packed, and notes about those that cannot."""
    rows = range(len(recorded))
    there = torch.tensor([pictures.find(*recorded.at(n)) is not None for n in rows])
    lost = (~there).nonzero()[:, 0].tolist()
    if lost and not (skip_missing and bool(there.any())):
        names = [pictures.names(*recorded.at(n))[0] for n in lost[:3]]
        raise InputError(
            f"{pictures.root}: {len(lost)} of {len(there)} pictures are not there, nor in a whole"
            f" video, such as {listing(names)}; extract them, name their folder with --pictures, or"
            " leave them out with --skip-missing"
        )
    enough = there.clone()
    for some in torch.arange(len(recorded)).split(100_000):
        seen = recorded.read(some).confidence > 0
        enough[some] &= seen.sum(1) >= FEWEST_JOINTS
    notes = [f"{len(lost)} people without picture left out"] if lost else []
    if few := int((there & ~enough).sum()):
        notes.append(f"{few} people with fewer than {FEWEST_JOINTS} joints left out")
    if not bool(enough.any()):
        raise InputError(f"{pictures.root}: nobody to pack ({', '.join(notes)})")
    return enough.nonzero()[:, 0], tuple(notes)


def holds(part: Path, settings: dict[str, Any], labels: Labels) -> bool:
    """Whether a piece is there already: of the same pictures, with these labels, and undamaged."""
    if not part.is_file():
        return False
    try:
        packed = PackedPeople(part)
        for n in range(len(packed)):
            packed.picture(n)
    except InputError:
        return False
    names = ("index", "keypoints", "pose", "visibility", "box")
    pairs = ((getattr(packed, name), getattr(labels, name)) for name in names)
    same = all(np.array_equal(*pair, equal_nan=True) for pair in pairs)
    return packed.settings == settings and same


def labels_of(recorded: Recorded, indices: Tensor) -> Labels:
    """The labels of some people, in human36m17's joints."""
    own = recorded.read(indices)
    frames = in_joints(recorded, get_skeleton("human36m17")).read(indices, torch.Generator())
    assert frames.pose is not None
    keypoints = torch.where(frames.confidence[..., None] > 0, frames.keypoints, torch.nan).numpy()
    inside = np.all((keypoints >= 0) & (keypoints < frames.camera.size[:, None].numpy()), axis=-1)
    return Labels(
        indices.numpy(),
        keypoints,
        frames.pose.numpy(),
        np.where(inside, SEEN, 0).astype(np.uint8),
        box_from_keypoints(own.keypoints, own.confidence > 0).double().numpy(),
        frames.camera,
        frames.group,
    )


def packed_people(recorded: Recorded, pictures: Pictures, labels: Labels) -> Iterator[LabelledCrop]:
    """People one after the other, read from their pictures."""
    for n, index in enumerate(labels.index.tolist()):
        view, frame = recorded.at(index)
        whole, camera = pictures.read(view, frame), labels.camera.select(torch.tensor(n))
        require_size(whole, camera.size, pictures, view, frame)
        picture = crop(whole, labels.box[n], CROP_WIDTH, CROP_HEIGHT)
        marks = labels.keypoints[n], labels.pose[n], labels.visibility[n], labels.box[n]
        seen_by = of_picture(camera, whole.shape[1], whole.shape[0])
        yield LabelledCrop(picture, *marks, seen_by, index, labels.group[n])


def of_picture(camera: Camera, width: int, height: int) -> Camera:
    """The camera with the size that its picture has, without distortion, which packed sets do not
    keep."""
    size = torch.tensor([float(width), float(height)])
    return Camera(camera.focal, camera.centre, size, camera.rotation, camera.translation)
