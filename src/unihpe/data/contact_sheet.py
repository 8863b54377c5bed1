"""A page of a data set's people, to see with one's own eyes that 2D lies where the people are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from unihpe.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.data.check import EXPECTED
from unihpe.data.coco import CocoSource, annotation_files, read_annotations
from unihpe.data.motion import MotionSource, open_motion
from unihpe.data.prepare import prepare
from unihpe.data.recorded import spread
from unihpe.data.source import Source
from unihpe.draw import blank, draw_2d, save_png, sheet


def draw_contact_sheet(
    name: str, root: Path, out: Path, layout: str | None = None, columns: int = 8, rows: int = 4
) -> None:
    """People spread over a set, as PNG: photographs with their 2D drawn on, or stick figures of the 2D where there are none."""
    if name == "coco":
        file = root if root.is_file() else annotation_files(root)[0]
        source: Source = CocoSource(read_annotations(file))
    elif name == "motion":
        source = MotionSource(open_motion(root), "fixed")
    else:
        source = EXPECTED[name].open(root, layout, False)
    frames = source.read(spread(len(source), columns * rows), torch.Generator().manual_seed(0))
    batch = prepare(frames, source.skeleton)
    tiles = []
    for n in range(len(batch)):
        paper = blank(CROP_WIDTH, CROP_HEIGHT) if batch.image is None else batch.image[n].permute(1, 2, 0).numpy()
        spots = batch.keypoints[n].numpy() * CROP_HEIGHT / 2 + [CROP_WIDTH / 2, CROP_HEIGHT / 2]
        tiles.append(
            (draw_2d(np.ascontiguousarray(paper), spots, batch.confidence[n].numpy(), source.skeleton), frames.group[n])
        )
    lines = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    save_png(out, sheet(lines, f"{name}, {len(source)} people"))
