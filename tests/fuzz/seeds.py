"""Small whole files of every kind that is read: what mutations begin from."""

import io
import json

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from tests.support.clip import clip
from tests.support.figure import figure

JOINTS = np.stack([figure("coco17", left) * 0.8 for left in (0, 100)]).round(1)
RIG = """name = "own"
unit_mm = 10.0
up = "y"
skip = 1
pelvis = ["LeftHip", "RightHip"]
head = ["Neck", "Head"]
[joints]
"""
RECIPE = """about = "a page"
seed = 3
pose_scale = 200.0
[data]
name = "motion"
apart = 2
[model]
embedding = 16
encoder_2d = { kind = "mlp", width = 16, depth = 1, dropout = 0.0 }
encoder_3d = { kind = "mlp", width = 16, depth = 1, dropout = 0.0 }
decoder_2d = { width = 64, box_token = true, path = "linear", prediction = "x0" }
decoder_3d = { width = 64, path = "linear", prediction = "x0" }
[[stage]]
name = "align"
trains = ["encoder_2d", "encoder_3d"]
steps = 30
batch_size = 512
temperature = 0.0714
[[stage]]
name = "joint"
like = "align"
embedding_dropout = 0.1
decode = [ { source = "pose_2d", target = "pose_3d", point = 2.0, point_loss = "distance" } ]
"""


def _json(content):
    return json.dumps(content).encode()


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _picture(kind, **how):
    pixels = np.random.default_rng(0).integers(0, 255, (24, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=kind, **how)
    return file.getvalue()


def _triples(joints, confidence=1.0):
    return np.column_stack([joints, np.full(len(joints), confidence)]).ravel().tolist()


def keypoint_files():
    """One of each tool whose keypoints are read, by the name of the file."""
    size = {"width": 640, "height": 480}
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", **size}],
        "annotations": [
            {"id": n, "image_id": 1, "keypoints": _triples(own, 2)} for n, own in enumerate(JOINTS)
        ],
    }
    alpha = [{"image_id": "a.jpg", "keypoints": _triples(own, 0.9), "idx": 1} for own in JOINTS]
    body25, body18 = figure("body25") * 0.8, figure("coco18") * 0.8
    pose = {"version": 1.3, "people": [{"pose_keypoints_2d": _triples(body25, 0.8)}]}
    instances = [
        {"keypoints": own.tolist(), "keypoint_scores": [0.9] * 17, "track_id": n}
        for n, own in enumerate(JOINTS)
    ]
    meta = {"dataset_name": "coco"}
    shares = figure("mediapipe33") / (500, 600)
    marks = [{"x": x, "y": y, "visibility": 0.9} for x, y in shares.tolist()]
    frames = {name: {"bodies": [{"joints": _triples(body18)}]} for name in ("a.jpg", "b.jpg")}
    columns = [dict(zip("xy", own.T.tolist(), strict=True)) for own in JOINTS]
    seen = [
        {"name": "person", "class": 0, "keypoints": own | {"visible": [0.9] * 17}}
        for own in columns
    ]
    return {
        "alphapose_cmu.json": _json(frames),
        "ultralytics.json": _json(seen),
        "coco.json": _json(coco),
        "alphapose.json": _json(alpha),
        "openpose_keypoints.json": _json(pose),
        "mmpose.json": _json({"meta_info": meta, "instance_info": [{"instances": instances}]}),
        "mmpose_one.json": _json(instances),
        "mediapipe.json": _json([{"pose_landmarks": marks}]),
    }


def arrays():
    file = io.BytesIO()
    np.save(file, JOINTS.astype(np.float32))
    named = {"keypoints": JOINTS, "confidence": np.ones((2, 17)), "skeleton": "coco17"}
    own = {"a.mp4": {"custom": [JOINTS]}}
    meta = {"layout_name": "coco", "num_joints": 17, "video_metadata": {"a.mp4": {"w": 9, "h": 9}}}
    people = np.stack([np.column_stack([person, np.ones((17, 2))]).T for person in JOINTS])
    frames = np.empty(2, dtype=object)
    frames[:] = [[[], people], [[], []]]
    video = {"boxes": np.zeros(2), "keypoints": frames, "metadata": np.array({"w": 640, "h": 480})}
    return {
        "people.npy": file.getvalue(),
        "people.npz": _npz(**named, image_size=[640.0, 480.0]),
        "videopose3d.npz": _npz(positions_2d=np.array(own), metadata=np.array(meta)),
        "detectron.npz": _npz(**video),
    }


def boxes():
    annotations = [{"image_id": 1, "bbox": [10, 20, 100, 200], "iscrowd": 0}]
    images = [{"id": 1, "file_name": "a.jpg"}]
    return {
        "boxes.json": _json({"a.jpg": [[10, 20, 100, 200], [30.5, 40, 200, 300]]}),
        "coco.json": _json({"images": images, "annotations": annotations}),
    }


def annotations():
    """COCO's own file of people."""
    image = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}
    person = {"image_id": 1, "category_id": 1, "iscrowd": 0, "area": 9000.0}
    notes = [
        person | {"id": n, "bbox": [90, 90, 310, 310], "num_keypoints": 17, "keypoints": own}
        for n, own in enumerate(_triples(joints.round(), 2) for joints in JOINTS)
    ]
    return {"person_keypoints_val2017.json": _json({"images": [image], "annotations": notes})}


