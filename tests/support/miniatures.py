"""Miniature data sets in each set's true layout, written from the layouts' description and not with
the readers' code.

People are stick figures that walk with bent knees; world axes are z up. Everything here is numpy
and loops.
"""

import io
import pickle
from typing import ClassVar

import numpy as np

# Rest pose, metres, z up, facing −y: a person's left is +x.
REST = {
    "pelvis": (0, 0, 0.95),
    "right_hip": (-0.13, 0, 0.94),
    "right_knee": (-0.13, -0.06, 0.50),
    "right_ankle": (-0.13, 0.02, 0.08),
    "left_hip": (0.13, 0, 0.94),
    "left_knee": (0.13, -0.06, 0.50),
    "left_ankle": (0.13, 0.02, 0.08),
    "spine": (0, 0, 1.20),
    "thorax": (0, 0, 1.45),
    "nose": (0, -0.08, 1.55),
    "head": (0, -0.02, 1.66),
    "left_shoulder": (0.17, 0, 1.42),
    "left_elbow": (0.22, 0.04, 1.14),
    "left_wrist": (0.23, -0.05, 0.90),
    "right_shoulder": (-0.17, 0, 1.42),
    "right_elbow": (-0.22, 0.04, 1.14),
    "right_wrist": (-0.23, -0.05, 0.90),
    "left_foot": (0.13, -0.06, 0.04),
    "right_foot": (-0.13, -0.06, 0.04),
    "left_toe": (0.13, -0.14, 0.02),
    "right_toe": (-0.13, -0.14, 0.02),
    "left_hand": (0.23, -0.08, 0.82),
    "right_hand": (-0.23, -0.08, 0.82),
    "neck": (0, 0, 1.48),
    "head_top": (0, -0.02, 1.72),
}
SWINGING = ("knee", "ankle", "elbow", "wrist", "foot", "toe", "hand")


def people(names, frames, seed=0, place=(0.0, 0.0, 0.0)):
    """A walking figure, (frames, joints, 3), metres, z up; unknown names lie at the thorax."""
    rng = np.random.default_rng(seed)
    out = np.zeros((frames, len(names), 3))
    for t in range(frames):
        angle = 0.3 * t + seed
        for j, name in enumerate(names):
            x, y, z = REST.get(name, REST["thorax"])
            if name.endswith(SWINGING):
                sign = 1 if name.startswith("left") else -1
                sign = -sign if name.endswith(("elbow", "wrist", "hand")) else sign
                y += (
                    sign * 0.12 * np.sin(angle) * (0.5 if name.endswith(("knee", "elbow")) else 1.0)
                )
            turn = 0.1 * t + seed
            out[t, j] = [
                np.cos(turn) * x - np.sin(turn) * y,
                np.sin(turn) * x + np.cos(turn) * y,
                z,
            ]
    return out + np.asarray(place) + rng.normal(0, 0.002, out.shape)


def turned(q, v):
    """v turned by the quaternion q = (w, x, y, z)."""
    q = np.asarray(q, dtype=float) / np.linalg.norm(q)
    w, u = q[0], q[1:]
    return v + 2 * np.cross(u, np.cross(u, v) + w * v)


def to_camera(world, place):
    """World points (..., 3) in mm to camera axes, for (w, x, y, z, tx, ty, tz)."""
    conjugate = np.array([place[0], -place[1], -place[2], -place[3]])
    flat = world.reshape(-1, 3) - np.asarray(place[4:])
    return np.stack([turned(conjugate, point) for point in flat]).reshape(world.shape)


# ---- Human3.6M
# --------------------------------------------------------------------------------------------------

