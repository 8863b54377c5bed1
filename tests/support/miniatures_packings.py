"""Miniatures of what other projects made of Human3.6M and MPI-INF-3DHP: MMPose's files, SPIN's
lists, P-STMO's npz.

Written from the layouts' description, with numpy and loops, and not with the readers' code.
"""

import json
import pickle

import numpy as np
from miniatures import (
    H36M_CAMERAS,
    H36M_KEPT,
    H36M_LENSES,
    H36M_PLACES,
    HP_JOINTS,
    HP_RELEVANT,
    LOOKING,
    h36m_rows,
    hp_camera,
    hp_project,
    people,
    project_h36m,
    to_camera,
)

HP_CAMERAS = [0, 1, 2, 4, 5, 6, 7, 8]
# SPIN's slots of its 17 joints, left leg first: pelvis, left leg, right leg, spine, neck, jaw,
# head, left arm, right arm.
SPIN_SLOTS = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]
# The published lenses of MPI-INF-3DHP's eight cameras and of its test sequences.
HP_LENSES = {
    0: (1497.693, 1497.103, 1024.704, 1051.394),
    1: (1495.217, 1495.52, 1030.519, 1052.626),
    2: (1495.587, 1497.828, 983.8873, 987.5902),
    4: (1490.952, 1491.108, 987.6075, 1019.069),
    5: (1500.414, 1499.971, 1012.331, 998.5009),
    6: (1498.471, 1498.8, 999.7319, 1010.251),
    7: (1498.831, 1499.674, 987.2716, 976.8773),
    8: (1500.172, 1500.837, 1017.387, 1043.032),
    "TS1": (1500.069, 1500.659, 1017.379, 1043.063),
    "TS6": (1683.975, 1672.675, 939.848, 560.116),
}


def seen_3dhp(key, frames, seed):
    """Camera points (frames, 17, 3), mm, and pixels, of a training camera's number or a test
    sequence's name.
    """
    world = people(HP_JOINTS, frames, seed) * 1000
    if isinstance(key, int):
        _, rotation, translation = hp_camera(key)
    else:
        rotation, translation = LOOKING, np.array([100.0, 950.0, 3800.0])
    seen = (world @ rotation.T + translation)[:, HP_RELEVANT]
    return seen, hp_project(seen, HP_LENSES[key])


def box(pixels):
    """Centre, and 1.2 times the longer side over 200."""
    low, high = pixels.min(0), pixels.max(0)
    return (low + high) / 2, 1.2 * (high - low).max() / 200


def write_mmpose_3dhp(root, frames=5, valid=True):
    """annotations/mpi_inf_3dhp_{train,test_valid}.npz, cameras_{train,test}.pkl, metres; h of
    cameras_train is 204, as MMPose has it.
    """
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    views = {
        "train": [(f"S1_Seq{q}_Cam{c}", c, q) for q in (1, 2) for c in HP_CAMERAS],
        "test": [("TS1", "TS1", 3), ("TS6", "TS6", 4)],
    }
    for split, listed in views.items():
        rows = {"imgname": [], "center": [], "scale": [], "part": [], "S": []}
        cameras = {}
        for name, key, seed in listed:
            fx, fy, cx, cy = HP_LENSES[key]
            cameras[name] = {
                "c": np.array([[cx], [cy]]),
                "f": np.array([[fx], [fy]]),
                "w": 2048,
                "h": 2048,
                "name": "x",
            }
            if split == "train":
                _, rotation, translation = hp_camera(key)
                cameras[name] |= {"R": rotation, "T": translation[:, None] / 1000, "h": 204.0}
            elif name == "TS6":
                cameras[name] |= {"w": 1920, "h": 1080}
            seen, pixels = seen_3dhp(key, frames, seed)
            for n in range(frames):
                if split == "test" and n == 2:
                    continue  # not valid
                centre, scale = box(pixels[n])
                ones = np.ones((17, 1))
                rows["imgname"].append(f"{name}_{n + 1:06d}.jpg")
                rows["center"].append(centre)
                rows["scale"].append(scale)
                rows["part"].append(np.concatenate([pixels[n], ones], axis=1))
                rows["S"].append(np.concatenate([seen[n] / 1000, ones], axis=1))
        name = "train" if split == "train" else "test_valid" if valid else "test_all"
        np.savez(
            folder / f"mpi_inf_3dhp_{name}.npz",
            **{key: np.array(value) for key, value in rows.items()},
        )
        (folder / f"cameras_{split}.pkl").write_bytes(pickle.dumps(cameras))
    return folder


