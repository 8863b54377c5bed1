"""A sheet of results: each picture with everybody's 2D, and beside it all of them in 3D."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.boxes import box_from_corners, box_from_keypoints, crop, crop_matrix
from unihpe.body.metrics import mpjpe
from unihpe.errors import number_of
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.export.results import Results
from unihpe.io.files import all_or_none
from unihpe.io.picture import Picture
from unihpe.show.behind import Photos
from unihpe.show.colours import TRUTH, colours_of
from unihpe.show.draw import blank, draw_2d, save_png, sheet
from unihpe.show.page import write_page
from unihpe.show.scenes import Scene, scenes_of, shown_rows
from unihpe.show.space import Figure, draw_3d, levelled

PANEL = 360  # height, pixels, and width where it shows one person
WIDE = 1.5  # of the 2D of several people, width to height
ROWS = 4  # of a sheet: two pictures each, or one where there are several poses of each person
SHOWN_SAMPLES = 12  # hypotheses drawn behind a pose
PATHS = {"image": "3D from the picture", "2d": "3D from the keypoints", "fused": "3D from both"}
FRONT, SIDE, OBLIQUE = (0.0, 8.0), (70.0, 14.0), (40.0, 12.0)  # azimuth and elevation, degrees
Panel = tuple[Picture, str]  # with its caption


def row_of(
    results: Results,
    rows: Sequence[int],
    truth: Tensor | None,
    caption: str,
    photo: Picture | None = None,
) -> list[Panel]:
    """The people of one picture: 2D, and 3D from two sides, or what each piece of evidence gives.

    `truth` are true poses (N, J, 3), mm; the 2D is drawn over `photo`.
    """
    panels = [(_flat(results, rows, photo), caption)]
    if not results.paths:
        figures = _figures(results, rows, results.pose, truth)
        views = (("3D, from the camera", FRONT), ("3D, from the side", SIDE))
        drawn = ((draw_3d(figures, results.skeleton, PANEL, *at), text) for text, at in views)
        return [*panels, *drawn]
    for name, poses in results.paths.items():
        mean = None if truth is None else float(mpjpe(poses[rows], truth[rows]).mean())
        figures = _figures(results, rows, poses, truth)
        text = PATHS[name] + ("" if mean is None else f"; MPJPE {mean:.0f} mm")
        panels.append((draw_3d(figures, results.skeleton, PANEL, *OBLIQUE), text))
    return panels


def _figures(
    results: Results, rows: Sequence[int], poses: Tensor, truth: Tensor | None
) -> list[Figure]:
    """Everybody where they stand, their truth and hypotheses behind them."""
    places = results.translation[:, None]
    colours = colours_of(results.person[row] for row in rows)
    behind, figures = [], []
    for row in rows:
        own = colours[results.person[row]]
        if truth is not None:
            behind.append(Figure((truth[row] + places[row]).numpy(), TRUTH, 2.6))
        if results.samples is not None and not results.paths:
            samples = (results.samples[:SHOWN_SAMPLES, row] + places[row]).numpy()
            behind += [Figure(pose, own, width=1.4, opacity=0.35) for pose in samples]
        figures.append(Figure((poses[row] + places[row]).numpy(), own, shadow=True))
    return behind + figures


def _flat(results: Results, rows: Sequence[int], photo: Picture | None) -> Picture:
    """Everybody's 2D joints, filling a panel, over the photograph if it is given."""
    spots, seen = results.keypoints[rows].flatten(0, 1), results.confidence[rows].flatten() > 0
    if not seen.any():  # a picture in which heat maps show nobody: where they are guessed to be
        seen = spots.isfinite().all(-1)
    aspect = WIDE if len(rows) > 1 else 1.0
    padding = 1.25 if photo is None else 1.35
    box = box_from_keypoints(spots[None], seen[None], padding=padding, aspect=aspect)
    if photo is not None and len(rows) > 1:
        box = _inside(box, photo, aspect)
    width = round(PANEL * aspect)
    picture = blank(width, PANEL)
    if photo is not None:
        picture = _cut_out(photo, box, width)
    colours = colours_of(results.person[row] for row in rows)
    matrix = crop_matrix(box[0].double().numpy(), width, PANEL)  # as the photograph is cut
    for row in rows:
        placed = results.keypoints[row].double().numpy() @ matrix[:, :2].T + matrix[:, 2]
        confidence, own = results.confidence[row].numpy(), colours[results.person[row]]
        picture = draw_2d(picture, placed, confidence, results.skeleton, own)
    return picture


