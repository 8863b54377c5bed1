"""Crops of people: side by side, and results whose pictures are crops."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, crop_matrix
from unihpe.body.skeleton import Skeleton
from unihpe.export.results import Results
from unihpe.show.draw import blank, draw_2d, save_png


def in_crops(results: Results, box: Tensor) -> Results:
    """Results whose pictures are crops of boxes (N, 4): their 2D in pixels of the crops."""
    maps = [crop_matrix(one.double().numpy(), CROP_WIDTH, CROP_HEIGHT) for one in box]
    matrix = torch.stack([torch.from_numpy(each) for each in maps]).float()
    keypoints = results.keypoints @ matrix[..., :2].mT + matrix[:, None, :, 2]
    size = torch.tensor([float(CROP_WIDTH), float(CROP_HEIGHT)]).expand(len(results), 2)
    image = tuple(f"person {n}" for n in range(len(results)))
    person = ("0",) * len(results)
    return replace(results, keypoints=keypoints, image_size=size, image=image, person=person)


def draw_crops(people: Sequence[LabelledCrop], skeleton: Skeleton, out: Path, columns: int) -> None:
    """People's crops side by side as a PNG, with the 2D joints that are inside drawn over them."""
    seen = [(one.picture, one.crop_keypoints, one.visibility.astype(float)) for one in people]
    tiles = [draw_2d(*each, skeleton) for each in seen]
    tiles += [blank(CROP_WIDTH, CROP_HEIGHT)] * (-len(tiles) % columns)
    lines = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    save_png(out, np.vstack(lines))