# The names of the 17 by their place among the raw 32; others repeat a joint or end a bone.
RAW_COLUMNS = {
    0: "pelvis",
    1: "right_hip",
    2: "right_knee",
    3: "right_ankle",
    6: "left_hip",
    7: "left_knee",
    8: "left_ankle",
    12: "spine",
    13: "thorax",
    14: "nose",
    15: "head",
    17: "left_shoulder",
    18: "left_elbow",
    19: "left_wrist",
    25: "right_shoulder",
    26: "right_elbow",
    27: "right_wrist",
}
H36M_KEPT = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
H36M_CAMERAS = ["54138969", "55011271", "58860488", "60457274"]
H36M_LENSES = [
    [
        1000,
        1002,
        1145.049438,
        1143.781128,
        512.5415039,
        515.4514771,
        -0.207098916173,
        0.247775182128,
        -0.00307515030727,
        -0.000975698872935,
        -0.00142447161488,
    ],
    [
        1000,
        1000,
        1149.675659,
        1147.591675,
        508.8486328,
        508.0649109,
        -0.194213628769,
        0.240408539772,
        0.00681997556239,
        -0.00161902664695,
        -0.00274089444429,
    ],
    [
        1000,
        1000,
        1149.140747,
        1148.79895,
        519.8158569,
        501.4026489,
        -0.208338186145,
        0.255488008261,
        -0.00246049743146,
        0.00148438697215,
        -0.000759999325965,
    ],
    [
        1000,
        1002,
        1145.511353,
        1144.773926,
        514.9682007,
        501.882019,
        -0.198384091258,
        0.218323677778,
        -0.00894780736417,
        -0.000587205577176,
        -0.0018133620033,
    ],
]  # width, height, fx, fy, cx, cy, k1, k2, k3, p_x, p_y
H36M_PLACES = {
    "S1": [
        [
            0.140705645084,
            -0.150070175529,
            -0.755240797997,
            0.622328042984,
            1841.10705566,
            4955.28466797,
            1563.44543457,
        ],
        [
            0.615718781948,
            -0.76483631134,
            -0.148338258266,
            0.117947407067,
            1761.27856445,
            -5078.00683594,
            1606.26501465,
        ],
        [
            0.146514728665,
            -0.146478518844,
            0.765302360058,
            -0.609417557716,
            -1846.77770996,
            5215.04638672,
            1491.97241211,
        ],
        [
            0.583400845528,
            -0.785316228867,
            0.145488232374,
            -0.147495940328,
            -1794.78967285,
            -3722.69897461,
            1574.8927002,
        ],
    ],
    "S9": [
        [
            0.155405879021,
            -0.155482158065,
            -0.753209531307,
            0.61995947361,
            2044.45849609,
            4935.1171875,
            1481.22753906,
        ],
        [
            0.618784487247,
            -0.763473510742,
            -0.141322389245,
            0.119339682162,
            1990.9597168,
            -5123.81054688,
            1568.80480957,
        ],
        [
            0.133578270674,
            -0.136710047722,
            0.768945455551,
            -0.61007386446,
            -1670.9921875,
            5211.98583984,
            1528.38793945,
        ],
        [
            0.587939918041,
            -0.782340705395,
            0.142761439085,
            -0.147948697209,
            -1696.04345703,
            -3827.09985352,
            1591.41271973,
        ],
    ],
}  # w, x, y, z (camera to world), centre in mm


def project_h36m(camera, lens):
    """The set's own projection, with the tangential term once: (..., 3) mm to (..., 2) pixels."""
    _, _, fx, fy, cx, cy, k1, k2, k3, px, py = lens
    x, y = camera[..., 0] / camera[..., 2], camera[..., 1] / camera[..., 2]
    r2 = x * x + y * y
    factor = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + px * x + py * y
    return np.stack([fx * (x * factor + px * r2) + cx, fy * (y * factor + py * r2) + cy], axis=-1)


def h36m_world(frames, seed):
    """(frames, 32, 3), metres."""
    return people(
        [RAW_COLUMNS.get(n, "thorax") for n in range(32)], frames, seed, (0.3, 0.5, 0.0)
    ).astype(np.float32)


def h36m_2d(world, subject, longer=0):
    """Four cameras' (frames + longer, 17, 2), pixels."""
    padded = np.concatenate([world, np.repeat(world[-1:], longer, axis=0)]) if longer else world
    views = []
    for lens, place in zip(H36M_LENSES, H36M_PLACES[subject], strict=True):
        views.append(
            project_h36m(to_camera(padded[:, H36M_KEPT] * 1000.0, place), lens).astype(np.float32)
        )
    return views


