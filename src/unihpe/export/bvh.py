"""BVH: a skeleton and its turns over time, of animation programs."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.turns import euler_zxy
from unihpe.export.motion import Motion
from unihpe.export.rig import Rig, rig_of
from unihpe.io.files import write_text

METRE = 1e-3  # in mm: Blender takes a unit for a metre
MOVES = "Xposition Yposition Zposition"
TURNS = "Zrotation Xrotation Yrotation"


def write_bvh(path: Path, motion: Motion) -> None:
    """Write one person: metres, y up, facing z in the rest pose, at an even rate.

    BVH has no gaps: who is away keeps the pose they had. A bone whose length varies has channels
    for its place, too.
    """
    even = motion.evenly()
    rig = rig_of(even.held(), even.skeleton)
    lines = ["HIERARCHY", *_hierarchy(rig, 0, 0), "MOTION"]
    lines += [f"Frames: {len(even.time)}", f"Frame Time: {1 / even.rate:.9f}"]
    rows = _channels(rig).tolist()
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def _hierarchy(rig: Rig, node: int, depth: int) -> Iterable[str]:
    """The lines of a node and all that hangs on it."""
    tab = "\t" * depth
    yield f"{tab}{'JOINT' if depth else 'ROOT'} {rig.names[node]}"
    yield f"{tab}{{"
    yield f"{tab}\tOFFSET {_numbers(rig.offsets[node])}"
    channels = f"6 {MOVES} {TURNS}" if rig.varies[node] else f"3 {TURNS}"
    yield f"{tab}\tCHANNELS {channels}"
    children = [n for n, parent in enumerate(rig.parents) if parent == node]
    for child in children:
        yield from _hierarchy(rig, child, depth + 1)
    if not children:
        yield f"{tab}\tEnd Site"
        yield f"{tab}\t{{"
        yield f"{tab}\t\tOFFSET {_numbers(rig.ends[node])}"
        yield f"{tab}\t}}"
    yield f"{tab}}}"


def _channels(rig: Rig) -> Tensor:
    """Values (T, channels): metres, degrees; nodes are in the order of the hierarchy."""
    angles = torch.rad2deg(euler_zxy(rig.turns))
    columns = []
    for node, varies in enumerate(rig.varies):
        columns += [rig.moves[:, node] * METRE] if varies else []
        columns += [angles[:, node]]
    return torch.cat(columns, dim=1)


def _numbers(place: Tensor) -> str:
    return " ".join(f"{value * METRE:.7f}" for value in place.tolist())
