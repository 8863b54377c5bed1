"""Packed people as a `Source`: crops with their 2D and 3D, rendered or of a recorded set, augmented for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import Frames, LabelledCrop
from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.augment import Augmentation, Crop, augment
from unihpe.datasets.pack import PackedPeople


class PeopleSource:
    """A packed set (`unihpe.datasets.pack`).

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
        self.packed = file if isinstance(file, PackedPeople) else PackedPeople(file)
        self.augmentation, self.with_pose, self.with_picture = augmentation, with_pose, with_picture

    @property
    def skeleton(self) -> Skeleton:
        return get_skeleton("human36m17")

    def __len__(self) -> int:
        return len(self.packed)

    def weights(self) -> Tensor:
        """All people alike, (len,)."""
        return torch.ones(len(self))

    def without_pictures(self) -> PeopleSource:
        """The same people, their 2D and 3D only."""
        return PeopleSource(self.packed, None, self.with_pose, with_picture=False)

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); a person's augmentation is drawn from `generator`."""
        if not self.with_picture:
            return self.read_poses(indices)
        seeds = torch.randint(2**62, (len(indices),), generator=generator).tolist()
        people = [self.packed[n] for n in indices.tolist()]
        self.packed.release()
        crops = [
            self.varied(crop_of(person), seed) for person, seed in zip(people, seeds, strict=True)
        ]
        camera = Camera(
            *(
                torch.stack(parts).float()
                for parts in zip(*(lens(person.camera) for person in people), strict=True)
            )
        )
        pose = torch.from_numpy(np.stack([crop.pose for crop in crops])).float()
        keypoints = torch.from_numpy(np.stack([crop.keypoints for crop in crops])).float()
        return Frames(
            keypoints,
            keypoints.isfinite().all(-1).float(),
            pose if self.with_pose else torch.full_like(pose, torch.nan),
            camera,
            tuple(person.group for person in people),
            indices,
            image=torch.from_numpy(np.stack([crop.picture for crop in crops]))
            .permute(0, 3, 1, 2)
            .contiguous(),
            box=torch.from_numpy(np.stack([crop.box for crop in crops])).float(),
        )

    def read_poses(self, indices: Tensor) -> Frames:
        """The people at `indices` (N,) without their pictures."""
        rows = indices.numpy()
        keypoints, pose = (
            torch.from_numpy(labels[rows]).float()
            for labels in (self.packed.keypoints, self.packed.pose)
        )
        camera = [self.packed.camera(n) for n in rows.tolist()]
        groups = tuple(self.packed.groups[n] for n in self.packed.arrays["group"][rows].tolist())
        box = torch.from_numpy(self.packed.box[rows]).float()
        self.packed.release()
        return Frames(
            keypoints,
            keypoints.isfinite().all(-1).float(),
            pose if self.with_pose else torch.full_like(pose, torch.nan),
            Camera(
                *(
                    torch.stack(parts).float()
                    for parts in zip(*(lens(one) for one in camera), strict=True)
                )
            ),
            groups,
            indices,
            box=box,
        )

    def varied(self, crop: Crop, seed: int) -> Crop:
        """The crop, augmented if this source does that."""
        if self.augmentation is None:
            return crop
        return augment(crop, self.skeleton, self.augmentation, np.random.default_rng(seed))


def crop_of(person: LabelledCrop) -> Crop:
    """A packed person as a crop."""
    size = person.camera.size.numpy().astype(np.float64)
    return Crop(
        person.picture,
        person.keypoints.astype(np.float64),
        person.pose.astype(np.float64),
        person.box,
        size,
    )


def lens(camera: Camera) -> tuple[Tensor, ...]:
    """A camera's tensors."""
    return camera.focal, camera.centre, camera.size, camera.rotation, camera.translation
