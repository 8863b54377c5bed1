"""Kinds of posture, told by geometry: by them scores are split and rare ones drawn more often.

World axes: y up. Heights are above the pose's own lowest joint and in leg lengths, so that neither
size nor where the floor is matters.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from unihpe.body.skeleton import Skeleton

KINDS = (
    "upright", "bent", "crouching", "sitting", "kneeling", "floor sitting", "all fours", "lying",
    "inverted",
)  # fmt: skip
NEEDED = {f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")} | {
    "pelvis", "thorax", "left_wrist", "right_wrist",
}  # fmt: skip


def postures(world: Tensor, skeleton: Skeleton) -> Tensor:
    """Which of `KINDS` each pose (N, J, 3) is, (N,) int64.

    The rules are tried from the last kind to the first; all that none holds for is upright.
    """
    joint = {name: world[:, skeleton.index(name)] for name in NEEDED}
    pelvis, thorax = joint["pelvis"], joint["thorax"]
    hip, knee, ankle, wrist = (
        torch.stack([joint[f"left_{name}"], joint[f"right_{name}"]], dim=1)
        for name in ("hip", "knee", "ankle", "wrist")
    )  # (N, 2, 3)
    thigh, shin = knee - hip, ankle - knee
    floor = world[..., 1].amin(1)
    leg = (thigh.norm(dim=-1) + shin.norm(dim=-1)).mean(1)

    def height(place: Tensor) -> Tensor:
        """In leg lengths, (N, ..., 3) → (N, ...)."""
        shape = -1, *(1,) * (place.dim() - 2)
        return torch.div(place[..., 1] - floor.view(shape), leg.view(shape))

    rise = normalize(thorax - pelvis, dim=-1)[:, 1]  # of the trunk: 1 upright, −1 head down
    level = normalize(thigh, dim=-1)[..., 1].abs() < 0.65  # thighs nearer to level than to upright
    bend = (normalize(thigh, dim=-1) * normalize(shin, dim=-1)).sum(-1)  # 1 is a straight knee
    behind = (ankle - pelvis[:, None])[..., [0, 2]].norm(dim=-1).amin(1) / leg
    seat, kneels = height(pelvis), height(knee).amin(1) < 0.2
    rules = {
        "bent": rise < 0.7,
        "crouching": (bend.mean(1) < 0.6) & (seat < 0.85),
        "sitting": level.all(1) & (bend.mean(1) < 0.75) & (seat < 0.8) & (behind > 0.2),
        "kneeling": kneels & (rise > 0.5),
        "floor sitting": (seat < 0.35) & (rise > 0.5),
        "all fours": (height(wrist).amin(1) < 0.2) & (rise < 0.6) & (seat > 0.3),
        "lying": (seat < 0.4) & (height(thorax) < 0.5) & (rise < 0.5),
        "inverted": (rise < -0.2) & (height(ankle).amax(1) > seat + 0.2),
    }
    kind = torch.zeros(len(world), dtype=torch.int64)
    for name, holds in rules.items():
        kind[holds] = KINDS.index(name)
    return kind
