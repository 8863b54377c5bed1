"""Recorded sets into packed sets: the crop of every person with its labels.

Packing goes piece by piece: pieces that are whole are kept when it stops, and the next run goes on
after them.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Frames, LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.packed import PackedPeople, join, pack
from unihpe.datasets.pictures import Pictures
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


def pack_recorded(
    recorded: Recorded,
    pictures: Pictures,
    file: Path,
    *,
    skip_missing: bool = False,
    done: Callable[[int], None] = lambda count: None,
    piece: int = PIECE,
) -> Done:
    """Pack the people of a recorded set, in human36m17's joints by name (NaN where it lacks one).

    Boxes hold all joints of the set. Pictures keep their lens's distortion, and so does the 2D of
    sets that have it.

    Args:
        recorded: the frames that are wanted.
        file: where the set goes; pieces lie in a folder beside it until all are done.
        skip_missing: leave out people whose picture is not there, instead of refusing.
        done: told how many people are ready.
        piece: people of one piece.
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
    folder, parts, kept, ready = file.with_name(f"{file.name}.pieces"), [], 0, 0
    for number, chosen in enumerate(indices.split(piece)):
        part = folder / f"{number:05d}"
        parts.append(part)
        wanted, people = settings | {"piece": number, "of": piece}, labelled(recorded, chosen)
        if holds(part, wanted, people):
            kept += len(chosen)
            done(ready + len(chosen))
        else:
            crops = cut_out(recorded, pictures, people)
            pack(crops, part, wanted, done=lambda count, before=ready: done(before + count))  # type: ignore[misc]
        ready += len(chosen)
    join(parts, file)
    if (written := len(PackedPeople(file))) != len(indices):
        raise InputError(f"{file}: holds {written} people, not {len(indices)}: pack it again")
    shutil.rmtree(folder)
    return Done(len(indices), kept, notes)


def people_with_pictures(
    recorded: Recorded, pictures: Pictures, skip_missing: bool
) -> tuple[Tensor, tuple[str, ...]]:
    """The indices that can be packed, and notes about those that cannot."""
    rows = range(len(recorded))
    there = torch.tensor([pictures.find(*recorded.at(n)) is not None for n in rows])
    lost = (~there).nonzero()[:, 0].tolist()
    if lost and not (skip_missing and bool(there.any())):
        such = listing([pictures.names(*recorded.at(n))[0] for n in lost[:3]])
        raise InputError(
            f"{pictures.root}: {len(lost)} of {len(there)} pictures are not there, nor in a whole"
            f" video, such as {such}; extract them, name their folder with --pictures, or leave"
            " them out with --skip-missing"
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


def holds(part: Path, settings: dict[str, Any], people: Frames) -> bool:
    """Whether a piece is there already: of the same pictures, with these labels, and undamaged."""
    try:
        packed = PackedPeople(part)
        for n in range(len(packed)):
            packed.picture(n)
    except InputError:
        return False
    return packed.settings == settings and all(
        np.array_equal(getattr(packed, name), label, equal_nan=True)
        for name, label in labels_of(people).items()
    )


def labelled(recorded: Recorded, indices: Tensor) -> Frames:
    """Some people in human36m17's joints; 2D that is missing is NaN, boxes are of the set's own."""
    own = recorded.read(indices)
    box = box_from_keypoints(own.keypoints, own.confidence > 0).double()
    frames = in_joints(recorded, get_skeleton("human36m17")).read(indices, torch.Generator())
    keypoints = torch.where(frames.confidence[..., None] > 0, frames.keypoints, torch.nan)
    return replace(frames, keypoints=keypoints, box=box)


def labels_of(people: Frames) -> dict[str, NDArray[Any]]:
    """The labels of people as a packed set has them; visible is what lies in the picture."""
    assert people.pose is not None and people.box is not None
    inside = (people.keypoints >= 0) & (people.keypoints < people.camera.size[:, None])
    return {
        "index": people.index.numpy(),
        "keypoints": people.keypoints.numpy(),
        "pose": people.pose.numpy(),
        "visibility": np.where(inside.all(-1), SEEN, 0).astype(np.uint8),
        "box": people.box.numpy(),
    }


def cut_out(recorded: Recorded, pictures: Pictures, people: Frames) -> Iterator[LabelledCrop]:
    """People one after the other, read from their pictures."""
    labels = labels_of(people)
    for n, index in enumerate(people.index.tolist()):
        view, frame = recorded.at(index)
        camera = people.camera.select(torch.tensor(n))
        whole = pictures.read_sized(view, frame, camera.size)
        of_one = {name: label[n] for name, label in labels.items()} | {"index": index}
        picture = crop(whole, of_one["box"], CROP_WIDTH, CROP_HEIGHT)
        # the size that the picture has; packed sets keep no distortion
        size = torch.tensor([float(whole.shape[1]), float(whole.shape[0])])
        seen_by = replace(camera, size=size)
        yield LabelledCrop(picture, camera=seen_by, group=people.group[n], **of_one)
