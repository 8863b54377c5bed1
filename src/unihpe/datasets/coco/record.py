"""COCO's photographs of people, with 2D alone; everything about it that the package asks for."""

from pathlib import Path

from unihpe.datasets.coco.check import check_coco
from unihpe.datasets.coco.source import SPLITS, CocoSource, annotation_files, read_annotations
from unihpe.datasets.dataset import DataSet
from unihpe.datasets.protocol import Protocol
from unihpe.datasets.settings import DataSettings, Part
from unihpe.datasets.source import Source


def open_set(data: DataSettings, part: Part) -> Source:
    """The people of a split, or of the first annotation file; augmented in training."""
    root = Path(data.root)
    several = annotation_files(root) if part.split is None and root.is_dir() else []
    people = read_annotations(several[0] if several else root, part.split)
    return CocoSource(people, data.augmentation if part.training else None)


def has_own_files(root: Path, split: str) -> bool:
    """Whether a split's pictures are there: annotations of all come in one archive."""
    name = SPLITS[split]
    pictures = any((folder / name).is_dir() for folder in (root, root / "images"))
    return pictures and bool(annotation_files(root, f"person_keypoints_{name}.json"))


def files(root: Path) -> list[Path]:
    """The annotation files of a folder, or one."""
    if root.is_file():
        return [root] if root.name.startswith("person_keypoints") else []
    return annotation_files(root)


PHOTOGRAPHS = Protocol(
    "photographs",
    texts={
        "data": "COCO's people, split {split}, crops of the annotated boxes; focal length in the"
        " box token: assumed √(W² + H²)",
        "joints": "the 12 limb joints: shoulders, elbows, wrists, hips, knees, ankles; visible"
        " (v = 2), and all marked (v > 0)",
        "root": "none: pixels of the picture",
        "alignment": "none; PCK by the larger side of the annotated box, EPE in pixels of the"
        " picture",
        "averaging": "mean over all joints of all people together",
        "exclusions": "{notes}",
    },
)
DATA_SET = DataSet(
    "coco",
    "cocodataset.org: train2017, val2017, annotations_trainval2017",
    "annotations CC BY 4.0; photographs: Flickr's terms",
    open_set,
    files,
    check=check_coco,
    has_own_files=has_own_files,
    default=PHOTOGRAPHS,
)
