"""Named protocols: how the field scores each data set, as records that decide what is measured and
say it in words.

"Protocol 1" and "2" mean two errors on the same frames in lifting papers, and two sets of cameras
in papers that fit SMPL: names here say whose. Sources and disagreements are described in
docs/protocols.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from unihpe.body.metrics import align, auc_3d, mpjpe, n_mpjpe, pa_mpjpe, pck_3d
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.human36m.views import DRIFTING, second_take
from unihpe.datasets.recorded import View
from unihpe.errors import InputError
from unihpe.evaluation.words import Protocol

Metric = Literal[
    "MPJPE", "PA-MPJPE", "PA-MPJPE, reflections allowed", "N-MPJPE", "3DPCK@150", "AUC"
]
LIMBS = tuple(
    f"{side}_{part}"
    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    for side in ("left", "right")
)
LSP_14 = (*LIMBS, "thorax", "head")  # in Human3.6M's words; the neck and the top of the head
OFFICIAL_3DHP = (*LIMBS, "neck", "head_top")
ERRORS: tuple[Metric, ...] = ("MPJPE", "PA-MPJPE", "N-MPJPE")
IN_MM = ("MPJPE", "PA-MPJPE", "PA-MPJPE, reflections allowed", "N-MPJPE")  # the others are shares


@dataclass(frozen=True)
class Figure:
    """One number of a protocol: a metric over some joints; () is all of them."""

    metric: Metric
    joints: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Rules:
    """A protocol.

    Attributes:
        name, data: what it is called, and the data set it belongs to.
        about: whose it is, and what may be compared with it.
        figures: what is measured.
        split, stride: which frames.
        root: the joint both poses are moved to; "mid_hip" is half way between the hips.
        averaging: "groups", the plain mean over the set's groups (actions), or "poses", the mean
            over all poses.
        cameras, actions: those that count; () is all.
        first_take: only the first take of each action.
        without: (subject, sequence) or (subject, sequence, camera) left out, and `why`.
        flip: whether the published numbers use the flip test.
        truth: of MPI-INF-3DHP.
        joints_from: the joint set the data must have, where that is part of the protocol.
    """

    name: str
    data: str
    about: str
    figures: tuple[Figure, ...]
    split: str = "test"
    stride: int = 1
    root: str = "pelvis"
    averaging: Literal["groups", "poses"] = "groups"
    cameras: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    first_take: bool = False
    without: tuple[tuple[str, ...], ...] = ()
    why: str = ""
    flip: bool = False
    truth: Literal["annot3", "univ_annot3"] = "annot3"
    joints_from: str = ""

    def wants(self, view: View) -> bool:
        """Whether a view is scored."""
        return (
            view.split == self.split
            and (not self.cameras or view.camera in self.cameras)
            and (not self.actions or view.action in self.actions)
            and not (self.first_take and second_take(view))
            and (view.subject, view.sequence) not in self.without
            and (view.subject, view.sequence, view.camera) not in self.without
        )

    def words(
        self,
        layout: str,
        keypoints: str,
        flip: bool,
        focal: str,
        joints: str,
        apart: int | None = None,
        lacks: Sequence[str] = (),
    ) -> Protocol:
        """The protocol in words that suffice to redo a number.

        Args:
            joints: which are all that can be scored.
            apart: frames from one that is scored to the next, if that may not be `stride`, as in a
                copy with fewer frames.
            lacks: what the copy does not have.
        """
        chosen = [f"cameras {', '.join(self.cameras)}" if self.cameras else "all cameras"]
        chosen += [f"actions {', '.join(self.actions)}"] if self.actions else []
        chosen += ["first takes only"] if self.first_take else []
        apart = self.stride if apart is None else apart
        frames = every(apart) if apart == 1 else f"{every(apart)} of each sequence"
        frames += f" (the protocol: {every(self.stride)})" if apart != self.stride else ""
        figures = {
            figure.name or figure.metric: f"{len(figure.joints)}: {', '.join(figure.joints)}"
            if figure.joints
            else joints
            for figure in self.figures
        }
        means = {
            "groups": "mean over joints, then over the poses of a group, then the plain mean over groups",
            "poses": "mean over joints, then over all poses; groups are shown beside",
        }
        left_out = [" ".join(one) for one in self.without]
        exclusions = f"{', '.join(left_out)}: {self.why}" if left_out else self.why or "none"
        return Protocol(
            name=self.name,
            data=f"{layout}, split {self.split}, {frames}, {', '.join(chosen)}, 2D {keypoints},"
            f" flip test {'beside' if flip else 'no'}; focal length in the box token: {focal}",
            joints="; ".join(f"{name} over {which}" for name, which in figures.items()),
            root=f"{self.root.replace('_', ' ')} at the origin, camera axes",
            alignment="MPJPE none; PA-MPJPE rotation, translation and scale"
            + (
                "; a reflection too where said"
                if any("reflections" in f.metric for f in self.figures)
                else ", no reflection"
            )
            + "; N-MPJPE scale only; 3DPCK nearer than 150 mm, AUC its mean over 0, 5, …, 150 mm",
            averaging=means[self.averaging],
            exclusions="; ".join([exclusions, *(f"the copy: {line}" for line in lacks)]),
            about=self.about,
        )


def every(step: int) -> str:
    """Which frames a step takes, in words."""
    return "every frame" if step == 1 else f"every {step}th frame"


def h36m(name: str, about: str, **changes: object) -> Rules:
    """One of Human3.6M's."""
    figures = tuple(Figure(metric) for metric in ERRORS)
    return replace(Rules(name, "human36m", about, figures), **changes)  # type: ignore[arg-type]


