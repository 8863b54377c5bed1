"""What a recipe says of its data, and opening it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from unihpe.datasets import DATA_SETS, DEFAULT, get_data_set, require_name
from unihpe.datasets.augment import Augmentation
from unihpe.datasets.source import Source
from unihpe.datasets.variety import AS_RECORDED, Variety
from unihpe.errors import InputError
from unihpe.settings import Settings

# 2D of virtual cameras: exact, with a detector's errors, half of the people each, or of a COCO
# detector, which knows limbs and nose.
TwoD = Literal["exact", "detected", "both", "coco"]


class DataSettings(Settings):
    """The data: which, where it is and how training sees it."""

    name: str = DEFAULT  # of the data set: one of `unihpe data info`, or my_module:DATA_SET
    root: str = ""  # its file or folder; usually given on the command line
    also: tuple[str, ...] = ()  # of motion: more files, which are read as one with `root`
    rig: str = ""  # TOML that names the joints of a BVH rig
    skeleton: str = "human36m17"  # the joints that are trained on
    split: str = "train"  # the part that is trained on
    # The last share, in time, of what each person of a recorded set does of each action: not
    # trained on, but validated with, in the place of the split "val". Of [data] alone.
    held_out: float = Field(0.0, ge=0, lt=1)
    # Of the people of one view, in order of frames, a batch has one of so many at most, so that
    # neighbouring frames are no false negatives of the contrastive losses: 25 is half a second at
    # 50 Hz; 0 draws freely.
    apart: int = Field(0, ge=0)
    two_d: TwoD = "both"
    with_pose: bool = True  # of packed people; false withholds their 3D
    keypoints: str = "gt"  # which 2D of a recorded set: gt, exact, cpn_ft_h36m_dbb, …
    # Training weight of the frames of a group of motions: size^(−balance).
    balance: float = Field(0.0, ge=0, le=1)
    body_scale: float = Field(0.0, ge=0, lt=1)  # random size of people, uniform within 1 ± this
    variety: Variety = Variety()  # of motion: how people vary beyond what was recorded
    unknown_focal: float = Field(0.5, ge=0, le=1)  # share of people whose focal length is assumed
    joint_dropout: float = Field(0.0, ge=0, lt=1)  # chance of each 2D joint to be left out
    part_dropout: float = Field(0.0, ge=0, le=1)  # share of people of whom 2D of a part is left out
    flip: float = Field(0.0, ge=0, le=1)  # share of people mirrored
    # Of photographs: pelvis, spine, thorax and head, where nobody marked them, are made of others.
    made_joints: bool = False
    augmentation: Augmentation = Augmentation()  # of pictures
    description: str = ""  # of the data, for the checkpoint's card
    licence: str = ""

    @field_validator("name")
    @classmethod
    def is_known(cls, name: str) -> str:
        require_name(name)
        return name

    @model_validator(mode="after")
    def fits_its_set(self) -> Self:
        if self.name != DEFAULT and (self.also or self.variety != AS_RECORDED):
            raise ValueError(f"also and [data.variety] are of {DEFAULT} alone: leave them out")
        if self.held_out and self.name in DATA_SETS and not DATA_SETS[self.name].recording:
            own = f"{self.name} has a split 'val' of its own"
            raise ValueError(f"held_out is a share of a recorded set; {own}: leave it out")
        if self.apart and self.balance:
            raise ValueError("apart draws all people alike: set balance to 0")
        return self


class MixSettings(DataSettings):
    """More data: `share` of each batch comes from it."""

    share: float = Field(gt=0, lt=1)


@dataclass(frozen=True)
class Part:
    """Which people of a data set are asked for, and what for."""

    split: str | None = None  # None takes all
    stride: int = 1  # every n-th frame of each view or motion
    training: bool = False  # with all that makes people vary, and without what is held out
    held_out: bool = False  # only what is held out
    two_d: TwoD | None = None  # None: as the settings
    cameras: Literal["fixed", "free"] = "fixed"  # virtual ones, where not training
    by: Literal["source", "posture"] = "source"  # what groups of motion are


def open_source(data: DataSettings, part: Part) -> Source:
    """A part of the recipe's data, or of an evaluation's; InputError if it cannot be read."""
    data_set = get_data_set(data.name)
    remedy = data_set.remedy
    for place in data.also:
        if not Path(place).exists():
            raise InputError(f"no data at {place}: check data.also")
    if not data.root:
        raise InputError(f"the recipe names no data: add --set data.root=FOLDER ({remedy})")
    if not Path(data.root).exists():
        raise InputError(f"no data at {data.root}: check data.root ({remedy})")
    return data_set.open(data, part)
