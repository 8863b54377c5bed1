"""BVH motion capture: hierarchy, channels, forward kinematics, and rigs that name its joints.

A *rig* is a small TOML that says which joints of a file are which of ours, the file's unit and its
up axis; known rigs ship in `rigs/`, another is given by path. The trunk and head follow one rule
for all rigs, so that they mean the same everywhere.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError

Floats = NDArray[np.float64]
# Trunk and head, in torso lengths (pelvis to mid-shoulder).
THORAX_UP, HEAD_UP, NOSE_UP, NOSE_FORWARD = 0.10, 0.58, 0.36, 0.13
LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class Joint:
    """One joint of a BVH hierarchy: its place in the parent, and where its channels lie in a row."""

    name: str
    parent: int  # −1 for a root
    offset: Floats  # (3,), file units
    channels: tuple[str, ...]
    first_channel: int


@dataclass(frozen=True)
class BVH:
    """A BVH file: joints in the file's order and one row of channel values for each frame."""

    joints: tuple[Joint, ...]
    rows: Floats  # (T, channels)
    fps: float

    def positions(self) -> dict[str, Floats]:
        """World positions of every joint and end site, (T, 3) each, file units; an end site is called `<joint>_end`."""
        frames = len(self.rows)
        rotations: list[Floats] = []
        places: list[Floats] = []
        for joint in self.joints:
            local = np.broadcast_to(np.eye(3), (frames, 3, 3))
            shift = np.broadcast_to(joint.offset, (frames, 3)).copy()
            for k, channel in enumerate(joint.channels):
                values = self.rows[:, joint.first_channel + k]
                axis = "xyz".index(channel[0].lower())
                if channel.lower().endswith("position"):
                    shift[:, axis] = (
                        values  # in place of the offset, for the root and, where they have such, other joints
                    )
                else:
                    local = local @ axis_rotation(axis, np.radians(values))
            if joint.parent >= 0:
                above = rotations[joint.parent]
                shift = places[joint.parent] + (above @ shift[..., None])[..., 0]
                local = above @ local
            rotations.append(local)
            places.append(shift)
        return {joint.name: place for joint, place in zip(self.joints, places, strict=True)}


def axis_rotation(axis: int, angle: Floats) -> Floats:
    """Rotations about one axis, angle (T,) in radians → (T, 3, 3)."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.zeros((len(angle), 3, 3))
    rotation[:, axis, axis] = 1
    rotation[:, a, a] = rotation[:, b, b] = np.cos(angle)
    rotation[:, b, a] = np.sin(angle)
    rotation[:, a, b] = -rotation[:, b, a]
    return rotation


CHANNEL = re.compile("[xyz](position|rotation)", re.IGNORECASE)


def read_bvh(path: Path) -> BVH:
    """Read a BVH file; tolerant of tabs, blank lines, line ends and channel orders.

    Raises:
        InputError: for a file that is empty, not BVH, cut short, or holds values that are not
            finite.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not a readable BVH text file ({error.__class__.__name__})"
        ) from error
    head, found, motion = text.partition("MOTION")
    tokens = head.split()
    if not tokens or tokens[0] != "HIERARCHY":
        raise InputError(f"{path}: not a BVH file (it does not begin with HIERARCHY)")
    if not found:
        raise InputError(f"{path}: cut short, no MOTION part; copy it again")
    joints = read_hierarchy(path, tokens)
    rows, fps = read_motion(path, motion, sum(len(joint.channels) for joint in joints))
    return BVH(joints, rows, fps)


def read_hierarchy(path: Path, tokens: list[str]) -> tuple[Joint, ...]:
    """The joints, from the tokens between HIERARCHY and MOTION."""
    joints: list[Joint] = []
    above: list[int] = []
    name, first_channel, position = "", 0, 1
    offset, channels = np.zeros(3), tuple[str, ...]()
    try:
        while position < len(tokens):
            word = tokens[position]
            if word in ("ROOT", "JOINT"):
                name, channels, position = tokens[position + 1], (), position + 2
            elif word == "End":
                name, channels, position = f"{joints[above[-1]].name}_end", (), position + 2
            elif word == "{":
                position += 1
                if tokens[position] != "OFFSET":
                    raise ValueError("OFFSET expected")
                offset = np.array([float(value) for value in tokens[position + 1 : position + 4]])
                if not np.isfinite(offset).all():
                    raise ValueError("an offset that is not finite")
                position += 4
                if tokens[position] == "CHANNELS":
                    count = int(tokens[position + 1])
                    channels = tuple(tokens[position + 2 : position + 2 + count])
                    if unknown := [
                        channel for channel in channels if not CHANNEL.fullmatch(channel)
                    ]:
                        raise ValueError(f"no channel is called {unknown[0]}")
                    position += 2 + count
                joints.append(
                    Joint(name, above[-1] if above else -1, offset, channels, first_channel)
                )
                above.append(len(joints) - 1)
                first_channel += len(channels)
            elif word == "}":
                above.pop()
                position += 1
            else:
                raise ValueError(f"unexpected '{word}'")
    except (ValueError, IndexError) as error:
        raise InputError(
            f"{path}: damaged hierarchy near '{name}' ({error}); copy it again"
        ) from error
    if above or not joints:
        raise InputError(f"{path}: cut short inside the hierarchy; copy it again")
    return tuple(joints)


