"""The README's picture: people of `unihpe demo`, their 2D over the crop, their 3D below it.

python benchmarks/readme_picture.py docs/demo.png
"""

import sys
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

import unihpe
from unihpe.body.prepare import root_relative
from unihpe.datasets.packed import PeopleSource
from unihpe.inference.predictor import Options
from unihpe.io.picture import Picture
from unihpe.show.colours import TRUTH
from unihpe.show.crops import in_crops
from unihpe.show.draw import blank, draw_2d
from unihpe.show.space import Figure, draw_3d

PEOPLE = (0, 6, 8, 11)
WIDTH, HEIGHT, GAP = 600, 800, 24  # of a crop, pixels; halved at the end
DRAWN = 12  # hypotheses behind a pose


def columns() -> list[Picture]:
    """A column for each person."""
    pack = Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack")))
    source = PeopleSource(pack)
    frames = source.read(torch.arange(len(source)), torch.Generator())
    assert frames.pose is not None and frames.box is not None and frames.image is not None
    results = unihpe.load(device="cpu").predict_crops(frames, Options(samples=20))
    truth, flat = root_relative(frames.pose, source.skeleton), in_crops(results, frames.box)
    assert results.samples is not None
    made = []
    for n in PEOPLE:
        crop = frames.image[n].permute(1, 2, 0).numpy()
        large = cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        spots = flat.keypoints[n].numpy() * WIDTH / crop.shape[1]
        seen = flat.confidence[n].numpy()
        over = draw_2d(np.asarray(large, np.uint8), spots, seen, source.skeleton)
        hypotheses = results.samples[:DRAWN, n].numpy()
        figures = [Figure(pose, width=1.4, opacity=0.35) for pose in hypotheses]
        figures += [Figure(truth[n].numpy(), TRUTH, 2.6)]
        figures += [Figure(results.pose[n].numpy(), width=4.0)]
        below = draw_3d(figures, source.skeleton, WIDTH, 55.0, 10.0)
        made.append(np.vstack([over, blank(WIDTH, GAP // 3, (255, 255, 255)), below]))
    return made


def main(file: Path) -> None:
    parts = columns()
    gap = blank(GAP, len(parts[0]), (255, 255, 255))
    page = np.hstack([part for column in parts for part in (column, gap)][:-1])
    small = Image.fromarray(page).resize((page.shape[1] // 2, page.shape[0] // 2))
    small.quantize(256).save(file, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
