"""BVH motion capture: hierarchy, channels, forward kinematics, and rigs that name its joints.

A *rig* is a small TOML that says which joints of a file are which of ours, the file's unit and its
up axis; known rigs ship in `rigs/`, another is given by path. The trunk and head follow one rule
for all rigs, so that they mean the same everywhere.
"""

import re
import tomllib
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, field_validator
from torch import Tensor

from unihpe.body.camera import axis_rotation
from unihpe.body.skeleton import HEAD_UP, NOSE_FORWARD, NOSE_UP, THORAX_UP, get_skeleton
from unihpe.errors import InputError, one_line
from unihpe.io.files import in_order, input_errors
from unihpe.settings import Settings, parse

Floats = NDArray[np.float64]
SIDED = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
LIMBS = {f"{side}_{joint}" for side in ("left", "right") for joint in SIDED}
FARTHEST = 1e4  # mm that a joint may lie from the pelvis
MOST_FRAMES = 10**8  # of a file: what is more is no number of frames
REMEDY = "describe the rig in a TOML and pass it with --rig (docs/data.md)"
CHANNEL = re.compile("[xyz](position|rotation)", re.IGNORECASE)
TIMES = re.compile(r"\s*Frames:\s*(\d+)\s+Frame\s+Time:\s*(\S+)")


@dataclass(frozen=True)
class _Joint:
    name: str
    parent: int  # −1 for a root
    offset: Floats  # its place in the parent, (3,), file units
    first_channel: int  # where its channels begin in a row
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class _BVH:
    joints: tuple[_Joint, ...]  # in the file's order; an end site is called `<joint>_end`
    rows: Floats  # channel values, (T, channels)
    fps: float

    def positions(self) -> dict[str, Floats]:
        """World positions of every joint and end site, (T, 3) each, file units."""
        frames, rotations, places = len(self.rows), list[Floats](), list[Floats]()
        for joint in self.joints:
            local = np.broadcast_to(np.eye(3), (frames, 3, 3))
            shift = np.broadcast_to(joint.offset, (frames, 3)).copy()
            for k, channel in enumerate(joint.channels, joint.first_channel):
                axis = "xyz".index(channel[0].lower())
                if channel.lower().endswith("position"):
                    shift[:, axis] = self.rows[:, k]  # in place of the offset, whatever the joint
                else:
                    angle = torch.from_numpy(np.radians(self.rows[:, k]))
                    local = local @ axis_rotation(axis, angle).numpy()
            if joint.parent >= 0:
                above = rotations[joint.parent]
                shift = places[joint.parent] + (above @ shift[..., None])[..., 0]
                local = above @ local
            rotations.append(local)
            places.append(shift)
        return {joint.name: place for joint, place in zip(self.joints, places, strict=True)}


def _read_bvh(path: Path) -> _BVH:
    """Read a BVH file; tolerant of tabs, blank lines, line ends and channel orders."""
    with input_errors(f"{path}: not a readable BVH text file", kinds=(OSError, UnicodeError)):
        head, marker, motion = path.read_text(encoding="utf-8-sig").partition("MOTION")
    tokens = head.split()
    try:
        if tokens[:1] != ["HIERARCHY"]:
            raise ValueError("not a BVH file (it does not begin with HIERARCHY)")
        if not marker:
            raise ValueError("cut short, no MOTION part; copy it again")
        joints = _parse_hierarchy(tokens[1:])
        return _BVH(joints, *_parse_motion(motion, sum(len(joint.channels) for joint in joints)))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _parse_hierarchy(tokens: list[str]) -> tuple[_Joint, ...]:
    """The joints, from the tokens between HIERARCHY and MOTION."""
    joints, above = list[_Joint](), list[int]()
    name, columns, words = "", 0, iter(tokens)
    try:
        for word in words:
            if word in ("ROOT", "JOINT", "End"):
                name = next(words)
                name = f"{joints[above[-1]].name}_end" if word == "End" else name
                if (next(words), next(words)) != ("{", "OFFSET"):
                    raise ValueError("'{ OFFSET' expected")
                offset = np.array([float(next(words)) for _ in range(3)])
                if not np.isfinite(offset).all():
                    raise ValueError("an offset that is not finite")
                joints.append(_Joint(name, above[-1] if above else -1, offset, columns))
                above.append(len(joints) - 1)
            elif word == "CHANNELS":
                channels = tuple([next(words) for _ in range(int(next(words)))])
                if unknown := [channel for channel in channels if not CHANNEL.fullmatch(channel)]:
                    raise ValueError(f"no channel is called {one_line(unknown[0], 40)}")
                if joints[above[-1]].channels:
                    raise ValueError("it has two lists of channels")
                given = {"channels": channels, "first_channel": columns}
                joints[above[-1]] = replace(joints[above[-1]], **given)  # type: ignore[arg-type]
                columns += len(channels)
            elif word == "}":
                above.pop()
            else:
                raise ValueError(f"unexpected '{one_line(word, 40)}'")
    except (ValueError, IndexError, StopIteration) as error:
        where, reason = one_line(name, 40), one_line(str(error) or "it ends there", 80)
        raise ValueError(f"damaged hierarchy near '{where}' ({reason}); copy it again") from error
    if above or not joints:
        raise ValueError("cut short inside the hierarchy; copy it again")
    return tuple(joints)


