"""GLB: people as skinned skeletons that move, for browsers, game engines and Blender."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.skeleton import side_of
from unihpe.body.turns import quaternions
from unihpe.export.motion import Motion
from unihpe.export.rig import Rig, rig_of
from unihpe.io.extra import extra
from unihpe.io.files import replacing

METRE = 1e-3  # in mm
FLOAT, SHORT = 5126, 5123  # glTF's names of numbers
CORNERS = 34962  # and of what vertices read
THICK = 0.1  # a bone's half width, in lengths of it, and where it is widest
PEOPLE = ((0.15, 0.39, 0.92), (0.93, 0.55, 0.15), (0.25, 0.56, 0.32), (0.6, 0.3, 0.7))
SIDES = {"left": 1.0, "right": 0.55, "centre": 0.8}  # how light bones are
Array = np.ndarray[Any, np.dtype[Any]]


def write_glb(path: Path, people: Sequence[Motion]) -> None:
    """Write everybody of a clip or picture: metres, y up, in glTF's axes; names are the people's.

    Bones turn as in BVH, and each frame has its own time. Who is away is scaled to nothing. There
    is no animation of a single frame.
    """
    glb = _Glb(extra("pygltflib", "export", "GLB files need pygltflib"))
    for n, motion in enumerate(people):
        glb.add_person(motion, PEOPLE[n % len(PEOPLE)])
    with replacing(path) as temporary:
        temporary.write_bytes(glb.content())


@dataclass
class _Glb:
    """A file in the making: tables of glTF, and the bytes that they point into."""

    gltf: Any  # pygltflib
    data: bytearray = field(default_factory=bytearray)
    tables: dict[str, list[Any]] = field(default_factory=dict)
    roots: list[int] = field(default_factory=list)
    channels: list[Any] = field(default_factory=list)
    samplers: list[Any] = field(default_factory=list)

    def add(self, table: str, kind: str, **fields: Any) -> int:
        """A row of a table of glTF, and its number."""
        rows = self.tables.setdefault(table, [])
        rows.append(getattr(self.gltf, kind)(**fields))
        return len(rows) - 1

    def numbers(
        self, values: Any, kind: str, component: int = FLOAT, target: int | None = None
    ) -> int:
        """An accessor of values (N,) or (N, C)."""
        array = np.ascontiguousarray(values, "<f4" if component == FLOAT else "<u2")
        self.data.extend(b"\0" * (-len(self.data) % 4))
        view = self.add(
            "bufferViews",
            "BufferView",
            buffer=0,
            byteOffset=len(self.data),
            byteLength=array.nbytes,
            target=target,
        )
        self.data.extend(array.tobytes())
        rows = array.reshape(len(array), -1)
        return self.add(
            "accessors",
            "Accessor",
            bufferView=view,
            componentType=component,
            count=len(array),
            type=kind,
            min=rows.min(0).tolist(),
            max=rows.max(0).tolist(),
        )

    def animate(self, node: int, path: str, times: int, values: int, way: str = "LINEAR") -> None:
        lib = self.gltf
        self.samplers.append(lib.AnimationSampler(input=times, output=values, interpolation=way))
        target = lib.AnimationChannelTarget(node=node, path=path)
        self.channels.append(lib.AnimationChannel(sampler=len(self.samplers) - 1, target=target))

    def add_person(self, motion: Motion, colour: tuple[float, float, float]) -> None:
        if not bool(motion.there.any()):
            return
        rig = rig_of(motion.held(), motion.skeleton)
        turns, moves = quaternions(rig.turns).numpy(), rig.moves.numpy() * METRE
        first = len(self.tables.get("nodes", []))
        for n, name in enumerate(rig.names):
            below = [first + k for k, parent in enumerate(rig.parents) if parent == n]
            pose = {"rotation": turns[0, n].tolist(), "translation": moves[0, n].tolist()}
            self.add("nodes", "Node", name=name, children=below, **pose)
        holder = self.add("nodes", "Node", name=f"person {motion.person}", children=[first])
        self.roots += [holder, self._body(rig, first, holder, colour, motion.person)]
        if len(motion.time) > 1:
            times = self.numbers(motion.time.numpy() - float(motion.time[0]), "SCALAR")
            for n, varies in enumerate(rig.varies):
                self.animate(first + n, "rotation", times, self.numbers(turns[:, n], "VEC4"))
                if varies:
                    self.animate(first + n, "translation", times, self.numbers(moves[:, n], "VEC3"))
            self._hide(motion, holder)

    def _hide(self, motion: Motion, holder: int) -> None:
        """Scale a person to nothing while they are away."""
        there = motion.there.numpy()
        if there.all():
            return
        changes = np.flatnonzero(np.diff(there, prepend=not there[0]))
        times = self.numbers((motion.time.numpy() - float(motion.time[0]))[changes], "SCALAR")
        scales = np.repeat(there[changes].astype(float)[:, None], 3, 1)
        self.animate(holder, "scale", times, self.numbers(scales, "VEC3"), "STEP")

    def _body(
        self, rig: Rig, first: int, holder: int, colour: tuple[float, float, float], name: str
    ) -> int:
        """The node of a mesh of bones that hangs on the skeleton."""
        rest = _rest(rig)
        inverse = np.tile(np.eye(4), (len(rest), 1, 1))
        inverse[:, 3, :3] = -rest  # columns first, as glTF has them
        skin = self.add(
            "skins",
            "Skin",
            inverseBindMatrices=self.numbers(inverse.reshape(-1, 16), "MAT4"),
            joints=list(range(first, first + len(rest))),
            skeleton=holder,
        )
        places, normals, nodes, light = _bones(rig, rest)
        own, all_of_it = np.pad(nodes[:, None], ((0, 0), (0, 3))), [1.0, 0, 0, 0]

        def corners(values: Array, kind: str, component: int = FLOAT) -> int:
            return self.numbers(values, kind, component, CORNERS)

        shown = self.gltf.Attributes(
            POSITION=corners(places, "VEC3"),
            NORMAL=corners(normals, "VEC3"),
            JOINTS_0=corners(own, "VEC4", SHORT),
            WEIGHTS_0=corners(np.tile(all_of_it, (len(nodes), 1)), "VEC4"),
            COLOR_0=corners(np.repeat(light[:, None], 3, 1), "VEC3"),
        )
        paint = self.gltf.PbrMetallicRoughness(
            baseColorFactor=[*colour, 1.0], metallicFactor=0.0, roughnessFactor=0.7
        )
        material = self.add("materials", "Material", name=name, pbrMetallicRoughness=paint)
        part = self.gltf.Primitive(attributes=shown, material=material)
        mesh = self.add("meshes", "Mesh", name=f"bones {name}", primitives=[part])
        return self.add("nodes", "Node", name=f"bones {name}", mesh=mesh, skin=skin)

    def content(self) -> bytes:
        lib = self.gltf
        file = lib.GLTF2(
            asset=lib.Asset(version="2.0", generator="unihpe"),
            scene=0,
            scenes=[lib.Scene(nodes=self.roots)],
            buffers=[lib.Buffer(byteLength=len(self.data))],
            **self.tables,
        )
        if self.channels:
            moved = lib.Animation(name="motion", channels=self.channels, samplers=self.samplers)
            file.animations = [moved]
        file.set_binary_blob(bytes(self.data))
        return b"".join(file.save_to_bytes())


def _rest(rig: Rig) -> Array:
    """Places of nodes in the rest pose, (K, 3), metres."""
    places = torch.zeros_like(rig.offsets)
    for n, parent in enumerate(rig.parents):
        places[n] = rig.offsets[n] + (places[parent] if parent >= 0 else 0)
    return np.asarray(places.numpy() * METRE)


def _bones(rig: Rig, rest: Array) -> tuple[Array, Array, Array, Array]:
    """A spindle for each bone: corners (V, 3), normals (V, 3), nodes that move them (V,), and how
    light they are (V,)."""
    ends = rig.ends.numpy() * METRE
    bones = [(rest[p], rest[n], p, rig.names[n]) for n, p in enumerate(rig.parents) if p >= 0]
    bones += [(rest[n], rest[n] + ends[n], n, rig.names[n]) for n in range(len(rest))]
    solid = [bone for bone in bones if np.linalg.norm(bone[1] - bone[0]) > METRE]
    corners = np.concatenate([_spindle(start, end) for start, end, _, _ in solid])
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = across / np.linalg.norm(across, axis=1, keepdims=True)
    each = len(corners) // len(solid) * 3
    nodes = np.repeat([node for _, _, node, _ in solid], each)
    light = np.repeat([SIDES[side_of(name)] for _, _, _, name in solid], each)
    return corners.reshape(-1, 3), np.repeat(normals, 3, 0), nodes, light


def _spindle(start: Array, end: Array) -> Array:
    """An octahedron from one place to another, as triangles (8, 3, 3), seen from outside."""
    along = end - start
    guide = np.eye(3)[np.abs(along).argmin()]
    side = np.cross(along, guide)
    side *= THICK * np.linalg.norm(along) / np.linalg.norm(side)
    other = np.cross(along, side) / np.linalg.norm(along)
    middle = start + 2 * THICK * along
    ring = [middle + side, middle + other, middle - side, middle - other]
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    return np.array([(b, a, start) for a, b in pairs] + [(a, b, end) for a, b in pairs])
