"""Packed people: crops and labels in one file a split, rendered or packed of a recorded set."""

from pathlib import Path

from unihpe.datasets.dataset import DataSet
from unihpe.datasets.packed import PeopleSource
from unihpe.datasets.protocol import PLAIN, Protocol
from unihpe.datasets.settings import DataSettings, Part
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.files import in_order

MAKE = "make it: `unihpe data render` renders people, `unihpe data pack` packs a recorded set"


def _open_set(data: DataSettings, part: Part) -> Source:
    """The people of a split, augmented in training; without a split, of the packed set `root`."""
    file = Path(data.root) / f"{part.split}.pack" if part.split else Path(data.root)
    if not file.exists():
        raise InputError(f"{file}: no packed set there; {MAKE}")
    return PeopleSource(file, data.augmentation if part.training else None, data.with_pose)


PACKED = Protocol(
    "packed-people",
    texts={
        **PLAIN,
        "data": "{layout}, split {split}, every picture as packed; focal length in the box token:"
        " {focal}",
        "joints": "{joints} ({skeleton}), seen or not",
        "exclusions": "{notes}",
    },
)
DATA_SET = DataSet(
    "people",
    "made by `unihpe data render`, or of a recorded set by `unihpe data pack`",
    "those of what they were made from",
    _open_set,
    lambda root: in_order(root.glob("*.pack")),
    has_own_files=lambda root, split: (root / f"{split}.pack").exists(),
    default=PACKED,
    remedy=MAKE,
)
