"""Packed people as a `Source`: crops with their 2D and 3D, augmented for training."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import Frames, LabelledCrop
from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.augment import Augmentation, Crop, augment, stacked
from unihpe.datasets.packed import PackedPeople
from unihpe.datasets.source import Source


class PeopleSource(Source):
    """A packed set (`unihpe.datasets.packed`).

    Args:
        file: the packed set.
        augmentation: None gives the crops as they were packed.
        with_pose: False withholds the 3D: pictures that have 2D only.
        with_picture: False leaves the pictures on the disk; nothing is augmented then.
    """

    def __init__(
        self,
        file: Path | PackedPeople,
        augmentation: Augmentation | None = None,
        with_pose: bool = True,
        with_picture: bool = True,
    ) -> None:
        self.packed = PackedPeople(file) if isinstance(file, Path) else file
        self.augmentation, self.with_pose, self.with_picture = augmentation, with_pose, with_picture

    @property
    def skeleton(self) -> Skeleton:
        return get_skeleton("human36m17")

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def layout(self) -> str:
        return "packed people"

    @property
    def has_pictures(self) -> bool:
        return self.with_picture

    @property
    def has_pose(self) -> bool:
        return self.with_pose

    def without_pictures(self) -> "PeopleSource":
        """The same people, their 2D and 3D only."""
        return PeopleSource(self.packed, None, self.with_pose, with_picture=False)

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); a person's augmentation is drawn from `generator`."""
        if not self.with_picture:
            rows = indices.numpy()
            labels = self.packed.keypoints[rows], self.packed.pose[rows], self.packed.box[rows]
            return self.frames(indices, *(torch.from_numpy(part).float() for part in labels))
        seeds = torch.randint(2**62, (len(indices),), generator=generator).tolist()
        people = (self.packed[n] for n in indices.tolist())
        crops = [self.varied(person, seed) for person, seed in zip(people, seeds, strict=True)]
        image, keypoints, pose, box = stacked(crops)
        return self.frames(indices, keypoints, pose, box, image)

    def frames(
        self,
        which: Tensor,
        keypoints: Tensor,
        pose: Tensor,
        box: Tensor,
        image: Tensor | None = None,
    ) -> Frames:
        """People with their cameras and groups."""
        rows = which.tolist()
        groups = tuple(self.packed.groups[int(self.packed.arrays["group"][n])] for n in rows)
        lenses = (self.packed.camera(n) for n in rows)
        parts = ((c.focal, c.centre, c.size, c.rotation, c.translation) for c in lenses)
        camera = Camera(*(torch.stack(part).float() for part in zip(*parts, strict=True)))
        self.packed.release()
        seen = keypoints.isfinite().all(-1).float()
        pose = pose if self.with_pose else torch.full_like(pose, torch.nan)
        return Frames(keypoints, seen, pose, camera, groups, which, image=image, box=box)

    def varied(self, person: LabelledCrop, seed: int) -> Crop:
        """A person's crop, augmented if this source does that."""
        labels = person.keypoints, person.pose, person.box, person.camera.size.numpy()
        crop = Crop(person.picture, *(part.astype(np.float64) for part in labels))
        if self.augmentation is None:
            return crop
        return augment(crop, self.skeleton, self.augmentation, np.random.default_rng(seed))