def read_motion(path: Path, text: str, channels: int) -> tuple[Floats, float]:
    """Channel values (T, channels) and frames per second, from the text after MOTION."""
    header = re.match(r"\s*Frames:\s*(\d+)\s+Frame\s+Time:\s*([-+.\deE]+)", text)
    if header is None:
        raise InputError(
            f"{path}: cut short, no 'Frames' and 'Frame Time' after MOTION; copy it again"
        )
    try:
        frames, frame_time = int(header[1]), float(header[2])
    except ValueError as error:
        raise InputError(
            f"{path}: the frame time {header[2]} is not a number; correct it"
        ) from error
    if frames < 1 or not 0 < frame_time < 10:
        raise InputError(f"{path}: {frames} frames of {frame_time} s; both must be above 0")
    try:
        values = np.array(text[header.end() :].split(), dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path}: a motion value is not a number ({error})") from error
    if values.size != frames * channels:
        raise InputError(
            f"{path}: {values.size} motion values where {frames} frames of {channels} channels need {frames * channels};"
            " copy it again"
        )
    if not np.isfinite(values).all():
        bad = int(np.argwhere(~np.isfinite(values))[0, 0]) // channels
        raise InputError(f"{path}: frame {bad} holds a value that is not finite; cut it out")
    return values.reshape(frames, channels), 1 / frame_time


class Rig(BaseModel):
    """Which joints of a BVH file are which of ours.

    Attributes:
        name: of the rig.
        unit_mm: millimetres in one unit of the file.
        up: the file's axis that points to the sky.
        joints: ours (left_hip … right_wrist) → the file's; a list is the mean of its joints.
        pelvis: the file's joint or joints for the pelvis.
        skip: frames at the start that are no motion (a calibration pose).
        head: two of the file's joints (or lists): the head's direction is from the first to the
            second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    unit_mm: float
    up: Literal["y", "z"] = "y"
    skip: int = 0
    pelvis: str | list[str]
    head: tuple[str | list[str], str | list[str]]
    joints: dict[str, str | list[str]]

    def needed(self) -> list[str]:
        """Every joint the rig asks a file for."""
        asked = [self.pelvis, *self.head, *self.joints.values()]
        return sorted(
            {name for entry in asked for name in ([entry] if isinstance(entry, str) else entry)}
        )

    def poses(self, path: Path, positions: dict[str, Floats]) -> Floats:
        """The 17 joints of Human3.6M, (T, 17, 3), mm, y up.

        Raises:
            InputError: naming the joints that the file lacks, or the frame in which the head has no
                direction.
        """
        if missing := [name for name in self.needed() if name not in positions]:
            raise InputError(
                f"{path}: rig '{self.name}' needs the joints {', '.join(missing)}; give a rig that names them"
            )
        frames = len(next(iter(positions.values())))
        if frames <= self.skip:
            raise InputError(
                f"{path}: {frames} frames, of which rig '{self.name}' skips the first {self.skip}; nothing is left"
            )
        upright = {
            name: to_y_up(place[self.skip :], self.up) * self.unit_mm
            for name, place in positions.items()
        }
        found = {ours: mean_of(theirs, upright) for ours, theirs in self.joints.items()}
        found["pelvis"] = mean_of(self.pelvis, upright)
        direction = mean_of(self.head[1], upright) - mean_of(self.head[0], upright)
        if not np.ptp(np.stack(list(found.values())), axis=0).any(-1).all():
            raise InputError(f"{path}: all joints lie on one spot; its offsets must give a body")
        with np.errstate(
            all="ignore"
        ):  # what has no direction, or is too far away, is looked for below
            found |= trunk_and_head(found, direction)
            poses = np.stack([found[joint] for joint in get_skeleton("human36m17").joints], axis=1)
            finite = np.isfinite(poses.astype(np.float32)).all(
                (1, 2)
            )  # as float32: so they are kept
        if not finite.all():
            raise InputError(
                f"{path}: frame {self.skip + int(finite.argmin())} gives no finite pose: {self.head[0]} and {self.head[1]}, which"
                f" give the head's direction in rig '{self.name}', must lie apart and not along the shoulders; name others"
                " in a rig and pass it with --rig (docs/data.md)"
            )
        return poses


def mean_of(names: str | list[str], positions: dict[str, Floats]) -> Floats:
    """The mean of one or more joints, (T, 3)."""
    mean: Floats = np.mean(
        [positions[name] for name in ([names] if isinstance(names, str) else names)], axis=0
    )
    return mean


def to_y_up(points: Floats, up: str) -> Floats:
    """Points (T, 3) with the sky along +y."""
    return points if up == "y" else points[:, [0, 2, 1]] * np.array([1.0, 1.0, -1.0])


def trunk_and_head(found: dict[str, Floats], direction: Floats) -> dict[str, Floats]:
    """Thorax, spine, head and nose by the one rule: from shoulders, pelvis and the head's direction (T, 3)."""
    shoulders = 0.5 * (found["left_shoulder"] + found["right_shoulder"])
    torso = shoulders - found["pelvis"]
    length = np.linalg.norm(torso, axis=1, keepdims=True)
    up = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    across = found["left_shoulder"] - found["right_shoulder"]
    forward = np.cross(across, up)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    thorax = shoulders + THORAX_UP * torso
    return {
        "thorax": thorax,
        "spine": 0.5 * (thorax + found["pelvis"]),
        "head": shoulders + HEAD_UP * length * up,
        "nose": shoulders + length * (NOSE_UP * up + NOSE_FORWARD * forward),
    }