def write_videopose3d_h36m(
    root, change_3d=None, change_2d=None, name="gt", symmetry=None, longer=0
):
    """data_3d_h36m.npz and data_2d_h36m_<name>.npz: S1 and S9, the latter also with a corrupt-free
    second take.
    """
    plan = {"S1": {"Walking 1": 12, "Photo": 5}, "S9": {"Greeting": 7, "Greeting 1": 4}}
    world = {
        s: {a: h36m_world(n, seed) for seed, (a, n) in enumerate(actions.items())}
        for s, actions in plan.items()
    }
    two_d = {
        s: {a: h36m_2d(poses, s, longer) for a, poses in actions.items()}
        for s, actions in world.items()
    }
    two_d["S2"] = {
        "Walking 1": [np.zeros((3, 17, 2), np.float32)] * 4
    }  # detector files hold unlabelled subjects too
    if change_3d:
        change_3d(world)
    if change_2d:
        change_2d(two_d)
    metadata = {
        "num_joints": 17,
        "keypoints_symmetry": symmetry or [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    }
    np.savez_compressed(root / "data_3d_h36m.npz", positions_3d=world)
    np.savez_compressed(root / f"data_2d_h36m_{name}.npz", positions_2d=two_d, metadata=metadata)
    return world, two_d


def write_mmpose_h36m(root, change=None):
    """annotation_body3d/cameras.pkl and fps10/h36m_{train,test}.npz."""
    folder = root / "annotation_body3d" / "fps10"
    folder.mkdir(parents=True)
    cameras = {}
    for subject in ("S1", "S9"):
        for name, lens, place in zip(H36M_CAMERAS, H36M_LENSES, H36M_PLACES[subject], strict=True):
            w, h, fx, fy, cx, cy, k1, k2, k3, px, py = lens
            rotation = np.stack(
                [turned(place[:4], axis) for axis in np.eye(3)], axis=1
            )  # camera to world
            cameras[subject, name] = {
                "R": rotation,
                "T": np.array(place[4:]).reshape(3, 1) / 1000,
                "c": np.array([[cx], [cy]]),
                "f": np.array([[fx], [fy]]),
                "k": np.array([[k1], [k2], [k3]]),
                "p": np.array([[py], [px]]),
                "w": w,
                "h": h,
                "name": "camera",
                "id": name,
            }
    (root / "annotation_body3d" / "cameras.pkl").write_bytes(pickle.dumps(cameras))
    for split, subject, sequence in (("train", "S1", "TakingPhoto_1"), ("test", "S9", "Greeting")):
        world = h36m_world(11, 3)[:, H36M_KEPT] * 1000.0
        rows = {"imgname": [], "center": [], "scale": [], "part": [], "S": []}
        for name, lens, place in zip(H36M_CAMERAS, H36M_LENSES, H36M_PLACES[subject], strict=True):
            for frame in range(0, 11, 5):
                pose = to_camera(world[frame], place)
                folder_name = f"{subject}_{sequence}.{name}"
                rows["imgname"].append(f"{subject}/{folder_name}/{folder_name}_{frame + 1:06d}.jpg")
                pixels = project_h36m(pose, lens)
                rows["center"].append((pixels.min(0) + pixels.max(0)) / 2)
                rows["scale"].append(1.2 * (pixels.max(0) - pixels.min(0)).max() / 200)
                rows["part"].append(np.concatenate([pixels, np.ones((17, 1))], axis=1))
                rows["S"].append(np.concatenate([pose / 1000, np.ones((17, 1))], axis=1))
        arrays = {key: np.array(value) for key, value in rows.items()}
        if change:
            change(split, arrays)
        np.savez_compressed(folder / f"h36m_{split}.npz", **arrays)
    return folder


def h36m_rows(frames=6):
    """Subject, action id, take, the release's name, and world poses (frames, 32, 3), mm, of two
    recordings.
    """
    world = [h36m_world(frames, seed) * 1000.0 for seed in (3, 4)]
    return [("S1", 12, 2, "TakingPhoto", world[0]), ("S9", 10, 2, "SittingDown 1", world[1])]


def write_raw_h36m(root, two_d=True):
    """The release: D3_Positions/*.cdf (1, T, 96), mm, world; D2_Positions/*.cdf (1, T, 64) with two
    frames more.
    """
    import cdflib

    def write(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = cdflib.cdfwrite.CDF(str(path), delete=True)
        spec = {
            "Variable": "Pose",
            "Data_Type": 44,
            "Num_Elements": 1,
            "Rec_Vary": True,
            "Dim_Sizes": list(values.shape),
        }
        file.write_var(spec, var_data=values[None].astype(np.float32))
        file.close()

    rows = h36m_rows()
    for subject, _, _, name, world in rows:
        features = root / subject / "MyPoseFeatures"
        write(features / "D3_Positions" / f"{name}.cdf", world.reshape(len(world), 96))
        longer = np.concatenate([world, world[-1:], world[-1:]])
        for camera, lens, place in zip(
            H36M_CAMERAS, H36M_LENSES, H36M_PLACES[subject], strict=True
        ):
            if two_d:
                pixels = project_h36m(to_camera(longer, place), lens)
                write(
                    features / "D2_Positions" / f"{name}.{camera}.cdf",
                    pixels.reshape(len(longer), 64),
                )
    return rows


def write_fetch_h36m(root):
    """h36m-fetch: processed/S9/SittingDown-2/annot.h5, rows camera after camera; every frame but
    the second is kept.
    """
    import h5py

    listed = {12: "TakingPhoto", 10: "SittingDown"}
    rows = h36m_rows()
    for subject, action, take, _, world in rows:
        folder = root / "processed" / subject / f"{listed[action]}-{take}"
        folder.mkdir(parents=True)
        kept = [n for n in range(len(world)) if n != 1]
        parts = {"pose/2d": [], "pose/3d": [], "frame": [], "camera": []}
        for camera, lens, place in zip(
            H36M_CAMERAS, H36M_LENSES, H36M_PLACES[subject], strict=True
        ):
            seen = to_camera(world[kept], place)
            parts["pose/3d"].append(seen)
            parts["pose/2d"].append(project_h36m(seen, lens))
            parts["frame"].append([n + 1 for n in kept])
            parts["camera"].append([int(camera)] * len(kept))
        with h5py.File(folder / "annot.h5", "w") as file:
            for key, value in parts.items():
                file[key] = np.concatenate(value)
            count = 4 * len(kept)
            file["subject"] = np.full(count, int(subject[1:]))
            file["action"], file["subaction"] = np.full(count, action), np.full(count, take)
            file["pose/3d-univ"] = file["pose/3d"][()] * 0.9
    return rows


def write_pickled_h36m(root, kind):
    """H36M-Toolbox's h36m_{train,validation}.pkl or LCN's h36m_{train,test}.pkl."""
    rows = h36m_rows()
    for file, (subject, action, take, _, world) in zip(
        ("h36m_train.pkl", "h36m_validation.pkl" if kind == "toolbox" else "h36m_test.pkl"),
        rows,
        strict=True,
    ):
        content = []
        for number, (lens, place) in enumerate(
            zip(H36M_LENSES, H36M_PLACES[subject], strict=True), 1
        ):
            seen = to_camera(world[:, H36M_KEPT], place)
            stem = f"s_{int(subject[1:]):02d}_act_{action:02d}_subact_{take:02d}_ca_{number:02d}"
            for n, pose in enumerate(seen):
                picture = f"{stem}/{stem}_{n + 1:06d}.jpg"
                if kind == "toolbox":
                    content.append(
                        {
                            "image": picture,
                            "joints_2d": project_h36m(pose, lens),
                            "joints_3d_camera": pose,
                            "joints_3d": pose * 0.9,
                            "joints_vis": np.ones((17, 3)),
                            "subject": int(subject[1:]),
                            "action": action,
                            "subaction": take,
                            "camera_id": number - 1,
                            "image_id": n + 1,
                            "box": np.array([1.0, 2.0, 3.0, 4.0]),
                        }
                    )
                else:
                    fx, fy, cx, cy = lens[2:6]
                    flat = np.stack(
                        [
                            fx * pose[:, 0] / pose[:, 2] + cx,
                            fy * pose[:, 1] / pose[:, 2] + cy,
                            pose[:, 2] * 0.1,
                        ],
                        1,
                    )
                    content.append(
                        {
                            "joint_3d_camera": pose,
                            "joint_3d_image": flat,
                            "action": action,
                            "image_path": picture,
                            "camera_param": {"fx": fx, "fy": fy, "cx": cx, "cy": cy},
                            "root_depth": pose[0, 2],
                        }
                    )
        (root / file).write_bytes(pickle.dumps(content, protocol=2))
    return rows


# ---- HumanEva-I
# --------------------------------------------------------------------------------------------------

EVA_JOINTS = [
    "pelvis",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hip",
    "right_knee",
    "right_ankle",
    "head",
]
EVA_PLACES = {
    "S1": [
        [0.424207, -0.4983646, -0.5802981, 0.4847012, 4062.227, 663.2477, 1528.397],
        [0.6503354, -0.7481602, -0.0919284, 0.0941766, 844.8131, -3805.2092, 1504.9929],
        [0.0664734, -0.0690535, 0.7416416, -0.6639132, -797.67377, 3916.3174, 1433.6602],
    ],
    "S2": [
        [0.4214752, -0.4961493, -0.5838273, 0.4851187, 4112.9121, 626.4929, 1545.2988],
        [0.6501393, -0.7476588, -0.0954617, 0.0959808, 923.5740, -3877.9243, 1504.5518],
        [0.0699353, -0.0712403, 0.7421637, -0.662742, -781.4915, 3838.8853, 1444.9929],
    ],
}
EVA_LENSES = [
    (766.0, 770.0, 321.0, 236.0),
    (777.0, 772.0, 318.0, 244.0),
    (760.0, 765.0, 330.0, 241.0),
]  # fx, fy, cx, cy


def write_humaneva(root, change_3d=None, change_2d=None, name="gt", longer=0):
    """data_3d_humaneva15.npz and data_2d_humaneva15_<name>.npz; a chunk of two frames, an
    unlabelled subject in 2D.
    """
    plan = {
        "Train/S1": {"Walking 1 chunk0": 9, "Jog 1 chunk2": 2},
        "Validate/S2": {"Box 1 chunk0": 8},
    }
    world, two_d = {}, {"Unlabeled/S4": {"Walking 1": [np.zeros((3, 15, 2), np.float32)] * 3}}
    for subject, actions in plan.items():
        world[subject], two_d[subject] = {}, {}
        for seed, (action, frames) in enumerate(actions.items()):
            poses = people(EVA_JOINTS, frames, seed, (0.2, 0.1, 0.0)).astype(np.float32)
            padded = (
                np.concatenate([poses, np.repeat(poses[-1:], longer, axis=0)]) if longer else poses
            )
            world[subject][action] = poses
            two_d[subject][action] = []
            for place, (fx, fy, cx, cy) in zip(EVA_PLACES[subject[-2:]], EVA_LENSES, strict=True):
                seen = to_camera(padded * 1000.0, place)
                pixels = np.stack(
                    [fx * seen[..., 0] / seen[..., 2] + cx, fy * seen[..., 1] / seen[..., 2] + cy],
                    axis=-1,
                )
                two_d[subject][action].append(pixels.astype(np.float32))
    if change_3d:
        change_3d(world)
    if change_2d:
        change_2d(two_d)
    metadata = {
        "layout_name": "humaneva15",
        "num_joints": 15,
        "keypoints_symmetry": [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]],
    }
    np.savez_compressed(root / "data_3d_humaneva15.npz", positions_3d=world)
    np.savez_compressed(
        root / f"data_2d_humaneva15_{name}.npz", positions_2d=two_d, metadata=metadata
    )
    return world, two_d


# ---- pickles as Python 2 wrote them
# --------------------------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with byte strings for bytes and text, and numpy 1's module names: what Python 2
    wrote.
    """

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + len(data).to_bytes(4, "little") + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string

    def save_global(self, obj, name=None):
        module, name = obj.__module__, name or obj.__name__
        module = {"numpy._core.multiarray": "numpy.core.multiarray", "builtins": "__builtin__"}.get(
            module, module
        )
        self.write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
        self.memoize(obj)

    dispatch[type] = dispatch[type(len)] = save_global


def dumps_python2(value):
    """A pickle as Python 2 with numpy 1 would have written it."""
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(value)
    return file.getvalue()


# ---- 3DPW
# --------------------------------------------------------------------------------------------------

SMPL_JOINTS = [
    "pelvis",
    "left_hip",
    "right_hip",
    "spine",
    "left_knee",
    "right_knee",
    "spine",
    "left_ankle",
    "right_ankle",
    "thorax",
    "left_foot",
    "right_foot",
    "neck",
    "left_shoulder",
    "right_shoulder",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
]
COCO18_JOINTS = [
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "nose",
    "nose",
    "nose",
    "nose",
]


def threedpw_sequence(frames=10, actors=2, portrait=False):
    """A sequence's dict: the camera walks along; y is down in this set's worlds or not, nobody
    says: here z is up.
    """
    width, height = (1080, 1920) if portrait else (1920, 1080)
    inner = np.array([[1962.0, 0, width / 2], [0, 1969.0, height / 2], [0, 0, 1]])
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for t in range(frames):
        a = 0.02 * t
        looking = np.array(
            [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]
        )  # x right, z up → x right, y down, z forward
        turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        poses[t, :3, :3] = looking @ turn
        poses[t, :3, 3] = [0.05 * t, 1.0, 4.0]
    out = {
        key: []
        for key in (
            "jointPositions",
            "poses2d",
            "campose_valid",
            "poses",
            "trans",
            "betas",
            "genders",
        )
    }
    for actor in range(actors):
        place = (0.8 * actor, 0.3, 0.0)
        joints, detected = (
            people(SMPL_JOINTS, frames, actor, place),
            people(COCO18_JOINTS, frames, actor, place),
        )
        out["jointPositions"].append(joints.reshape(frames, 72))
        rows = np.zeros((frames, 3, 18))
        for t in range(frames):
            seen = detected[t] @ poses[t, :3, :3].T + poses[t, :3, 3]
            pixels = seen @ inner.T
            rows[t, :2] = (pixels[:, :2] / pixels[:, 2:]).T
            rows[t, 2] = 0.8
        rows[:, :, 7] = 0  # one wrist is never found
        rows[frames - 1] = 0  # nobody was found
        valid = np.ones(frames, dtype=int)
        valid[1] = 0
        out["poses2d"].append(rows)
        out["campose_valid"].append(valid)
        out["poses"].append(np.zeros((frames, 72)))
        out["trans"].append(np.zeros((frames, 3)))
        out["betas"].append(np.zeros(300))
        out["genders"].append("m")
    return {
        **out,
        "sequence": np.array("downtown_walk_00"),
        "cam_poses": poses,
        "cam_intrinsics": inner,
        "img_frame_ids": np.arange(frames),
    }


def write_threedpw(root, change=None, nested=False):
    """sequenceFiles/{train,test}/*.pkl, as Python 2 pickles."""
    base = root / "sequenceFiles" / "sequenceFiles" if nested else root / "sequenceFiles"
    for split, portrait in (("train", False), ("test", True)):
        content = threedpw_sequence(portrait=portrait)
        if change:
            change(content)
        (base / split).mkdir(parents=True, exist_ok=True)
        (base / split / "downtown_walk_00.pkl").write_bytes(dumps_python2(content))
    return base


# ---- MPI-INF-3DHP
# --------------------------------------------------------------------------------------------------

HP_JOINTS = [
    "thorax",
    "thorax",
    "spine",
    "spine",
    "pelvis",
    "neck",
    "head",
    "head_top",
    "left_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "left_hand",
    "right_shoulder",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "right_hand",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_foot",
    "left_toe",
    "right_hip",
    "right_knee",
    "right_ankle",
    "right_foot",
    "right_toe",
]
HP_RELEVANT = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
LOOKING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def hp_camera(number):
    """fx, fy, cx, cy; rotation, translation (mm) of one of fourteen cameras around the person."""
    a = 0.45 * number
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return (
        (1490.0 + number, 1492.0 + number, 1020.0 - number, 1010.0 + number),
        LOOKING @ turn,
        np.array([50.0, 900.0, 3500.0]),
    )


def hp_project(seen, lens):
    fx, fy, cx, cy = lens
    return np.stack(
        [fx * seen[..., 0] / seen[..., 2] + cx, fy * seen[..., 1] / seen[..., 2] + cy], axis=-1
    )


def write_3dhp_train(root, sequences=((1, 1), (2, 2)), frames=6, change=None, longer=0):
    """S*/Seq*/annot.mat (cells of fourteen cameras) and camera.calibration."""
    from scipy.io import savemat

    for subject, sequence in sequences:
        folder = root / f"S{subject}" / f"Seq{sequence}"
        folder.mkdir(parents=True, exist_ok=True)
        world = people(HP_JOINTS, frames, subject) * 1000
        cells = {
            key: np.empty((14, 1), dtype=object) for key in ("annot2", "annot3", "univ_annot3")
        }
        text = ["Skeletool Camera Calibration File V1.0"]
        for n in range(14):
            lens, rotation, translation = hp_camera(n)
            seen = world @ rotation.T + translation
            cells["annot3"][n, 0] = seen.reshape(frames, 84)
            root_joint = seen[:, 4:5]
            cells["univ_annot3"][n, 0] = (root_joint + 0.9 * (seen - root_joint)).reshape(
                frames, 84
            )
            cells["annot2"][n, 0] = np.concatenate(
                [hp_project(seen, lens).reshape(frames, 56), np.zeros((longer, 56))]
            )
            if longer:
                for key in ("annot3", "univ_annot3"):
                    cells[key][n, 0] = np.concatenate([cells[key][n, 0], np.zeros((longer, 84))])
            inner = np.eye(4)
            inner[0, 0], inner[1, 1], inner[0, 2], inner[1, 2] = lens
            outer = np.eye(4)
            outer[:3, :3], outer[:3, 3] = rotation, translation
            text += [
                f"name          {n}",
                "  sensor      10 10",
                "  size        2048 2048",
                "  animated    0",
                "  intrinsic   " + " ".join(f"{x:.7g}" for x in inner.ravel()),
                "  extrinsic   " + " ".join(f"{x:.7g}" for x in outer.ravel()),
                "  radial      0",
            ]
        arrays = {**cells, "cameras": np.arange(14), "frames": np.arange(frames)}
        if change:
            change(arrays)
        savemat(folder / "annot.mat", arrays)
        (folder / "camera.calibration").write_text("\n".join(text) + "\n")


def write_3dhp_test(root, change=None, names=("TS1", "TS6")):
    """mpi_inf_3dhp_test_set/TS*/annot_data.mat, HDF5 as h5py sees MATLAB's."""
    import h5py

    for seed, name in enumerate(names):
        folder = root / "mpi_inf_3dhp_test_set" / name
        folder.mkdir(parents=True, exist_ok=True)
        seen = (people(HP_JOINTS, 12, seed) * 1000 @ LOOKING.T + np.array([100.0, 950.0, 3800.0]))[
            :, HP_RELEVANT
        ]
        lens = (1500.0, 1500.7, 1017.4, 1043.1) if name != "TS6" else (1684.0, 1672.7, 939.8, 560.1)
        valid = np.ones((12, 1))
        valid[3] = 0
        arrays = {
            "annot2": hp_project(seen, lens)[:, None],
            "annot3": seen[:, None],
            "univ_annot3": 0.9 * seen[:, None],
            "valid_frame": valid,
            "activity_annotation": np.repeat([1.0, 6.0], 6)[:, None],
            "bb_crop": np.zeros((12, 34)),
        }
        if change:
            change(arrays)
        with h5py.File(folder / "annot_data.mat", "w") as file:
            for key, value in arrays.items():
                file[key] = value
