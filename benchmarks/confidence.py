"""From which confidence on a joint is better used than left out: `--min-confidence` of `predict`.

python benchmarks/confidence.py MOTION.npz

The included model lifts people of the test split whose 2D a detector's noise model has seen
(`unihpe.datasets.motion.detector`), with the joints below each limit left out: as it is; and with
the legs of half of the people out of the picture, where detectors guess: anywhere in the box, with
a confidence of at most 0.3. MPJPE, mm.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import unihpe
from unihpe.body.batch import Frames, evenly_spaced
from unihpe.body.metrics import mpjpe
from unihpe.body.prepare import root_relative
from unihpe.datasets.settings import DataSettings, Part, open_source

LIMITS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
PEOPLE, GUESSED = 4000, 0.3
LEGS = ("left_knee", "left_ankle", "right_knee", "right_ankle")


def with_guesses(frames: Frames, legs: list[int], generator: torch.Generator) -> Frames:
    points, seen = frames.keypoints.clone(), frames.confidence.clone()
    known = points.nan_to_num(nan=torch.inf)
    low, high = known.amin(1), points.nan_to_num(nan=-torch.inf).amax(1)
    people = torch.arange(0, len(points), 2)
    shape = (len(people), len(legs))
    spots = torch.rand(*shape, 2, generator=generator)
    guesses = low[people, None] + spots * (high - low)[people, None]
    points[people[:, None], torch.tensor(legs)] = guesses
    confidence = torch.rand(shape, generator=generator) * GUESSED
    seen[people[:, None], torch.tensor(legs)] = confidence
    return replace(frames, keypoints=points, confidence=seen)


def main(path: Path) -> None:
    model, generator = unihpe.load(device="cpu"), torch.Generator().manual_seed(0)
    source = open_source(DataSettings(root=str(path)), Part(split="test", two_d="detected"))
    frames = source.read(evenly_spaced(len(source), PEOPLE), generator)
    legs = [source.skeleton.index(joint) for joint in LEGS]
    assert frames.pose is not None
    truth = root_relative(frames.pose, source.skeleton)
    guessed, focal = with_guesses(frames, legs, generator), float(frames.camera.focal[0, 0])

    def error(given: Frames, limit: float) -> Tensor:
        seen = torch.where(given.confidence < limit, 0.0, given.confidence)
        size, name = given.camera.size, source.skeleton.name
        made = model.lift(given.keypoints, size, name, confidence=seen, focal=focal)
        return mpjpe(made.pose, truth).mean()

    for limit in LIMITS:
        print(f"{limit:4.2f}  {error(frames, limit):6.1f}  {error(guessed, limit):6.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
