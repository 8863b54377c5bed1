"""2D keypoints as the tools of the field write them; the layout is told from the content.

Missing joints (whatever a tool writes for them) come out with confidence 0, NaN.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError, listing, one_line
from unihpe.inputs.detections import Detections, Hints, Size, Units
from unihpe.inputs.joints import called, in_numbers, with_missing
from unihpe.inputs.keypoints import Keypoints, checked_keypoints
from unihpe.inputs.plausible import doubts_of, sets_of, sides_reason, units_reasons
from unihpe.inputs.readers import KNOWN, read_arrays, reader_of
from unihpe.io.arrays import Array
from unihpe.io.files import BROKEN, in_order, read_json

BEYOND = 1e30  # pixels: whoever lies there is left out, before float32 ends and all are refused
OUTSIDE, FEW = 0.1, 0.1  # of the picture: a tenth of the joints may lie farther beyond its edges
HOW = Hints()


def read_keypoints(
    path: Path, skeleton: str | None = None, image_size: Size | None = None, how: Hints = HOW
) -> Keypoints:
    """Read a keypoint file, or a folder of files of one picture each.

    Args:
        skeleton: the file's joints, where the layout does not tell (npy, npz) or tells wrong.
        image_size: width and height in pixels, where the file does not hold them.
        how: what else people know of the file.

    Raises:
        InputError: for a file that cannot be read or understood, or that holds nobody who can be
            read, or joints that do not look like their set; or no picture size. Of several people,
            those who cannot be read are `left_out`.
    """
    how = replace(how, skeleton=skeleton or how.skeleton, size=image_size or how.size)
    if how.size is not None and not (min(how.size) > 0 and np.isfinite(how.size).all()):
        size = f"{how.size[0]:g}x{how.size[1]:g}"
        raise InputError(f"the picture size must be above 0, not {size}")
    return in_pixels(read_detections(path, how), f"{path}: ", how.size)


def read_detections(path: Path, how: Hints = HOW) -> Detections:
    """The people of a file or folder, of a known joint set, missing joints as NaN; and checked."""
    if not path.exists():
        raise InputError(f"no keypoint file at {path}")
    try:
        found = in_numbers(_read(path))
        if not found.people:
            raise InputError(f"{path}: {listing(found.left_out, 1) or 'nobody in it'}")
        return _checked(found, path, how)
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"{path}: {_not_as_said(error)}; docs/formats.md") from error


def _not_as_said(error: Exception) -> str:
    return f"not as its layout says ({error.__class__.__name__}: {one_line(error, 80)})"


def in_pixels(detections: Detections, where: str, image_size: Size | None) -> Keypoints:
    """The people as tensors, in pixels of their pictures; who lies outside is left out.

    `where` begins the messages of InputErrors.
    """
    remedy = "give --image-size WIDTHxHEIGHT"
    rows, left_out = [], [*detections.left_out]
    for n, person in enumerate(detections.people):
        if (size := image_size or person.size) is None:
            shares = "coordinates are shares of the picture"
            lacks = "holds no picture size" if detections.units == "pixels" else shares
            raise InputError(f"{where}{lacks}; {remedy}")
        if not 0 < min(size) <= max(size) < BEYOND:
            raise InputError(f"{where}a picture size is not above 0 and finite; {remedy}")
        joints = _pixels(person.joints, detections.units, size)
        doubted = detections.units == "pixels" and not detections.believed
        if doubted and (outside := _outside(joints, size)):
            left_out.append(f"{called(person)}: {outside}")
        else:
            rows.append((n, joints, size))
    if not rows:
        raise InputError(f"{where}{listing(left_out, 1)}")
    kept, joints_of, sizes = zip(*rows, strict=True)
    checked = checked_keypoints(np.stack(joints_of), sizes, detections.skeleton or "", None)
    people = [detections.people[n] for n in kept]
    return replace(
        checked,
        image=tuple(person.image for person in people),
        person=tuple(person.person for person in people),
        left_out=tuple(left_out),
        notes=(*detections.notes, *_size_notes(detections, image_size)),
        rows=kept,
    )


def _size_notes(detections: Detections, image_size: Size | None) -> list[str]:
    sizes = {person.size for person in detections.people} - {None, image_size}
    return ["--image-size takes the place of the file's own"] if image_size and sizes else []


def _pixels(joints: Array, units: Units, size: Size) -> Array:
    width, height = size
    scale, middle = {
        "pixels": ((1, 1), 0),
        "shares": ((width, height), 0),
        "centred": ((width / 2, height / 2), 1),
        "screen": ((width / 2, width / 2), (1, height / width)),
    }[units]
    x_y = (joints[:, :2] + middle) * scale
    return np.column_stack([x_y.clip(-BEYOND, BEYOND), joints[:, 2]])


def _outside(joints: Array, size: Size) -> str | None:
    """What to say of a person of whom too many joints lie beyond the picture's edges."""
    seen = joints[joints[:, 2] > 0, :2]
    beyond = np.maximum(-seen, seen - size).max(1) > OUTSIDE * max(size)
    if beyond.sum() <= FEW * len(seen):
        return None
    beyond_it = f"{int(beyond.sum())} of {len(seen)} joints lie beyond the edges"
    picture = f"the {size[0]:g} × {size[1]:g} picture, which may have another size"
    return f"{beyond_it} of {picture}: --units pixels takes them so"


def _read(path: Path) -> Detections:
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() in (".npy", ".npz"):
        return read_arrays(path)
    return _read_json(path)


