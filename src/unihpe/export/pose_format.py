"""`.pose`: the binary files of the sign language tools around pose-format, version 0.2.

Little-endian: a head of components (joints, limbs, colours), and then float32 places of all frames,
people and points, and their confidence.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton, side_of
from unihpe.errors import InputError
from unihpe.export.motion import Motion
from unihpe.io.files import replacing

VERSION = 0.2
COLOURS = {"left": (37, 99, 235), "right": (209, 73, 91), "centre": (90, 90, 90)}
MOST = 65_535  # of what the head counts in 16 bits


def write_pose(path: Path, people: Sequence[Motion]) -> None:
    """Write everybody of a clip: two components, 2D in pixels and 3D in mm, y down.

    The 3D one is called as the joint set, with `_world`, as MediaPipe's is. Confidence is 0 where
    somebody is away or a joint is missing.
    """
    even = [motion.evenly() for motion in people]
    first = even[0]
    size = [int(-(-side // 1)) for side in first.size]
    if max(*size, len(even)) > MOST:
        raise InputError(f"{path.name}: .pose counts pixels and people up to {MOST:,}")
    head = struct.pack("<f3HH", VERSION, *size, 0, 2)
    for ending in ("", "_world"):
        head += _component(first.skeleton, first.skeleton.name + ending)
    places = torch.stack([_places(motion) for motion in even], 1)  # (T, P, 2 J, 3)
    sure = torch.stack([_confidence(motion) for motion in even], 1)  # (T, P, 2 J)
    places = torch.where(sure[..., None] > 0, places, 0.0)
    body = struct.pack("<fIH", first.rate, len(first.time), len(even))
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(head + body)
        for values in (places, sure):
            file.write(values.float().numpy().astype("<f4").tobytes())


def _places(motion: Motion) -> Tensor:
    flat = torch.nn.functional.pad(motion.keypoints.double(), (0, 1))
    return torch.cat([flat, motion.places], 1)


def _confidence(motion: Motion) -> Tensor:
    known = motion.keypoints.isfinite().all(-1)
    flat = torch.where(known, motion.confidence.double(), 0.0)
    return torch.cat([flat, motion.places.isfinite().all(-1).double()], 1)


def _component(skeleton: Skeleton, name: str) -> bytes:
    limbs = [(a, b, COLOURS[side_of(skeleton.joints[b])]) for a, b in skeleton.bones]
    counts = struct.pack("<3H", len(skeleton), len(limbs), len(limbs))
    parts = [_text(name), _text("XYZC"), counts, *map(_text, skeleton.joints)]
    parts += [struct.pack("<2H", a, b) for a, b, _ in limbs]
    parts += [struct.pack("<3H", *colour) for _, _, colour in limbs]
    return b"".join(parts)


def _text(text: str) -> bytes:
    written = text.encode()
    return struct.pack("<H", len(written)) + written
