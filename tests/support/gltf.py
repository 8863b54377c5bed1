"""A small reader of GLB, written from glTF's specification: nodes, skins and animations."""

import json
import struct

import numpy as np

SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TYPES = {5126: np.dtype("<f4"), 5123: np.dtype("<u2")}


class Glb:
    """What a file holds; nodes move to a time in seconds."""

    def __init__(self, path):
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.json = json.loads(content[20 : 20 + size])
        binary, kind = struct.unpack_from("<I4s", content, 20 + size)
        assert kind == b"BIN\0" and 28 + size + binary == length
        self.binary = content[28 + size :]

    def accessor(self, number):
        row = self.json["accessors"][number]
        view = self.json["bufferViews"][row["bufferView"]]
        start, dtype = view.get("byteOffset", 0), TYPES[row["componentType"]]
        assert start % dtype.itemsize == 0
        count = row["count"] * SIZES[row["type"]]
        assert count * dtype.itemsize <= view["byteLength"]
        values = np.frombuffer(self.binary, dtype, count, start).reshape(row["count"], -1)
        np.testing.assert_allclose(values.min(0), row["min"], atol=1e-6)
        np.testing.assert_allclose(values.max(0), row["max"], atol=1e-6)
        return values.astype(float)

    def moved(self, time):
        """(node, path) → value at a time."""
        found = {}
        for animation in self.json.get("animations", []):
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                times = self.accessor(sampler["input"])[:, 0]
                values = self.accessor(sampler["output"])
                n = max(int(np.searchsorted(times, time + 1e-6)) - 1, 0)
                value = values[n]
                if sampler["interpolation"] == "LINEAR" and n + 1 < len(times) and time > times[n]:
                    share = (time - times[n]) / (times[n + 1] - times[n])
                    value = (1 - share) * value + share * values[n + 1]
                found[channel["target"]["node"], channel["target"]["path"]] = value
        return found

    def matrices(self, time=0.0):
        """Each node in the world, (4, 4) by number."""
        moved, found, nodes = self.moved(time), {}, self.json["nodes"]

        def visit(n, above):
            node = nodes[n]
            local = np.eye(4)
            move = moved.get((n, "translation"), node.get("translation", (0, 0, 0)))
            x, y, z, w = moved.get((n, "rotation"), node.get("rotation", (0, 0, 0, 1)))
            scale = moved.get((n, "scale"), node.get("scale", (1, 1, 1)))
            local[:3, :3] = np.array(
                [
                    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
                ]
            ) * np.asarray(scale)
            local[:3, 3] = move
            found[n] = above @ local
            for child in node.get("children", []):
                visit(child, found[n])

        for root in self.json["scenes"][self.json["scene"]]["nodes"]:
            visit(root, np.eye(4))
        return found

    def below(self, n):
        """A node and all that hang on it."""
        own = [n]
        for child in self.json["nodes"][n].get("children", []):
            own += self.below(child)
        return own

    def places(self, person, time=0.0):
        """The world's places of a person's nodes by name, (3,)."""
        names = [node.get("name") for node in self.json["nodes"]]
        matrices = self.matrices(time)
        own = self.below(names.index(f"person {person}"))
        return {names[n]: matrices[n][:3, 3] for n in own}

    def corners(self, mesh_node, time=0.0):
        """The corners of a skinned mesh in the world, (V, 3)."""
        node = self.json["nodes"][mesh_node]
        skin = self.json["skins"][node["skin"]]
        inverse = self.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        matrices = self.matrices(time)
        joints = np.stack([matrices[n] @ inverse[k] for k, n in enumerate(skin["joints"])])
        part = self.json["meshes"][node["mesh"]]["primitives"][0]["attributes"]
        own, weights = (self.accessor(part[name]) for name in ("JOINTS_0", "WEIGHTS_0"))
        rest = np.pad(self.accessor(part["POSITION"]), ((0, 0), (0, 1)), constant_values=1)
        blend = (joints[own.astype(int)] * weights[..., None, None]).sum(1)
        return (blend @ rest[..., None])[:, :3, 0]
