"""Results of a clip that are known to the pixel: people who stand beside each other and sway."""

import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.export.results import Results

SIZE = (640, 480)
FOCAL = 600.0
SKELETON = get_skeleton("human36m17")
STANDING = {  # mm from the pelvis: x right of the picture, y down; the left is the picture's right
    "pelvis": (0, 0),
    "hip": (130, 0),
    "knee": (170, 430),
    "ankle": (190, 850),
    "spine": (0, -250),
    "thorax": (0, -500),
    "nose": (0, -640),
    "head": (0, -750),
    "shoulder": (170, -480),
    "elbow": (330, -250),
    "wrist": (400, 0),
}


def standing():
    """A pose (17, 3), mm, that faces the camera."""
    rows = []
    for joint in SKELETON.joints:
        side, _, base = joint.rpartition("_")
        x, y = STANDING[base]
        rows.append((-x if side == "right" else x, y, 0))
    return torch.tensor(rows, dtype=torch.float32)


def results_of_a_clip(count, people, frames=True, samples=0):
    """Results of `people` people in each of `count` frames, 1.5 m apart, 4 m away, 25 a second."""
    frame = torch.arange(count).repeat_interleave(people)
    person = torch.arange(people).repeat(count)
    rows = len(frame)
    pose = standing().repeat(rows, 1, 1)
    pose[..., 2] = 60 * torch.sin(frame / 3)[:, None] * torch.linspace(-1, 1, 17)
    across = 1500.0 * (person - (people - 1) / 2) + 10 * frame
    root = torch.stack([across, torch.zeros(rows), torch.full((rows,), 4000.0)], dim=-1)
    absolute = pose + root[:, None]
    middle = torch.tensor(SIZE, dtype=torch.float32) / 2
    keypoints = absolute[..., :2] / absolute[..., 2:] * FOCAL + middle
    generator = torch.Generator().manual_seed(0)
    noise = 40 * torch.randn(samples, rows, 17, 3, generator=generator)
    return Results(
        skeleton=SKELETON,
        pose=pose,
        keypoints=keypoints,
        confidence=torch.ones(rows, 17),
        synthesised=(False,) * 17,
        translation=root,
        image_size=torch.tensor(SIZE, dtype=torch.float32).expand(rows, 2),
        focal=torch.full((rows,), FOCAL),
        focal_source="given",
        image=("clip.mp4",) * rows,
        person=tuple(str(n + 1) for n in person.tolist()),
        samples=pose + noise if samples else None,
        frame=frame if frames else None,
        time=frame.double() / 25 if frames else None,
        filled=torch.zeros(rows, dtype=torch.bool) if frames else None,
        frame_rate=25.0 if frames else None,
    )