def _read_json(path: Path) -> Detections:
    content = read_json(path)
    if (reader := reader_of(content)) is None:
        raise InputError(f"{path}: not a known keypoint layout; known are {KNOWN}")
    try:
        return reader(content, path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_folder(path: Path) -> Detections:
    """The files of a folder, one a picture; what cannot be read of them is left out."""
    frames, left_out = [], []
    for file in in_order(path.glob("*.json")):
        try:
            frames.append(_read_json(file))
        except InputError as error:
            left_out.append(str(error))
        except BROKEN as error:
            left_out.append(f"{file}: {_not_as_said(error)}")
    if not frames:
        raise InputError(left_out[0] if left_out else f"{path}: no .json files in it")
    people = list(chain.from_iterable(frame.people for frame in frames))
    first = next((frame for frame in frames if frame.people), frames[0])
    if odd := [own for own in frames if own.people and _kind(own) != _kind(first)]:
        other = f"{odd[0].people[0].image} is not of the kind of {first.people[0].image}"
        raise InputError(f"{path}: a folder must hold the files of one tool; {other}")
    notes = tuple(dict.fromkeys(chain.from_iterable(frame.notes for frame in frames)))
    left_out += chain.from_iterable(frame.left_out for frame in frames)
    return replace(first, people=people, left_out=tuple(left_out), notes=notes)


def _kind(detections: Detections) -> tuple[Any, ...]:
    return detections.sets, detections.skeleton, detections.what, detections.units


def _checked(found: Detections, path: Path, how: Hints) -> Detections:
    """The people with the joints of their set, in their units, who look like it."""
    units, sets = how.units or found.units, _joint_sets(found, path, how.skeleton)
    told = bool(how.skeleton or found.skeleton)
    found = replace(_of_set(found, path, sets[0]), units=units, believed=how.units is not None)
    joints = np.stack([person.joints for person in found.people])
    joints, unsure, notes = with_missing(joints, units, how.min_confidence)
    strange = units_reasons(joints, units, get_skeleton(sets[0]))
    reasons = [a or b for a, b in zip(unsure, strange, strict=True)]
    people = [replace(own, joints=row) for own, row in zip(found.people, joints, strict=True)]
    found = _without(replace(found, people=people), path, reasons)
    joints = joints[[reason is None for reason in reasons]]
    name, doubts = _look_alike(joints, sets, path, told=told)
    notes = [*found.notes, *notes, *doubts]
    found, skeleton = replace(found, skeleton=name, notes=tuple(notes)), get_skeleton(name)
    if how.sides is None and (wrong := sides_reason(joints, skeleton)):
        raise InputError(f"{path}: {wrong}")
    if how.sides == "swapped":
        columns = list(skeleton.mirror)
        own = [replace(person, joints=person.joints[columns]) for person in found.people]
        found = replace(found, people=own)
    return found


def _joint_sets(found: Detections, path: Path, given: str | None) -> list[str]:
    """The joint sets that the people may have, by what is said or else by their number."""
    if told := given or found.skeleton:
        return [told]
    counts = Counter(len(person.joints) for person in found.people)
    for count, _ in counts.most_common():
        if own := [name for name in sets_of(count) if name in found.sets]:
            return sorted(own, key=list(found.sets).index)
    candidates = listing([own for count in counts for own in sets_of(count)])
    what = found.what or f"does not say which joints its {', '.join(map(str, counts))} are"
    remedy = f"name them with --skeleton: {candidates}" if candidates else "no set has so many"
    raise InputError(f"{path}: {what}; {remedy}")


def _look_alike(joints: Array, sets: list[str], path: Path, told: bool) -> tuple[str, list[str]]:
    """The set of several of one size that people (N, J, 3) look like, and what to say of it."""
    name = sets[0]
    if not (doubts := doubts_of(joints, name)):
        return name, []
    looks = f"{joints.shape[1]} joints that do not look like {name}'s"
    if told:
        return name, [looks]
    if doubts[0] in sets and not doubts_of(joints, doubts[0]):
        return doubts[0], [f"{looks}, but like {doubts[0]}'s"]
    raise InputError(f"{path}: {looks}; name theirs with --skeleton: {', '.join(doubts)}")


def _of_set(found: Detections, path: Path, name: str) -> Detections:
    """The people who have a set's joints, alone or, as whole-body sets do, among others."""
    skeleton, reasons, people = get_skeleton(name), [], []
    for person in found.people:
        count = len(person.joints)
        told = [found.skeleton] if found.skeleton else [*{*sets_of(count)} & {*found.sets}]
        larger = get_skeleton(told[0]) if len(told) == 1 else skeleton
        if count == len(larger) > len(skeleton) and {*skeleton.joints} <= {*larger.joints}:
            columns = skeleton.select_from(larger)
            person = replace(person, joints=person.joints[columns])
        right = len(person.joints) == len(skeleton)
        counts = f"has {count} joints, {name} has {len(skeleton)}; name the right --skeleton"
        reasons.append(None if right else counts)
        people.append(person)
    return _without(replace(found, people=people, skeleton=name), path, reasons)


def _without(found: Detections, path: Path, reasons: Iterable[str | None]) -> Detections:
    """The people without a reason against them; the others are left out, unless all are."""
    judged = list(zip(found.people, reasons, strict=True))
    people = [person for person, reason in judged if reason is None]
    left_out = [f"{called(person)}: {reason}" for person, reason in judged if reason]
    if not people:
        raise InputError(f"{path}: {listing(left_out, 1)}")
    return replace(found, people=people, left_out=(*found.left_out, *left_out))
