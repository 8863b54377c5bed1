"""Results as pictures: a sheet of 2D beside 3D, and the page to turn them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop, crop_matrix, to_box
from unihpe.inference.results import Results
from unihpe.show.draw import (
    TRUTH,
    Figure,
    Picture,
    Scene,
    blank,
    draw_2d,
    draw_3d,
    save_png,
    sheet,
    write_viewer,
)

PANEL = 360
SHOWN_SAMPLES = 12  # hypotheses drawn behind a pose
PATHS = {"image": "3D from the picture", "2d": "3D from the keypoints", "fused": "3D from both"}
MOST_SCENES = 400  # in the page: beyond, every n-th is taken


def row_of(
    results: Results, n: int, truth: Tensor | None, caption: str, photo: Picture | None = None
) -> list[tuple[Picture, str]]:
    """One person: 2D, over the photograph where there is one, the 3D from the camera's side, the 3D from aside."""
    if results.paths:
        return [(flat(results, n, photo), caption), *beside(results, n, truth)]
    pose = results.pose[n].numpy()
    figures = []
    if results.samples is not None:
        drawn = results.samples[:SHOWN_SAMPLES, n].numpy()
        figures += [Figure(sample, width=1.4, opacity=0.35) for sample in drawn]
    if truth is not None:
        figures.append(Figure(truth[n].numpy(), colour=TRUTH, width=2.6))
    figures.append(Figure(pose))
    views = (("3D, the camera's side", 0.0, 8.0), ("3D, from aside", 70.0, 14.0))
    return [
        (flat(results, n, photo), caption),
        *(
            (
                draw_3d(
                    figures, results.skeleton, size=PANEL, azimuth=azimuth, elevation=elevation
                ),
                text,
            )
            for text, azimuth, elevation in views
        ),
    ]


def beside(results: Results, n: int, truth: Tensor | None) -> list[tuple[Picture, str]]:
    """One person's poses by what they came from, seen from aside."""
    panels = []
    for name, poses in results.paths.items():
        behind = [] if truth is None else [Figure(truth[n].numpy(), colour=TRUTH, width=2.6)]
        figure = draw_3d(
            [*behind, Figure(poses[n].numpy())],
            results.skeleton,
            size=PANEL,
            azimuth=40.0,
            elevation=12.0,
        )
        error = (
            ""
            if truth is None
            else f"; MPJPE {float((poses[n] - truth[n]).norm(dim=-1).mean()):.0f} mm"
        )
        panels.append((figure, PATHS[name] + error))
    return panels


def flat(results: Results, n: int, photo: Picture | None = None) -> Picture:
    """The 2D joints of one person, filling a panel; over the photograph they came from, if it is given."""
    keypoints, seen = results.keypoints[n : n + 1], results.confidence[n : n + 1] > 0
    box = box_from_keypoints(keypoints, seen, padding=1.25 if photo is None else 1.35, aspect=1.0)
    spots = (to_box(keypoints, box)[0] + 1) * PANEL / 2
    paper = (
        blank(PANEL, PANEL) if photo is None else crop(photo, box[0].double().numpy(), PANEL, PANEL)
    )
    return draw_2d(paper, spots.numpy(), results.confidence[n].numpy(), results.skeleton)


def in_crops(results: Results, box: Tensor) -> Results:
    """Results whose pictures are crops of boxes (N, 4): the 2D in pixels of the crops, not of pictures nobody has."""
    maps = [crop_matrix(one.double().numpy(), CROP_WIDTH, CROP_HEIGHT) for one in box]
    matrix = torch.stack([torch.from_numpy(found) for found in maps]).float()
    return replace(
        results,
        keypoints=results.keypoints @ matrix[..., :2].mT + matrix[:, None, :, 2],
        image_size=torch.tensor([float(CROP_WIDTH), float(CROP_HEIGHT)]).expand(len(results), 2),
        image=tuple(f"person {n}" for n in range(len(results))),
    )


def write_pictures(
    out: Path,
    name: str,
    title: str,
    results: Results,
    truth: Tensor | None = None,
    rows: int = 4,
    photo: Callable[[str], Picture] | None = None,
) -> tuple[Path, Path]:
    """Write `<name>.png` (a sheet of some people) and `<name>.html` (all of them, up to a limit).

    Args:
        truth: true poses (N, J, 3), mm, where they are known.
        rows: of the sheet: two people each, or one where there are several poses of each.
        photo: a picture by the name that results have for it, to draw the 2D on.
    """
    chosen = evenly_spaced(len(results), rows if results.paths else rows * 2).tolist()
    people = [
        row_of(
            results,
            n,
            truth,
            caption_of(results, n, truth),
            photo(results.image[n]) if photo else None,
        )
        for n in chosen
    ]
    across = 1 if results.paths else 2
    lines = [
        [panel for person in people[k : k + across] for panel in person]
        for k in range(0, len(people), across)
    ]
    drawn = sheet(lines, title)
    scenes = [
        scene_of(results, n, truth) for n in evenly_spaced(len(results), MOST_SCENES).tolist()
    ]
    picture, page = out / f"{name}.png", out / f"{name}.html"
    save_png(picture, drawn)
    write_viewer(page, scenes, results.skeleton, title)
    return picture, page


def caption_of(results: Results, n: int, truth: Tensor | None) -> str:
    """What stands under a person's 2D."""
    if truth is None:
        return f"{Path(results.image[n]).name[-28:]}, person {results.person[n]}"
    error = float((results.pose[n] - truth[n]).norm(dim=-1).mean())
    return f"2D; MPJPE of the 3D {error:.0f} mm"


def scene_of(results: Results, n: int, truth: Tensor | None) -> Scene:
    """One person for the page."""
    width, height = results.image_size[n].tolist()
    return Scene(
        name=f"{results.image[n]}, person {results.person[n]}",
        pose=results.pose[n].numpy(),
        keypoints=np.where(
            results.confidence[n].numpy()[:, None] > 0, results.keypoints[n].numpy(), np.nan
        ),
        size=(width, height),
        samples=None if results.samples is None else results.samples[:, n].numpy(),
        truth=None if truth is None else truth[n].numpy(),
    )
