"""A page of a data set's people, to see with one's own eyes that 2D lies where the people are."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from unihpe.body.batch import FEWEST_JOINTS, evenly_spaced
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, crop
from unihpe.body.prepare import prepare
from unihpe.datasets import get_data_set
from unihpe.datasets.pictures import Pictures, near_the_beginning
from unihpe.datasets.settings import DataSettings, Part
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.show.draw import blank, draw_2d, save_png, sheet


def draw_contact_sheet(
    name: str, root: Path, out: Path, layout: str | None = None, columns: int = 8, rows: int = 4
) -> None:
    """People evenly spaced over a set, as PNG: 2D drawn on pictures, or alone without pictures."""
    data_set, pictures = get_data_set(name), None
    if (recording := data_set.recording) is None:
        source: Source = data_set.open(DataSettings(name=name, root=str(root)), Part(two_d="exact"))
    else:
        source = recorded = recording.open_best(root, layout, verify=False)
        pictures = Pictures(recording, root) if recording.pictures else None
    chosen = evenly_spaced(len(source), columns * rows).tolist()
    if pictures:
        chosen = [near_the_beginning(recorded, pictures, row) for row in chosen]
    generator = torch.Generator().manual_seed(0)
    frames = source.read(torch.tensor(chosen), generator)
    enough = ((frames.confidence > 0).sum(1) >= FEWEST_JOINTS).tolist()
    if not any(enough):
        raise InputError(f"{root}: none of {len(chosen)} people has {FEWEST_JOINTS} joints in 2D")
    if not all(enough):
        chosen = [row for row, stays in zip(chosen, enough, strict=True) if stays]
        frames = source.read(torch.tensor(chosen), generator.manual_seed(0))
    batch = prepare(frames, source.skeleton)
    tiles = []
    for n, row in enumerate(chosen):
        paper = blank(CROP_WIDTH, CROP_HEIGHT)
        if batch.image is not None:
            paper = np.ascontiguousarray(batch.image[n].permute(1, 2, 0).numpy())
        elif pictures is not None and batch.box is not None:
            box = batch.box[n].double().numpy()
            with suppress(InputError):  # blank where it is not there or cannot be read
                paper = crop(pictures.read(*recorded.at(row)), box, CROP_WIDTH, CROP_HEIGHT)
        spots = batch.keypoints[n].numpy() * CROP_HEIGHT / 2 + [CROP_WIDTH / 2, CROP_HEIGHT / 2]
        drawn = draw_2d(paper, spots, batch.confidence[n].numpy(), source.skeleton)
        tiles.append((drawn, frames.group[n]))
    lines = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    shown = f"{len(tiles)} of {len(source)}" if len(tiles) < len(source) else f"{len(tiles)}"
    save_png(out, sheet(lines, f"{name}, {shown} people"))
