"""Results as pictures: a sheet of 2D beside 3D, and a self-contained HTML page to turn them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import LabelledCrop, evenly_spaced
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop, crop_matrix, to_box
from unihpe.body.metrics import mpjpe
from unihpe.body.skeleton import Skeleton
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.export.results import Results
from unihpe.io.files import all_or_none, write_text
from unihpe.io.picture import Picture
from unihpe.show.colours import TRUTH
from unihpe.show.draw import blank, draw_2d, save_png, sheet
from unihpe.show.space import Figure, Floats, draw_3d
from unihpe.show.strokes import bone_side

PANEL = 360
ROWS = 4  # of a sheet: two people each, or one where there are several poses of each
SHOWN_SAMPLES = 12  # hypotheses drawn behind a pose
PATHS = {"image": "3D from the picture", "2d": "3D from the keypoints", "fused": "3D from both"}
MOST_SCENES = 400  # in the page: beyond, every n-th is taken
Panel = tuple[Picture, str]  # with its caption
Photos = Callable[[str], Picture]  # by the name that results have for a picture


@dataclass(frozen=True)
class _Scene:
    name: str  # of a person, shown in the page's list
    pose: Floats  # (J, 3), mm, camera axes
    keypoints: Floats | None = None  # (J, 2), pixels, NaN where missing; None without 2D
    size: tuple[float, float] = (1000.0, 1000.0)  # width and height of the picture, pixels
    samples: Floats | None = None  # hypotheses, (S, J, 3), mm
    truth: Floats | None = None  # (J, 3), mm


def row_of(
    results: Results, n: int, truth: Tensor | None, caption: str, photo: Picture | None = None
) -> list[Panel]:
    """One person: 2D, and the 3D from two sides, or what each piece of evidence gives.

    `truth` are true poses (N, J, 3), mm; the 2D is drawn over `photo`.
    """
    behind = [] if truth is None else [Figure(truth[n].numpy(), TRUTH, 2.6)]
    if results.paths:
        views = []
        for name, poses in results.paths.items():
            error = "" if truth is None else f"; MPJPE {float(mpjpe(poses[n], truth[n])):.0f} mm"
            figures = [*behind, Figure(poses[n].numpy())]
            views.append((PATHS[name] + error, figures, (40.0, 12.0)))
    else:
        figures = [*behind, Figure(results.pose[n].numpy())]
        if results.samples is not None:
            samples = results.samples[:SHOWN_SAMPLES, n].numpy()
            figures = [*(Figure(pose, width=1.4, opacity=0.35) for pose in samples), *figures]
        views = [("3D, from the camera", figures, (0.0, 8.0))]
        views += [("3D, from the side", figures, (70.0, 14.0))]
    panels = [(draw_3d(shown, results.skeleton, PANEL, *at), text) for text, shown, at in views]
    return [(_flat(results, n, photo), caption), *panels]


def _flat(results: Results, n: int, photo: Picture | None = None) -> Picture:
    """The 2D joints of one person, filling a panel, over the photograph if it is given."""
    keypoints, seen = results.keypoints[n : n + 1], results.confidence[n : n + 1] > 0
    box = box_from_keypoints(keypoints, seen, padding=1.25 if photo is None else 1.35, aspect=1.0)
    spots = (to_box(keypoints, box)[0] + 1) * PANEL / 2
    paper = blank(PANEL, PANEL)
    if photo is not None:
        paper = crop(photo, box[0].double().numpy(), PANEL, PANEL)
    return draw_2d(paper, spots.numpy(), results.confidence[n].numpy(), results.skeleton)


def in_crops(results: Results, box: Tensor) -> Results:
    """Results whose pictures are crops of boxes (N, 4): their 2D in pixels of the crops."""
    maps = [crop_matrix(one.double().numpy(), CROP_WIDTH, CROP_HEIGHT) for one in box]
    matrix = torch.stack([torch.from_numpy(each) for each in maps]).float()
    keypoints = results.keypoints @ matrix[..., :2].mT + matrix[:, None, :, 2]
    size = torch.tensor([float(CROP_WIDTH), float(CROP_HEIGHT)]).expand(len(results), 2)
    image = tuple(f"person {n}" for n in range(len(results)))
    person = ("0",) * len(results)
    return replace(results, keypoints=keypoints, image_size=size, image=image, person=person)


def write_pictures(
    base: Path, title: str, results: Results, truth: Tensor | None, photo: Photos | None
) -> tuple[Path, Path]:
    """Write `<base>.png` (a sheet of some people) and `<base>.html` (all of them, up to a limit).

    `truth` are true poses (N, J, 3), mm; the 2D is drawn on the photos.
    """
    across, people = 1 if results.paths else 2, []
    shown = evenly_spaced(len(results), ROWS * across).tolist()
    for n in shown:
        paper = photo(results.image[n]) if photo else None
        caption = f"{Path(results.image[n]).name[-28:]}, person {results.person[n]}"
        if truth is not None:
            caption = f"2D; MPJPE of the 3D {float(mpjpe(results.pose[n], truth[n])):.0f} mm"
        people.append(row_of(results, n, truth, caption, paper))
    lines = [list(chain(*people[k : k + across])) for k in range(0, len(people), across)]
    chosen = evenly_spaced(len(results), MOST_SCENES).tolist()
    scenes = [_scene_of(results, n, truth) for n in chosen]
    picture, page = base.with_suffix(".png"), base.with_suffix(".html")
    save_png(picture, sheet(lines, title + _some_of(shown, results)))
    _write_viewer(page, scenes, results.skeleton, title + _some_of(chosen, results))
    return picture, page


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


def _some_of(shown: Sequence[int], results: Results) -> str:
    """What a title adds where not everybody is shown."""
    some = len(shown) < len(results)
    return f" ({len(shown)} of {len(results)} people are shown)" if some else ""


def _scene_of(results: Results, n: int, truth: Tensor | None) -> _Scene:
    width, height = results.image_size[n].tolist()
    seen = results.confidence[n].numpy()[:, None] > 0
    keypoints = np.where(seen, results.keypoints[n].numpy(), np.nan)
    samples = None if results.samples is None else results.samples[:, n].numpy()
    true_pose = None if truth is None else truth[n].numpy()
    name, pose = f"{results.image[n]}, person {results.person[n]}", results.pose[n].numpy()
    return _Scene(name, pose, keypoints, (width, height), samples, true_pose)


def draw_crops(people: Sequence[LabelledCrop], skeleton: Skeleton, out: Path, columns: int) -> None:
    """People's crops side by side as a PNG, with the 2D joints that are inside drawn over them."""
    seen = [(one.picture, one.crop_keypoints, one.visibility.astype(float)) for one in people]
    tiles = [draw_2d(*each, skeleton) for each in seen]
    tiles += [blank(CROP_WIDTH, CROP_HEIGHT)] * (-len(tiles) % columns)
    lines = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    save_png(out, np.vstack(lines))


def _plain(value: Any) -> Any:
    """What JSON takes: arrays as lists, to one decimal, NaN as null."""
    if not isinstance(value, np.ndarray):
        return value
    rounded = np.round(value.astype(np.float64), 1).astype(object)
    rounded[~np.isfinite(value)] = None
    return rounded.tolist()


def _write_viewer(path: Path, scenes: Sequence[_Scene], skeleton: Skeleton, title: str) -> None:
    """Write the page: the 3D turns with mouse, touch or arrow keys; a slider over scenes."""
    shown = [{name: _plain(value) for name, value in asdict(scene).items()} for scene in scenes]
    bones = [[a, b, bone_side(skeleton, a, b)] for a, b in skeleton.bones]
    content = {"title": title, "bones": bones, "scenes": shown}
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    data = data.replace("</", "<\\/").replace("<!--", "<\\!--")
    page = resources.files("unihpe.show").joinpath("viewer.html").read_text(encoding="utf-8")
    write_text(path, page.replace("/*DATA*/null", data))