def _parse_motion(text: str, channels: int) -> tuple[Floats, float]:
    """Channel values (T, channels) and frames per second, from the text after MOTION."""
    times = TIMES.match(text)
    if times is None:
        raise ValueError("cut short, no 'Frames' and 'Frame Time' after MOTION; copy it again")
    try:
        frames, frame_time = int(times[1]), float(times[2])
        values = np.array(text[times.end() :].split(), dtype=np.float64)
    except ValueError as error:
        why = one_line(error, 80)
        raise ValueError(f"the frame time or a value is not a number ({why})") from error
    if not 1 <= frames <= MOST_FRAMES or not 0 < frame_time < 10:
        raise ValueError(
            f"{one_line(frames, 20)} frames of {frame_time} s; both must be above 0, and sane"
        )
    if values.size != frames * channels:
        needed = f"{frames} frames of {channels} channels need {frames * channels}"
        raise ValueError(f"{values.size} motion values where {needed}; copy it again")
    rows = values.reshape(frames, channels)
    if not (finite := np.isfinite(rows).all(1)).all():
        raise ValueError(f"frame {finite.argmin()} holds a value that is not finite; cut it out")
    return rows, 1 / frame_time


# Of a file's joints; means their mean.
Names = Annotated[list[str], BeforeValidator(lambda n: [n] if isinstance(n, str) else n)]


