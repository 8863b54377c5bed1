"""A miniature of SMPL's model files and of the regressor to Human3.6M's joints, and 3DPW sequences
posed by it.

As in the released files: a Python 2 pickle whose shapedirs are a chumpy array and whose J_regressor
is a scipy csc matrix. The body is a cloud of ten vertices around each joint; skinning is done here
in loops, one vertex at a time.
"""

import sys
import types

import numpy as np
from miniatures import SMPL_JOINTS, dumps_python2, people, threedpw_sequence

PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
EACH = 10
COUNT = 24 * EACH
# Human3.6M's 17, left leg first, by the SMPL joint whose surface they are regressed from.
LEFT_FIRST = [0, 1, 4, 7, 2, 5, 8, 3, 12, 15, 15, 16, 18, 20, 17, 19, 21]
RIGHT_FIRST = [0, 2, 5, 8, 1, 4, 7, *LEFT_FIRST[7:]]


def model(seed):
    """v_template (V, 3), shapedirs (V, 3, 10), posedirs (V, 3, 207), J_regressor (24, V), weights
    (V, 24), y up, facing +z.
    """
    rng = np.random.default_rng(seed)
    rest = people(SMPL_JOINTS, 1)[0]
    rest = np.stack(
        [rest[:, 0], rest[:, 2], -rest[:, 1]], axis=1
    )  # z up, facing −y → y up, facing +z; left stays +x
    vertices = np.repeat(rest, EACH, axis=0) + rng.normal(0, 0.03, (COUNT, 3))
    regressor, weights = np.zeros((24, COUNT)), np.zeros((COUNT, 24))
    for v in range(COUNT):
        regressor[v // EACH, v] = 1 / EACH
        weights[v, v // EACH] = 0.8
        weights[v, max(PARENTS[v // EACH], 0)] += 0.2
    return {
        "v_template": vertices,
        "shapedirs": rng.normal(0, 0.004, (COUNT, 3, 10)),
        "posedirs": rng.normal(0, 0.002, (COUNT, 3, 207)),
        "J_regressor": regressor,
        "weights": weights,
    }


def rotation(axis_angle):
    """Rodrigues' formula for one joint."""
    angle = np.linalg.norm(axis_angle)
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = axis_angle / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def surface(body, pose, betas, place):
    """The vertices (V, 3) and joints (24, 3) of a posed body, metres, by SMPL's equations."""
    turns = [rotation(pose[3 * j : 3 * j + 3]) for j in range(24)]
    shaped = body["v_template"] + body["shapedirs"] @ betas[:10]
    joints = body["J_regressor"] @ shaped
    bent = shaped + body["posedirs"] @ np.concatenate(
        [(turn - np.eye(3)).ravel() for turn in turns[1:]]
    )
    world = []
    for j in range(24):
        local = np.eye(4)
        local[:3, :3] = turns[j]
        local[:3, 3] = joints[j] - (joints[PARENTS[j]] if j else 0)
        world.append(world[PARENTS[j]] @ local if j else local)
    out = np.zeros((COUNT, 3))
    for v in range(COUNT):
        for j in range(24):
            w = body["weights"][v, j]
            if w:
                out[v] += w * (world[j][:3, :3] @ (bent[v] - joints[j]) + world[j][:3, 3])
    return out + place, np.stack([one[:3, 3] for one in world]) + place


def h36m_regressor(order=LEFT_FIRST):
    """(17, V): the mean of the vertices about a joint."""
    regressor = np.zeros((17, COUNT))
    for row, joint in enumerate(order):
        regressor[row, joint * EACH : (joint + 1) * EACH] = 1 / EACH
    regressor[10, :] = 0
    regressor[10, 15 * EACH : 15 * EACH + 3] = 1 / 3
    return regressor


class Stub:
    """Stands for a chumpy array or a scipy matrix in the pickle."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state


def stub(module, name):
    """A class that pickles under another module's name."""
    made = type(name, (Stub,), {"__module__": module})
    sys.modules.setdefault(module, types.ModuleType(module))
    setattr(sys.modules[module], name, made)
    return made


def write_smpl(root, order=LEFT_FIRST, names=("SMPL_MALE.pkl", "SMPL_FEMALE.pkl")):
    """smpl/SMPL_{MALE,FEMALE}.pkl and J_regressor_h36m.npy."""
    folder = root / "smpl"
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {}
    for seed, name in enumerate(names):
        body = model(seed)
        bodies["mf"[seed]] = body
        rows, columns = np.nonzero(body["J_regressor"].T)  # csc: column after column
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=COUNT))]).astype(
            np.int32
        )
        matrix = {
            "data": body["J_regressor"].T[rows, columns],
            "indices": columns.astype(np.int32),
            "indptr": indptr,
            "_shape": (24, COUNT),
            "maxprint": 50,
            "format": "csc",
        }
        array = {"x": body["shapedirs"], "_dirty_vars": set(), "_itr": None, "_depends_on_deps": {}}
        kept = sys.modules.get("scipy.sparse.csc")
        content = {
            **{key: body[key] for key in ("v_template", "posedirs", "weights")},
            "shapedirs": stub("chumpy.ch", "Ch")(array),
            "J_regressor": stub("scipy.sparse.csc", "csc_matrix")(matrix),
            "J": np.zeros((24, 3)),
            "f": np.zeros((4, 3), dtype=np.uint32),
            "bs_style": "lbs",
            "bs_type": "lrotmin",
            "kintree_table": np.array(
                [[4294967295, *PARENTS[1:]], list(range(24))], dtype=np.int64
            ),
        }
        (folder / name).write_bytes(dumps_python2(content))
        for module, old in (("chumpy.ch", None), ("scipy.sparse.csc", kept)):
            sys.modules.pop(module, None)
            if old is not None:
                sys.modules[module] = old
    np.save(root / "J_regressor_h36m.npy", h36m_regressor(order))
    return bodies


# Root orientation that stands the model (y up) upright in the miniature worlds (z up), facing −y.
STANDING = np.array([np.pi / 2, 0, 0])


def posed_sequence(bodies, frames=6):
    """A sequence's dict with two people of different gender who bend their knees; and their joints
    (2, frames, 17, 3), m, camera axes.
    """
    content = threedpw_sequence(frames)
    rng = np.random.default_rng(5)
    content["genders"] = ["m", "f"]
    truth = np.zeros((2, frames, 17, 3))
    for person, gender in enumerate("mf"):
        pose = rng.normal(0, 0.05, (frames, 72))
        pose[:, :3] = STANDING + rng.normal(0, 0.02, (frames, 3))
        pose[:, [12, 15]] += 0.7  # knees
        pose[:, [3, 6]] -= 0.4
        betas = np.concatenate([rng.normal(0, 1, 10), np.full(290, 9.0)])  # only ten count
        place = np.array([0.8 * person, 0.3, 1.0]) + rng.normal(0, 0.05, (frames, 3))
        content["poses"][person], content["betas"][person], content["trans"][person] = (
            pose,
            betas,
            place,
        )
        for t in range(frames):
            vertices, joints = surface(bodies[gender], pose[t], betas, place[t])
            content["jointPositions"][person][t] = joints.ravel()
            seen = vertices @ content["cam_poses"][t, :3, :3].T + content["cam_poses"][t, :3, 3]
            truth[person, t] = h36m_regressor(RIGHT_FIRST) @ seen
    return content, truth


def write_posed_threedpw(root, bodies, split="test"):
    """sequenceFiles/<split>/downtown_walk_00.pkl, posed by the bodies; gives the joints."""
    folder = root / "sequenceFiles" / split
    folder.mkdir(parents=True, exist_ok=True)
    content, truth = posed_sequence(bodies)
    (folder / "downtown_walk_00.pkl").write_bytes(dumps_python2(content))
    return content, truth


def write_spin_threedpw(root, bodies):
    """SPIN's 3dpw_test.npz: imgname, center, scale, pose (root in camera axes), shape, gender; no
    joints.
    """
    content, truth = posed_sequence(bodies)
    rows = {"imgname": [], "center": [], "scale": [], "pose": [], "shape": [], "gender": []}
    joints = []
    for person, gender in enumerate("mf"):
        for t in range(len(content["cam_poses"])):
            pose = content["poses"][person][t].copy()
            turn = content["cam_poses"][t, :3, :3] @ rotation(pose[:3])
            angle = np.arccos((np.trace(turn) - 1) / 2)
            axis = np.array(
                [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
            )
            pose[:3] = axis / (2 * np.sin(angle)) * angle
            seen = truth[person, t] @ content["cam_intrinsics"].T
            pixels = seen[:, :2] / seen[:, 2:]
            low, high = pixels.min(0), pixels.max(0)
            values = (
                (low + high) / 2,
                1.2 * (high - low).max() / 200,
                pose,
                content["betas"][person][:10],
                gender,
            )
            for key, value in zip(
                rows, (f"imageFiles/downtown_walk_00/image_{t:05d}.jpg", *values), strict=True
            ):
                rows[key].append(value)
            joints.append(truth[person, t] - truth[person, t, :1])
    np.savez(root / "3dpw_test.npz", **{key: np.array(value) for key, value in rows.items()})
    return np.array(joints)