def _inside(box: Tensor, photo: Picture, aspect: float) -> Tensor:
    """The part of a box (1, 4) that is in a picture, widened to the aspect."""
    size = torch.tensor([photo.shape[1], photo.shape[0]], dtype=box.dtype)
    low, high = box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2
    corners = torch.cat([low.clamp(min=0), torch.minimum(high, size)], dim=-1)
    whole = bool((corners[:, 2:] > corners[:, :2]).all())
    return box_from_corners(corners, padding=1.0, aspect=aspect) if whole else box


def _cut_out(photo: Picture, box: Tensor, width: int) -> Picture:
    """A box (1, 4) of a photograph, in a panel's size; paper outside the photograph."""
    where = box[0].double().numpy()
    inside = crop(np.full_like(photo, 255), where, width, PANEL) > 127
    return np.where(inside, crop(photo, where, width, PANEL), blank(width, PANEL))


def write_pictures(
    base: Path, title: str, results: Results, truth: Tensor | None, photo: Photos | None
) -> tuple[Path, Path]:
    """Write `<base>.png` (a sheet of some pictures) and `<base>.html` (all, up to a limit).

    `truth` are true poses (N, J, 3), mm; the 2D is drawn on the photos.
    """
    picture, page = base.with_suffix(".png"), base.with_suffix(".html")
    drawn = _sheet(title, results, truth, photo)
    write_page(page, results, title, photo=photo, truth=truth)
    save_png(picture, drawn)
    return picture, page


def _sheet(title: str, results: Results, truth: Tensor | None, photo: Photos | None) -> Picture:
    """Some of the pictures, evenly spaced."""
    truth = None if truth is None else levelled(replace(results, pose=truth)).pose
    results = levelled(results)
    scenes, across = scenes_of(results), 1 if results.paths else 2
    shown = [scenes[n] for n in evenly_spaced(len(scenes), ROWS * across).tolist()]
    pictures = [_row(results, scene, truth, photo) for scene in shown]
    lines = [list(chain(*pictures[k : k + across])) for k in range(0, len(pictures), across)]
    return sheet(lines, title + _some_of(len(shown_rows(shown)), results))


def _row(results: Results, scene: Scene, truth: Tensor | None, photo: Photos | None) -> list[Panel]:
    """The panels of a picture, with a caption."""
    rows = list(scene.rows)
    image, person = results.image[rows[0]], results.person[rows[0]]
    who = f"person {person}" if len(rows) == 1 else number_of(len(rows), "person", "people")
    caption = f"{scene.name[-28:]}, {who}"
    if truth is not None:
        error = float(mpjpe(results.pose[rows], truth[rows]).mean())
        caption = f"2D; MPJPE of the 3D {error:.0f} mm"
    return row_of(results, rows, truth, caption, photo(image) if photo else None)


def write_files(
    base: Path, title: str, results: Results, truth: Tensor | None, photo: Photos | None
) -> tuple[Path, Path, Path, Path]:
    """Write `<base>.png`, `.html`, `.json` and `.npz`, all or none; see `write_pictures`."""
    json_file, arrays = base.with_suffix(".json"), base.with_suffix(".npz")
    with all_or_none():
        pictures = write_pictures(base, title, results, truth, photo)
        write_json(json_file, results)
        write_npz(arrays, results)
    return (*pictures, json_file, arrays)


def _some_of(shown: int, results: Results) -> str:
    """What a title adds where not everybody is shown."""
    some = shown < len(results)
    return f" ({shown} of {len(results)} people are shown)" if some else ""