def write_pstmo_3dhp(root, frames=5):
    """data_train_3dhp.npz and data_test_3dhp.npz: dicts in 0-d object arrays, poses of one height
    (univ), mm.
    """
    train = {}
    for sequence in (1, 2):
        cameras = {}
        for camera in HP_CAMERAS:
            seen, pixels = seen_3dhp(camera, frames, sequence)
            pelvis = seen[:, 14:15]
            cameras[str(camera)] = {"data_2d": pixels, "data_3d": pelvis + 0.9 * (seen - pelvis)}
        train[f"S1 Seq{sequence}"] = [cameras, 25]
    test = {}
    for name, seed in (("TS1", 3), ("TS6", 4)):
        seen, pixels = seen_3dhp(name, frames, seed)
        valid = np.ones(frames)
        valid[2] = 0
        pelvis = seen[:, 14:15]
        test[name] = {"data_2d": pixels, "data_3d": pelvis + 0.9 * (seen - pelvis), "valid": valid}
    np.savez_compressed(root / "data_train_3dhp.npz", data=train)
    np.savez_compressed(root / "data_test_3dhp.npz", data=test)


def spin_row(joints_mm, pixels, left_first):
    """S (24, 4), metres, relative to the pelvis, and part (24, 3), out of 17 joints in SPIN's
    left-first order `left_first`.
    """
    s, part = np.zeros((24, 4)), np.zeros((24, 3))
    for slot, column in zip(SPIN_SLOTS, left_first, strict=True):
        s[slot] = [*((joints_mm[column] - joints_mm[left_first[0]]) / 1000), 1]
        part[slot] = [*pixels[column], 1]
    return s, part


