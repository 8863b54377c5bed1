"""What a recipe says of its data, and opening it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.augment import Augmentation
from unihpe.datasets.coco.source import CocoSource, read_annotations
from unihpe.datasets.in_joints import in_joints
from unihpe.datasets.motion.source import MotionSource, TwoD, View, open_motion
from unihpe.datasets.people.source import PeopleSource
from unihpe.datasets.sets import open_recorded
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.settings import Settings


class DataSettings(Settings):
    """The data: where it is and how it is shown.

    Attributes:
        name: of the data set: "motion"; a recorded set; or "people", a folder of packed rendered
            people (train.pack, val.pack, test.pack); or "coco", photographs with 2D only.
        root: its file or folder; usually given on the command line.
        rig: names the joints of a BVH rig.
        skeleton: the joints that are trained on.
        split: the part that is trained on.
        held_out: the last share, in time, of what each person of a recorded set does of each
            action: not trained on, but validated with, in the place of the split 'val'. Of [data]
            alone: nothing else is validated with.
        apart: of the people of one view, in order of frames, a batch has one of so many at most, so
            that neighbouring frames are no
            false negatives of the contrastive losses: 25 is half a second at 50 Hz; 0 draws freely.
        two_d, balance, body_scale: see `MotionSource`.
        with_pose: of people; false withholds their 3D.
        keypoints: which 2D of a recorded set, see `open_recorded`.
        unknown_focal, joint_dropout, part_dropout, flip: see `prepare`.
        augmentation: of pictures.
        licence, description: of the data, for the checkpoint's card.
    """

    name: Literal[
        "motion", "people", "coco", "human36m", "humaneva", "mpi_inf_3dhp", "threedpw"
    ] = "motion"
    root: str = ""
    rig: str = ""
    skeleton: str = "human36m17"
    split: str = "train"
    held_out: float = Field(0.0, ge=0, lt=1)
    apart: int = Field(0, ge=0)
    two_d: TwoD = "both"
    with_pose: bool = True
    keypoints: str = "gt"
    balance: float = Field(0.0, ge=0, le=1)
    body_scale: float = Field(0.0, ge=0, lt=1)
    unknown_focal: float = Field(0.5, ge=0, le=1)
    joint_dropout: float = Field(0.0, ge=0, lt=1)
    part_dropout: float = Field(0.0, ge=0, le=1)
    flip: float = Field(0.0, ge=0, le=1)
    augmentation: Augmentation = Augmentation()
    description: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def fits_its_set(self) -> DataSettings:
        if self.held_out and self.name in ("motion", "people", "coco"):
            raise ValueError(
                f"held_out is a share of a recorded set; {self.name} has a split 'val' of its own: leave it out"
            )
        if self.apart and self.balance:
            raise ValueError("apart draws all people alike: set balance to 0")
        return self


class MixSettings(DataSettings):
    """More data: `share` of each batch comes from it."""

    share: float = Field(gt=0, lt=1)


def open_source(
    data: DataSettings,
    *,
    split: str | None,
    view: View,
    two_d: TwoD | None = None,
    stride: int = 1,
    part: Literal["whole", "trained", "held out"] = "whole",
) -> Source:
    """The recipe's data as a source.

    Args:
        part: of a recorded set whose settings hold a part out.

    Raises:
        InputError: if no root is named or it cannot be read.
    """
    if not data.root:
        raise InputError(
            "the recipe names no data: add --set data.root=FOLDER (docs/data.md says where to get some)"
        )
    root = Path(data.root)
    if not root.exists():
        raise InputError(
            f"no data at {root}: check data.root (docs/data.md says where to get some)"
        )
    random_view = view == "random"
    if data.name == "people":
        return PeopleSource(
            root / f"{split}.pack", data.augmentation if random_view else None, data.with_pose
        )
    if data.name == "coco":
        return CocoSource(read_annotations(root, split), data.augmentation if random_view else None)
    if data.name != "motion":
        recorded = open_recorded(data.name, root, data.keypoints, split, stride)
        if data.held_out and part != "whole":
            recorded = recorded.held_out(data.held_out)[part == "held out"]
        return in_joints(recorded, get_skeleton(data.skeleton))
    motion = open_motion(root, Path(data.rig) if data.rig else None).converted(
        get_skeleton(data.skeleton)
    )
    return MotionSource(
        motion.select(split, stride),
        view,
        two_d or data.two_d,
        balance=data.balance if random_view else 0.0,
        body_scale=data.body_scale if random_view else 0.0,
    )
