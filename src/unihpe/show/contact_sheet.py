"""A page of a data set's people, to see with one's own eyes that 2D lies where the people are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.batch import FEWEST_JOINTS, evenly_spaced
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, crop
from unihpe.body.prepare import prepare
from unihpe.datasets.check_open import EXPECTED
from unihpe.datasets.coco.source import CocoSource, annotation_files, read_annotations
from unihpe.datasets.motion.source import MotionSource, open_motion
from unihpe.datasets.pictures import PICTURES, Pictures, near_the_beginning
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.picture import Picture
from unihpe.show.draw import blank, draw_2d, save_png, sheet


def draw_contact_sheet(
    name: str, root: Path, out: Path, layout: str | None = None, columns: int = 8, rows: int = 4
) -> None:
    """People spread over a set, as PNG: pictures with their 2D drawn on, or stick figures of the 2D where there are none."""
    if name == "coco":
        file = root if root.is_file() else annotation_files(root)[0]
        source: Source = CocoSource(read_annotations(file))
    elif name == "motion":
        source = MotionSource(open_motion(root), "fixed")
    else:
        source = EXPECTED[name].open(root, layout, False)
    pictures = Pictures(name, root) if name in PICTURES else None
    chosen = evenly_spaced(len(source), columns * rows)
    if pictures is not None and isinstance(source, Recorded):
        chosen = torch.tensor(
            [near_the_beginning(source, pictures, row) for row in chosen.tolist()]
        )
    frames = source.read(chosen, torch.Generator().manual_seed(0))
    enough = (frames.confidence > 0).sum(1) >= FEWEST_JOINTS
    if not bool(enough.all()):
        if not bool(enough.any()):
            raise InputError(
                f"{root}: nobody to draw: of {len(chosen)} people none has {FEWEST_JOINTS} joints in 2D"
            )
        chosen = chosen[enough]
        frames = source.read(chosen, torch.Generator().manual_seed(0))
    batch = prepare(frames, source.skeleton)
    tiles = []
    for n, row in enumerate(chosen.tolist()):
        paper = blank(CROP_WIDTH, CROP_HEIGHT)
        if batch.image is not None:
            paper = np.ascontiguousarray(batch.image[n].permute(1, 2, 0).numpy())
        elif pictures is not None and isinstance(source, Recorded) and batch.box is not None:
            paper = cropped(source, pictures, row, batch.box[n].double().numpy())
        spots = batch.keypoints[n].numpy() * CROP_HEIGHT / 2 + [CROP_WIDTH / 2, CROP_HEIGHT / 2]
        tiles.append(
            (draw_2d(paper, spots, batch.confidence[n].numpy(), source.skeleton), frames.group[n])
        )
    lines = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    save_png(out, sheet(lines, f"{name}, {len(source)} people"))


def cropped(
    source: Recorded, pictures: Pictures, row: int, box: np.ndarray[Any, np.dtype[np.float64]]
) -> Picture:
    """The picture of one person about its box; blank where it is not there or cannot be read."""
    view, frame = source.views[int(source.view[row])], int(source.frame[row])
    if pictures.find(view, frame) is None:
        return blank(CROP_WIDTH, CROP_HEIGHT)
    try:
        return crop(pictures.read(view, frame), box, CROP_WIDTH, CROP_HEIGHT)
    except InputError:
        return blank(CROP_WIDTH, CROP_HEIGHT)
