"""A clip's results without a model: people who walk, some of whom leave and come back."""

import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.export.results import Results

RATE = 25.0
SKELETON = get_skeleton("human36m17")
STANDING = {  # somebody who looks at the camera, mm from the pelvis, y down
    "pelvis": (0, 0, 0), "spine": (0, -230, 10), "thorax": (0, -480, 0), "nose": (0, -590, -90),
    "head": (0, -700, 0), "left_hip": (130, 0, 0), "left_knee": (140, 430, -20),
    "left_ankle": (140, 850, 20), "left_shoulder": (170, -450, 0), "left_elbow": (200, -170, 30),
    "left_wrist": (210, 60, -40), "right_hip": (-130, 0, 0), "right_knee": (-140, 430, -20),
    "right_ankle": (-140, 850, 20), "right_shoulder": (-170, -450, 0),
    "right_elbow": (-200, -170, 30), "right_wrist": (-210, 60, -40),
}  # fmt: skip


def standing():
    """(J, 3), mm."""
    return torch.tensor([STANDING[joint] for joint in SKELETON.joints], dtype=torch.float32)


def walking(times):
    """Legs and arms that swing about the hips and shoulders, (T, J, 3), mm, from the pelvis."""
    pose = standing().repeat(len(times), 1, 1)
    for side, sign in (("left", 1), ("right", -1)):
        angle = sign * 0.5 * torch.sin(2 * torch.pi * times.float())
        for above, below in (("hip", ("knee", "ankle")), ("shoulder", ("elbow", "wrist"))):
            centre = standing()[SKELETON.index(f"{side}_{above}")]
            for joint in below:
                n = SKELETON.index(f"{side}_{joint}")
                arm, cos, sin = standing()[n] - centre, angle.cos(), angle.sin()
                y, z = cos * arm[1] - sin * arm[2], sin * arm[1] + cos * arm[2]
                pose[:, n] = centre + torch.stack([arm[0].expand_as(y), y, z], -1)
            # the arm on the other side goes along with the leg
            angle = -angle
    return pose


def clip(people=2, frames=12, missing=(), name="clip.mp4"):
    """`people` in `frames`; `missing` are (person, frame) without a row, persons from 1."""
    rows = [(f, p) for f in range(frames) for p in range(1, people + 1) if (p, f) not in missing]
    frame = torch.tensor([f for f, _ in rows])
    person = torch.tensor([p for _, p in rows])
    time = frame.double() / RATE
    pose = walking(time)
    pose[:] += person[:, None, None]  # nobody is quite like another
    pose -= pose[:, :1].clone()
    translation = torch.stack([800.0 * (person - 1) + 40 * frame, 0 * frame, 4000.0 + 0 * frame], 1)
    size = torch.tensor([1280.0, 720.0]).repeat(len(rows), 1)
    focal = torch.full((len(rows),), 1100.0)
    points = pose + translation[:, None]
    keypoints = focal[:, None, None] * points[..., :2] / points[..., 2:] + size[:, None] / 2
    boxes = torch.cat([keypoints.amin(1) - 20, keypoints.amax(1) + 20], dim=1)
    return Results(
        skeleton=SKELETON,
        pose=pose,
        keypoints=keypoints,
        confidence=torch.linspace(0.3, 0.9, len(SKELETON)).repeat(len(rows), 1),
        synthesised=tuple(joint == "pelvis" for joint in SKELETON.joints),
        translation=translation,
        image_size=size,
        focal=focal,
        focal_source="given",
        image=(name,) * len(rows),
        person=tuple(str(p) for _, p in rows),
        frame=frame,
        time=time,
        filled=(person == 2) & (frame == 3),
        boxes=boxes,
        frame_rate=RATE,
    )