FOURTEEN = (Figure("MPJPE", LSP_14), Figure("PA-MPJPE", LSP_14))
BROKEN = (("S11", "Directions"),)
BROKEN_WHY = "a video of it is broken, as in VideoPose3D"
CHALLENGE_CAMERA = ("60457274",)
RULES: tuple[Rules, ...] = (
    h36m(
        "videopose3d",
        "protocols 1 (MPJPE), 2 (PA) and 3 (N) of Martinez et al. and VideoPose3D, whose numbers use the flip test; the paper's lifting"
        " rows of table 1 stand beside these",
        without=BROKEN,
        why=BROKEN_WHY,
        flip=True,
    ),
    h36m(
        "videopose3d-without-drift",
        "the same without the three sequences of S9 whose 3D drifts, as learnable triangulation, MotionBERT and HybrIK leave them out",
        without=(*BROKEN, *DRIFTING),
        why=f"{BROKEN_WHY}; S9's 3D drifts there",
        flip=True,
    ),
    h36m(
        "every-64th",
        "integral regression's and 3DMPPE's 'protocol 2': every 64th frame of 50 Hz, all poses alike",
        stride=64,
        averaging="poses",
    ),
    h36m(
        "every-5th",
        "17 joints, all cameras, every 5th frame of 50 Hz: what we recommend for models that look at pictures",
        stride=5,
        averaging="poses",
        without=BROKEN,
        why=BROKEN_WHY,
    ),
    h36m(
        "hmr-p1",
        "HMR's protocol 1: 14 joints, mid-hip root, every 5th frame; HMR's own joints come from mocap, SMPL papers' from a regressor",
        figures=FOURTEEN,
        stride=5,
        root="mid_hip",
        averaging="poses",
        without=(("S11", "Directions", "54138969"),),
        why="its video is broken",
    ),
    h36m(
        "hmr-p2",
        "HMR's protocol 2: protocol 1 on the frontal camera, first takes only",
        figures=FOURTEEN,
        stride=5,
        root="mid_hip",
        averaging="poses",
        cameras=CHALLENGE_CAMERA,
        first_take=True,
    ),
    h36m(
        "spin-p1",
        "SPIN's protocol 1: 14 joints, pelvis root, every 5th frame; SMPL papers quote MPJPE from it, and so does table 1's image half",
        figures=FOURTEEN,
        stride=5,
        averaging="poses",
    ),
    h36m(
        "spin-p2",
        "SPIN's protocol 2: protocol 1 on the frontal camera, both takes; SMPL papers quote PA-MPJPE from it",
        figures=FOURTEEN,
        stride=5,
        averaging="poses",
        cameras=CHALLENGE_CAMERA,
    ),
    Rules(
        "official",
        "mpi_inf_3dhp",
        "the test code of the set: 3DPCK and AUC over 14 joints, MPJPE over all with the root, poses of one height (univ_annot3)",
        (Figure("3DPCK@150", OFFICIAL_3DHP), Figure("AUC", OFFICIAL_3DHP), Figure("MPJPE")),
        averaging="poses",
        truth="univ_annot3",
        joints_from="mpi_inf_3dhp17",
    ),
    Rules(
        "all-joints",
        "mpi_inf_3dhp",
        "metric poses (annot3), every joint: as ZeDO and MMPose average",
        (Figure("3DPCK@150"), Figure("AUC"), Figure("MPJPE"), Figure("PA-MPJPE")),
        averaging="poses",
    ),
    Rules(
        "limbs",
        "mpi_inf_3dhp",
        "metric poses, the 12 limb joints that every set has: for models trained on another set's joints; compares with no table",
        (
            Figure("3DPCK@150", LIMBS),
            Figure("AUC", LIMBS),
            Figure("MPJPE", LIMBS),
            Figure("PA-MPJPE", LIMBS),
        ),
        averaging="poses",
    ),
    Rules(
        "smpl-14",
        "threedpw",
        "the standard of SMPL papers: 14 joints regressed from SMPL's surface, pelvis root, test split",
        FOURTEEN,
        averaging="poses",
        joints_from="human36m17",
    ),
    Rules(
        "zedo-17",
        "threedpw",
        "ZeDO's, the likely source of the paper's 3DPW rows: 17 regressed joints, 2D projected from them, every 35th sample of its"
        " file (here all), PA with reflections allowed, which is equal or lower than without",
        (Figure("MPJPE"), Figure("PA-MPJPE, reflections allowed"), Figure("PA-MPJPE")),
        averaging="poses",
        joints_from="human36m17",
    ),
    Rules(
        "limbs",
        "threedpw",
        "jointPositions, SMPL's own joints, 12 limb joints: hips and shoulders lie elsewhere than in any table: not comparable",
        (Figure("MPJPE", LIMBS), Figure("PA-MPJPE", LIMBS)),
        averaging="poses",
    ),
    Rules(
        "actions",
        "humaneva",
        "VideoPose3D's: Walk, Jog and Box of Validate, per subject and action; the mean over subjects of the mean over actions",
        (Figure("MPJPE"), Figure("PA-MPJPE")),
        split="val",
        actions=("Walking", "Jog", "Box"),
        flip=True,
    ),
)