class _Rig(Settings):
    name: str
    unit_mm: float  # millimetres in one unit of the file
    up: Literal["y", "z"] = "y"  # the file's axis that points to the sky
    skip: int = 0  # frames at the start that are no motion (a calibration pose)
    pelvis: Names
    head: tuple[Names, Names]  # the head's direction: from one to the other
    joints: dict[str, Names]  # ours (left_hip … right_wrist) → the file's

    @field_validator("joints")
    @classmethod
    def check_joints(cls, joints: dict[str, Any]) -> dict[str, Any]:
        if odd := sorted(joints.keys() ^ LIMBS):
            raise ValueError(f"must name exactly {', '.join(sorted(LIMBS))}; see {', '.join(odd)}")
        return joints

    def missing(self, positions: Container[str]) -> list[str]:
        """The joints that the rig asks a file for and that it lacks, sorted."""
        asked = [self.pelvis, *self.head, *self.joints.values()]
        return sorted({name for names in asked for name in names if name not in positions})

    def poses(self, path: Path, positions: dict[str, Floats]) -> Floats:
        """The 17 joints of Human3.6M, (T, 17, 3), mm, y up, from positions (T, 3) each."""
        asks = f"{path}: rig '{self.name}'"
        if missing := ", ".join(self.missing(positions)):
            raise InputError(f"{asks} needs the joints {missing}; give a rig that names them")
        frames = len(next(iter(positions.values())))
        if frames <= self.skip:
            raise InputError(f"{asks} skips its first {self.skip} frames, and it has {frames}")

        def place(names: list[str]) -> Floats:
            places = np.stack([positions[name][self.skip :] for name in names])
            if self.up == "z":
                places = places[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
            return np.asarray((places * self.unit_mm).mean(axis=0))

        joints = {ours: place(theirs) for ours, theirs in self.joints.items()}
        joints["pelvis"] = place(self.pelvis)
        if not np.ptp(np.stack(list(joints.values())), axis=0).any(-1).all():
            raise InputError(f"{path}: all joints lie on one spot; its offsets must give a body")
        with np.errstate(all="ignore"):  # no direction, or too far away: looked for below
            joints |= _trunk_and_head(joints, place(self.head[1]) - place(self.head[0]))
            poses = np.stack([joints[joint] for joint in get_skeleton("human36m17").joints], axis=1)
            finite = np.isfinite(poses.astype(np.float32)).all((1, 2))  # as they are kept
        if not finite.all():
            head = " and ".join("+".join(names) for names in self.head)
            bad = f"frame {self.skip + int(finite.argmin())} gives no finite pose"
            apart = "the head's direction, must lie apart and not along the shoulders"
            raise InputError(f"{path}: {bad}: {head}, {apart}; {REMEDY}")
        apart = np.abs(poses - joints["pelvis"][:, None]).max((1, 2))
        if (apart > FARTHEST).any():
            bad = f"frame {self.skip + int((apart > FARTHEST).argmax())}"
            far = f"a joint lies over {FARTHEST / 1000:g} m from its pelvis"
            raise InputError(f"{path}: {bad}: {far}; correct unit_mm of the rig, or the file")
        return poses


def _trunk_and_head(joints: dict[str, Floats], direction: Floats) -> dict[str, Floats]:
    """Thorax, spine, head and nose: from shoulders, pelvis and the head's direction (T, 3)."""
    shoulders = 0.5 * (joints["left_shoulder"] + joints["right_shoulder"])
    torso = shoulders - joints["pelvis"]
    length = np.linalg.norm(torso, axis=1, keepdims=True)
    up = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    forward = np.cross(joints["left_shoulder"] - joints["right_shoulder"], up)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    thorax = shoulders + THORAX_UP * torso
    return {
        "thorax": thorax,
        "spine": 0.5 * (thorax + joints["pelvis"]),
        "head": shoulders + HEAD_UP * length * up,
        "nose": shoulders + length * (NOSE_UP * up + NOSE_FORWARD * forward),
    }


def _shipped_rigs() -> list[_Rig]:
    return [_read_rig(file) for file in in_order(Path(__file__).with_name("rigs").iterdir())]


def _read_rig(path: Path) -> _Rig:
    with input_errors(f"{path}: not a readable rig", "see docs/data.md", (OSError, ValueError)):
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    return parse(_Rig, fields, str(path))


def _choose_rig(path: Path, positions: dict[str, Floats]) -> _Rig:
    """The shipped rig whose joints the file has; an InputError says what the nearest one misses."""
    nearest = min(_shipped_rigs(), key=lambda rig: len(rig.missing(positions)))
    if missing := nearest.missing(positions):
        misses = f"'{nearest.name}' comes nearest and misses {', '.join(missing[:4])}"
        raise InputError(f"{path}: its joints fit no known rig; {misses}: {REMEDY}")
    return nearest


def _resample(values: Floats, fps: float, target_fps: float) -> Floats:
    """Linear interpolation along the first axis to another rate: (T, ...) → (T′, ...)."""
    if abs(fps - target_fps) < 0.01 * target_fps:
        return values
    last = len(values) - 1
    at = np.arange(int(last * target_fps / fps + 1e-6) + 1) * fps / target_fps
    low = np.minimum(at.astype(int), max(last - 1, 0))
    share = (at - low).reshape(-1, *(1,) * (values.ndim - 1))
    return np.asarray((1 - share) * values[low] + share * values[np.minimum(low + 1, last)])


def load_folder(path: Path, rig: Path | None = None, fps: float = 30.0) -> list[tuple[str, Tensor]]:
    """Every BVH file of a folder, or one file, at `fps`: name and poses (T, 17, 3), mm, y up."""
    found = [path] if path.is_file() else path.rglob("*.[bB][vV][hH]")
    if not (files := in_order(found)):
        raise InputError(f"no BVH file at {path}")
    chosen = None if rig is None else _read_rig(rig)
    motions = list[tuple[str, Tensor]]()
    for file in files:
        bvh = _read_bvh(file)
        positions = bvh.positions()
        poses = (chosen or _choose_rig(file, positions)).poses(file, positions)
        resampled = _resample(poses, bvh.fps, fps).astype(np.float32)
        motions.append((file.stem, torch.from_numpy(resampled)))
    return motions