def shipped_rigs() -> list[Rig]:
    """The rigs in the package."""
    files = sorted(
        resources.files("unihpe.datasets.motion").joinpath("rigs").iterdir(),
        key=lambda file: file.name,
    )
    return [parse_rig(file.name, tomllib.loads(file.read_text(encoding="utf-8"))) for file in files]


def read_rig(path: Path) -> Rig:
    """A rig from a TOML file."""
    try:
        return parse_rig(str(path), tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not a readable rig ({error})") from error


def parse_rig(name: str, fields: dict[str, Any]) -> Rig:
    """Check a rig's fields."""
    try:
        rig = Rig.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{name}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}"
        ) from error
    wanted = {f"{side}_{limb}" for side in ("left", "right") for limb in LIMBS}
    if rig.joints.keys() != wanted:
        odd = sorted(rig.joints.keys() ^ wanted)
        raise InputError(
            f"{name}: [joints] must name exactly {', '.join(sorted(wanted))}; see {', '.join(odd)}"
        )
    return rig


def choose_rig(path: Path, positions: dict[str, Floats]) -> Rig:
    """The shipped rig whose joints the file has.

    Raises:
        InputError: if there is none, naming the joints that the nearest one misses.
    """
    rigs = shipped_rigs()
    lacking = {rig.name: [name for name in rig.needed() if name not in positions] for rig in rigs}
    nearest = min(rigs, key=lambda rig: len(lacking[rig.name]))
    if not lacking[nearest.name]:
        return nearest
    raise InputError(
        f"{path}: its joints fit no known rig; '{nearest.name}' comes nearest and misses {', '.join(lacking[nearest.name][:4])}:"
        " describe the rig in a TOML and pass it with --rig (docs/data.md)"
    )


def resample(values: Floats, fps: float, target_fps: float) -> Floats:
    """Linear interpolation along the first axis to another rate: (T, ...) → (T′, ...)."""
    if abs(fps - target_fps) < 0.01 * target_fps:
        return values
    last = len(values) - 1
    at = np.arange(int(last * target_fps / fps + 1e-6) + 1) * fps / target_fps
    low = np.minimum(at.astype(int), max(last - 1, 0))
    share = (at - low).reshape(-1, *(1,) * (values.ndim - 1))
    mixed: Floats = (1 - share) * values[low] + share * values[np.minimum(low + 1, last)]
    return mixed


def load_folder(path: Path, rig: Path | None = None, fps: float = 30.0) -> list[tuple[str, Tensor]]:
    """Every BVH file of a folder, or one file: (name, poses (T, 17, 3) float32, mm, y up),
    resampled to `fps`.

    Raises:
        InputError: for the first file that cannot be used, with the reason; for a folder without
            BVH files.
    """
    files = (
        [path]
        if path.is_file()
        else sorted(file for file in path.rglob("*") if file.suffix.lower() == ".bvh")
    )
    if not files:
        raise InputError(f"no BVH file at {path}")
    chosen = read_rig(rig) if rig is not None else None
    motions = []
    for file in files:
        bvh = read_bvh(file)
        positions = bvh.positions()
        poses = (chosen or choose_rig(file, positions)).poses(file, positions)
        motions.append(
            (file.stem, torch.from_numpy(resample(poses, bvh.fps, fps).astype(np.float32)))
        )
    return motions