def rules_of(data: str, name: str) -> Rules:
    """A protocol by its data set and name.

    Raises:
        InputError: naming the known ones.
    """
    known = {rules.name: rules for rules in RULES if rules.data == data}
    if not known:
        raise InputError(f"--protocol: {data} has one protocol only; leave the option out")
    if name not in known:
        raise InputError(f"--protocol {name}: {data} has {', '.join(known)}")
    return known[name]


def every_joint(data: str) -> Rules:
    """What is measured where no protocol is named: every joint there is, by the set's groups."""
    return Rules("every joint", data, "", tuple(Figure(metric) for metric in ERRORS))


def scores(guess: Tensor, truth: Tensor, skeleton: Skeleton, rules: Rules) -> dict[str, Tensor]:
    """The figures of each pose: guess and truth (N, J, 3), mm → (N,) by name; a joint that is NaN
    in the truth does not count.

    Raises:
        InputError: where a joint that the protocol scores is none of the skeleton's.
    """
    guess, truth = (pose - origin(pose, skeleton, rules.root) for pose in (guess, truth))
    found = {}
    for figure in rules.figures:
        columns = columns_of(figure, skeleton, rules)
        p, t = guess[:, columns], truth[:, columns]
        seen = torch.isfinite(t).all(-1)
        value = METRICS[figure.metric](p, torch.where(seen[..., None], t, 0.0), seen)
        found[figure.name or figure.metric] = value if figure.metric in IN_MM else 100 * value
    return found


def columns_of(figure: Figure, skeleton: Skeleton, rules: Rules) -> list[int]:
    """The columns of a figure's joints."""
    lacking = [joint for joint in figure.joints if joint not in skeleton.joints]
    if lacking:
        raise InputError(
            f"protocol {rules.name} scores {', '.join(lacking)}, which {skeleton.name} does not have;"
            " take a protocol over joints that this model estimates, such as limbs"
        )
    return [skeleton.index(joint) for joint in figure.joints or skeleton.joints]


def origin(pose: Tensor, skeleton: Skeleton, root: str) -> Tensor:
    """The root of each pose, (N, J, 3) → (N, 1, 3)."""
    names = (
        ("left_hip", "right_hip") if root == "mid_hip" or root not in skeleton.joints else (root,)
    )
    return pose[:, [skeleton.index(name) for name in names]].mean(1, keepdim=True)


def pa_reflected(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """PA-MPJPE where a mirror image may be turned back, as some code does: of pose and mirror image, the better fit by least squares."""
    mirrored = pose * pose.new_tensor([-1.0, 1.0, 1.0])
    plain, turned = (align(p, target, seen) for p in (pose, mirrored))
    square = [mean_square(p, target, seen) for p in (plain, turned)]
    return mpjpe(torch.where((square[0] <= square[1])[:, None, None], plain, turned), target, seen)


def mean_square(pose: Tensor, target: Tensor, seen: Tensor | None) -> Tensor:
    """Mean square distance of the joints that are seen, (N,)."""
    square = (pose - target).square().sum(-1)
    return square.mean(1) if seen is None else (square * seen).sum(1) / seen.sum(1).clamp_min(1)


METRICS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "MPJPE": mpjpe,
    "PA-MPJPE": pa_mpjpe,
    "PA-MPJPE, reflections allowed": pa_reflected,
    "N-MPJPE": n_mpjpe,
    "3DPCK@150": pck_3d,
    "AUC": auc_3d,
}
