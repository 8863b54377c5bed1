"""The record of a data set: everything about it that the rest of the package asks for."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import DATA_SETS
from unihpe.datasets.counts import Split
from unihpe.datasets.index import indexed
from unihpe.datasets.protocol import EVERY_JOINT, Protocol
from unihpe.datasets.recorded import Recorded, View, Wanted
from unihpe.datasets.source import Source, in_joints
from unihpe.datasets.variety import Variety
from unihpe.errors import InputError

if TYPE_CHECKING:
    from unihpe.datasets.settings import DataSettings, Part

PictureNames = Callable[[View, int], list[str]]  # files that may show a frame, the likely one first


@dataclass(frozen=True)
class Reading:
    """What of a recorded set is read, and how."""

    keypoints: str = "gt"  # which 2D: gt; exact, projected 3D; or what the reader offers besides
    split: str | None = None  # None takes all; readers may read more than the split
    layout: str | None = None  # None tells it from the files
    verify: bool = True  # refuse wrong units and swapped legs
    truth: str | None = None  # which 3D, of sets that have several; None takes what the copy has
    joints: str = ""  # which joints, of sets that have several


@dataclass(frozen=True)
class Recording:
    """What only sets recorded by real cameras have: layouts, 2D and 3D to compare, known copies."""

    read: Callable[[Path, Reading], Recorded]
    layouts: tuple[str, ...]
    median_px: float  # a larger median re-projection error is a problem
    known: Mapping[str, Split]  # what is known of the copies of each split
    unit: Callable[[str], str] = lambda layout: "m"  # of 3D in the files of a layout
    calibration: Callable[[str], str] = lambda layout: "the set's own"  # where cameras come from
    best_2d: Callable[[Path, str | None], str] = lambda root, layout: "gt"  # of a folder, by layout
    thinned: tuple[str, ...] = ()  # layouts that keep frames of training by rules of their own
    crowded: bool = False  # several people in one sequence
    pictures: PictureNames | None = None
    videos: PictureNames = lambda view, frame: []
    # what an index can stand for: its name, and every file that is read; without files, no index
    index: Callable[[Path, Reading], tuple[str, list[Path]]] = lambda root, reading: ("", [])
    lens: type[Camera] = Camera
    remedy: str = ""  # where a copy lacks the joints of a protocol

    def open(
        self, root: Path, reading: Reading, stride: int = 1, wanted: Wanted = lambda view: True
    ) -> Recorded:
        """One split, every `stride`-th frame of each view that is wanted; large sets by an index.

        InputError for what cannot be read, or a split without a frame.
        """
        split, (name, files) = reading.split, self.index(root, reading)
        recorded = indexed(root, files, name, lambda: self.read(root, reading), self.lens)
        return recorded.select(lambda view: split in (None, view.split) and wanted(view), stride)

    def open_best(self, root: Path, layout: str | None, verify: bool = True) -> Recorded:
        """All of a folder with the best 2D that it has; InputError for what cannot be read."""
        return self.read(root, Reading(self.best_2d(root, layout), None, layout, verify))

    def source(self, data: "DataSettings", part: "Part") -> Source:
        """The part that a recipe or evaluation asks for, in its joints."""
        reading = Reading(data.keypoints, part.split)
        recorded = self.open(Path(data.root), reading, part.stride)
        if data.held_out and (part.training or part.held_out):
            recorded = recorded.held_out(data.held_out)[part.held_out]
        return in_joints(recorded, get_skeleton(data.skeleton))


@dataclass(frozen=True)
class DataSet:
    """A data set: where it comes from, how it is opened, and how it is scored."""

    name: str
    where: str  # it comes from
    terms: str  # in a few words
    open: Callable[["DataSettings", "Part"], Source]
    files: Callable[[Path], Sequence[Path]] = lambda root: []  # of the set in a folder, if any
    recording: Recording | None = None
    # of a folder and, for motion, a rig; of sets that are not recorded
    check: Callable[[Path, Path | None], dict[str, Any]] | None = None
    # whether files of a split alone are there: then one that cannot be opened is an error
    has_own_files: Callable[[Path, str], bool] = lambda root, split: False
    # so many poses of a split of some files, drawn by a seed: (N, 17, 3), mm, y up, of sets in
    # world axes; what people are rendered in
    world_poses: Callable[[Sequence[Path], str, int, int, Variety], Tensor] | None = None
    protocols: tuple[Protocol, ...] = ()
    default: Protocol = EVERY_JOINT  # what is measured where no protocol is named
    remedy: str = "docs/data.md says where to get some"  # where there is no data

    def protocol(self, name: str) -> Protocol:
        """A named protocol; InputError naming the known ones."""
        known = {protocol.name: protocol for protocol in self.protocols}
        if not known:
            raise InputError(f"--protocol: {self.name} has one protocol only; leave the option out")
        if name not in known:
            raise InputError(f"--protocol {name}: {self.name} has {', '.join(known)}")
        return known[name]

    def with_pictures(self) -> Recording:
        """The recording of a set whose pictures can be read; InputError for others."""
        if self.recording is None or self.recording.pictures is None:
            recorded = ((name, one.recording) for name, one in DATA_SETS.items())
            having = ", ".join(name for name, one in recorded if one and one.pictures)
            raise InputError(f"pictures of {self.name} cannot be read; there are those of {having}")
        return self.recording

    def require_layout(self, layout: str | None) -> None:
        """Raise for a layout that the set does not have."""
        known = self.recording.layouts if self.recording else ()
        if layout is not None and layout not in known:
            has = ", ".join(known) or "one only: leave the option out"
            raise InputError(f"{self.name} has no layout '{layout}'; there is {has}")

    def lies_in(self, root: Path) -> bool:
        with suppress(OSError, InputError):
            return bool(self.files(root))
        return False