def _joint(name, offset, children=(), depth=1):
    tab, channels = "\t" * depth, "CHANNELS 3 Zrotation Xrotation Yrotation"
    kind = "JOINT"
    if depth == 1:
        kind, channels = "ROOT", channels.replace("3", "6 Xposition Yposition Zposition")
    inside = "".join(_joint(*child, depth=depth + 1) for child in children)
    inside = inside or f"{tab}\tEnd Site\n{tab}\t{{\n{tab}\t\tOFFSET 0 1 0\n{tab}\t}}\n"
    lines = f"{tab}\tOFFSET {' '.join(map(str, offset))}\n{tab}\t{channels}\n"
    return f"{tab}{kind} {name}\n{tab}{{\n{lines}{inside}{tab}}}\n"


def bvh():
    """A person of the CMU rig, three frames."""
    trunk, joints = [], 1
    for side, x in (("Left", 2), ("Right", -2)):
        leg = (
            f"{side}Hip",
            (x, 0, 0),
            [(f"{side}Knee", (0, -8, 0.5), [(f"{side}Ankle", (0, -8, 0))])],
        )
        arm = [(f"{side}Elbow", (x, 0, 0), [(f"{side}Wrist", (x, 0, 0.5))])]
        trunk += [leg, (f"{side}Shoulder", (x, 9, 0), arm)]
        joints += 6
    trunk.append(("Neck", (0, 10, 0), [("Head", (0, 2, 0.3))]))
    joints += 2
    frames, count = np.random.default_rng(3).uniform(-20, 20, (3, 3 + 3 * joints)).round(2), 3
    rows = "\n".join(" ".join(map(str, row)) for row in frames)
    head = "HIERARCHY\n" + _joint("Hips", (0, 17, 0), trunk)
    return {"walk.bvh": f"{head}MOTION\nFrames: {count}\nFrame Time: 0.0333\n{rows}\n".encode()}


def motions():
    from unihpe.body.skeleton import get_skeleton

    joints = get_skeleton("human36m17").joints
    poses = np.random.default_rng(4).uniform(-0.5, 0.5, (6, 17, 3)).astype(np.float32)
    one = {"seq_names": ["a", "b"], "seq_source": ["x", "y"], "seq_split": ["train", "test"]}
    index = np.repeat([0, 1], 3).astype(np.int32)
    return {"motion.npz": _npz(poses=poses, joints=np.array(joints), seq_index=index, **one)}


def cameras():
    """A calibrated camera in every file that is read."""
    matrix, lens = np.array([[1100.0, 0, 630], [0, 1090, 350], [0, 0, 1]]), [[-0.2, 0.1, 0, 0, 0]]
    files = {}
    for ending in ("yml", "xml", "json"):
        how = cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY
        storage = cv2.FileStorage(f".{ending}", how)
        storage.write("camera_matrix", matrix)
        storage.write("distortion_coefficients", np.array(lens))
        files[f"camera.{ending}"] = storage.releaseAndGetString().encode()
    pose2sim = (
        f"[cam]\nsize = [640.0, 480.0]\nmatrix = {matrix.tolist()}\ndistortions = {lens[0]}\n"
    )
    return files | {
        "camera.toml": pose2sim.encode(),
        "cameras.txt": b"# one\n1 OPENCV 640 480 1100 1090 320 240 -0.2 0.1 0.0 0.0\n",
    }


def rigs():
    parts = ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")
    sides = [(side, part) for side in ("Left", "Right") for part in parts]
    lines = [
        f'{side}_{part} = "{side}{part}"'.replace(side, side.lower(), 1) for side, part in sides
    ]
    lines = [
        line.replace(part, part.lower(), 1) for line, (_, part) in zip(lines, sides, strict=True)
    ]
    return {"rig.toml": (RIG + "\n".join(lines) + "\n").encode()}


def recipes():
    return {"recipe.toml": RECIPE.encode()}


def pictures():
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "a.png": _picture("PNG"),
        "a.jpg": _picture("JPEG", exif=exif),
        "a.webp": _picture("WEBP"),
        "a.bmp": _picture("BMP"),
        "a.tif": _picture("TIFF", compression="tiff_lzw"),
    }


def packs(folder):
    from unihpe.body.batch import LabelledCrop
    from unihpe.body.camera import Camera
    from unihpe.datasets.packed import pack

    rng, camera = np.random.default_rng(5), Camera.simple(torch.tensor([640.0, 480.0]))
    people = [
        LabelledCrop(
            np.full((256, 192, 3), 40 * n, np.uint8),
            rng.uniform(50, 150, (17, 2)).astype(np.float32),
            rng.uniform(-500, 500, (17, 3)).astype(np.float32),
            np.ones(17, np.uint8),
            np.array([100.0, 100.0, 90.0, 120.0]),
            camera,
            n,
            "one",
        )
        for n in range(2)
    ]
    pack(people, folder / "seed.pack", {"seed": 0})
    return {"people.pack": (folder / "seed.pack").read_bytes()}


def checkpoints(folder):
    from unihpe.model.checkpoint import Card, save_checkpoint
    from unihpe.recipe import build_model, load_recipe

    (folder / "recipe.toml").write_text(RECIPE)
    recipe = load_recipe(str(folder / "recipe.toml"))
    card = Card(skeleton="human36m17", recipe=recipe.model_dump(mode="json"), samples=5)
    save_checkpoint(folder / "seed.safetensors", build_model(recipe).state_dict(), card, half=True)
    return {"model.safetensors": (folder / "seed.safetensors").read_bytes()}


def states(folder):
    from unihpe.training.state import STATE_FILE, Progress, Run, save_state

    model = nn.Linear(3, 2)
    save_state(Run(folder, "a recipe's"), model, model, None, Progress(1, 2, 3))
    return {STATE_FILE: (folder / STATE_FILE).read_bytes()}


def results(folder, suffix):
    whole = clip(people=2, frames=3, missing={(2, 1)})
    (path,) = whole.save(folder / f"seed-results{suffix}")
    return {f"results{suffix}": path.read_bytes()}