HP_LEFT_FIRST = [14, 11, 12, 13, 8, 9, 10, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
H36M_LEFT_FIRST = [0, 4, 5, 6, 1, 2, 3, *range(7, 17)]


def write_spin_3dhp(root, frames=5):
    """mpi_inf_3dhp_train.npz (part and S) and mpi_inf_3dhp_valid.npz, in dataset_extras."""
    root.mkdir(parents=True, exist_ok=True)
    views = {
        "train": [(f"S1/Seq1/imageFrames/video_{c}/frame_", c, 1) for c in HP_CAMERAS],
        "valid": [
            (f"mpi_inf_3dhp_test_set/{n}/imageSequence/img_", n, seed)
            for n, seed in (("TS1", 3), ("TS6", 4))
        ],
    }
    for split, listed in views.items():
        rows = {"imgname": [], "center": [], "scale": [], "part": [], "S": []}
        for stem, key, seed in listed:
            seen, pixels = seen_3dhp(key, frames, seed)
            for n in range(frames):
                s, part = spin_row(seen[n], pixels[n], HP_LEFT_FIRST)
                centre, scale = box(pixels[n])
                for column, value in zip(
                    rows, (f"{stem}{n + 1:06d}.jpg", centre, scale, part, s), strict=True
                ):
                    rows[column].append(value)
        np.savez(
            root / f"mpi_inf_3dhp_{split}.npz",
            **{key: np.array(value) for key, value in rows.items()},
        )


def write_spin_h36m(root):
    """h36m_train.npz (with part) and h36m_valid_protocol{1,2}.npz (without), every 5th frame of two
    recordings of 6.
    """
    root.mkdir(parents=True, exist_ok=True)
    for file, wanted, cameras, with_2d in (
        ("h36m_train", "S1", H36M_CAMERAS, True),
        ("h36m_valid_protocol1", "S9", H36M_CAMERAS, False),
        ("h36m_valid_protocol2", "S9", ["60457274"], False),
    ):
        rows = {"imgname": [], "center": [], "scale": [], "S": [], "part": []}
        for subject, _, _, sequence, world in h36m_rows():
            for camera, lens, place in zip(
                H36M_CAMERAS, H36M_LENSES, H36M_PLACES[subject], strict=True
            ):
                if subject != wanted or camera not in cameras:
                    continue
                seen = to_camera(world[:, H36M_KEPT], place)
                for n in range(0, 6, 5):
                    pixels = project_h36m(seen[n], lens)
                    s, part = spin_row(seen[n], pixels, H36M_LEFT_FIRST)
                    centre, scale = box(pixels)
                    rows["imgname"].append(
                        f"images/{subject}_{sequence.replace(' ', '_')}.{camera}_{n + 1:06d}.jpg"
                    )
                    for key, value in (
                        ("center", centre),
                        ("scale", scale * 0.9 / 1.2),
                        ("S", s),
                        ("part", part),
                    ):
                        rows[key].append(value)
        arrays = {key: np.array(value) for key, value in rows.items() if with_2d or key != "part"}
        np.savez(root / f"{file}.npz", **arrays)


def write_h36m_coco(root):
    """annotation_body2d/h36m_coco_{train,test}.json: keypoints_3d in world axes, metres; the
    categories name the legs wrongly.
    """
    folder = root / "annotation_body2d"
    folder.mkdir(parents=True, exist_ok=True)
    wrong = [
        "root",
        "left_hip",
        "left_knee",
        "left_foot",
        "right_hip",
        "right_knee",
        "right_foot",
        *"abcdefghij",
    ]
    for split, (subject, _, _, sequence, world) in zip(("train", "test"), h36m_rows(), strict=True):
        images, annotations = [], []
        for camera, lens, place in zip(
            H36M_CAMERAS, H36M_LENSES, H36M_PLACES[subject], strict=True
        ):
            for n in range(0, 6, 5):
                joints = world[n, H36M_KEPT]
                pixels = project_h36m(to_camera(joints, place), lens)
                centre, scale = box(pixels)
                number = len(images)
                name = f"{subject}_{sequence.replace(' ', '_')}.{camera}_{n + 1:06d}.jpg"
                images.append(
                    {"file_name": name, "height": lens[1], "width": lens[0], "id": number}
                )
                annotations.append(
                    {
                        "category_id": 1,
                        "image_id": number,
                        "id": number,
                        "iscrowd": 0,
                        "num_keypoints": 17,
                        "bbox": [*(centre - 100 * scale), 200 * scale, 200 * scale],
                        "area": (200 * scale) ** 2,
                        "keypoints": np.concatenate([pixels, np.ones((17, 1))], axis=1)
                        .ravel()
                        .tolist(),
                        "keypoints_3d": np.concatenate([joints / 1000, np.ones((17, 1))], axis=1)
                        .ravel()
                        .tolist(),
                    }
                )
        categories = [{"id": 1, "name": "person", "keypoints": wrong, "skeleton": []}]
        content = {
            "info": {},
            "licenses": "",
            "categories": categories,
            "images": images,
            "annotations": annotations,
        }
        (folder / f"h36m_coco_{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_h36m_metadata(root, change=None):
    """metadata.xml of the release: w0 has 4 × 11 × 6 extrinsics (three angles, centre in mm), then
    4 × 9 intrinsics, p_y before p_x.
    """
    outer, inner = np.zeros((4, 11, 6)), np.zeros((4, 9))
    for camera, lens in enumerate(H36M_LENSES):
        _, _, fx, fy, cx, cy, k1, k2, k3, px, py = lens
        inner[camera] = [fx, fy, cx, cy, k1, k2, k3, py, px]
        for subject, places in H36M_PLACES.items():
            place = places[camera]
            columns = [to_camera(axis[None] + place[4:], place)[0] for axis in np.eye(3)]
            r = np.stack(columns, axis=1)  # world to camera = Rx(x) Ry(y) Rz(z)
            x, y, z = np.arctan2(r[1, 2], r[2, 2]), np.arcsin(r[0, 2]), np.arctan2(r[0, 1], r[0, 0])
            outer[camera, int(subject[1:]) - 1] = [-x, y, -z, *place[4:]]
    numbers = " ".join(f"{n:.12g}" for n in [*outer.ravel(), *inner.ravel()])
    ids = "".join(f"<item>{name}</item>" for name in H36M_CAMERAS)
    cameras = f"<dbcameras><index2id>{ids}</index2id></dbcameras>"
    text = f"<root><mapping/>{cameras}<w0>[{numbers}]</w0></root>"
    (root / "metadata.xml").write_text(change(text) if change else text, encoding="utf-8")
