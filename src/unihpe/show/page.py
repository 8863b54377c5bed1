"""A page to turn, play and send on: one file that needs no network (its parts: viewer/)."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from torch import Tensor

from unihpe.errors import InputError
from unihpe.export.results import Results
from unihpe.inputs.media import Clip
from unihpe.io.files import all_or_none, write_text
from unihpe.show.behind import Photos, pictures_behind, video_behind
from unihpe.show.content import content_of
from unihpe.show.scenes import scenes_of
from unihpe.show.space import levelled

STYLE, SCRIPTS = "style.css", ("data", "canvas", "flat", "space", "angles", "player", "controls")


def write_page(
    path: str | Path,
    results: Results,
    title: str,
    *,
    photo: Photos | None = None,
    clip: Clip | None = None,
    truth: Tensor | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write an HTML page of results: 2D over the picture or clip, 3D that turns, whole or not.

    Returns the page, and the video if it lies beside it.

    Args:
        photo: gives a picture by the name that results have for it.
        clip: the clip that the results are of. Its video, made smaller, is in the page, or if it
            is large beside it.
        truth: true poses (N, J, 3), mm, relative to the root.
        progress: called with the number of frames of the clip that are done.

    Raises:
        InputError: for a clip with results that are not a clip's; for pictures that cannot be read
            and places that cannot be written.
    """
    path = Path(path)
    truth = None if truth is None else levelled(replace(results, pose=truth)).pose
    results, content = levelled(results), dict[str, Any]()
    if clip is not None:
        with all_or_none():
            video = video_behind(path, clip, _last_frame(results), progress)
            scenes, content["video"] = scenes_of(results, video.frames), video.content
            content |= {"title": title} | content_of(results, scenes, clip.size, truth)
            write_text(path, _assembled(content))
        return [path, *video.beside]
    scenes = scenes_of(results)
    if photo is not None:
        names = [results.image[scene.rows[0]] for scene in scenes]
        content["pictures"] = pictures_behind(names, photo)
    content |= {"title": title} | content_of(results, scenes, None, truth)
    write_text(path, _assembled(content))
    return [path]


def _last_frame(results: Results) -> int | None:
    """The last frame that the page of a clip shows; None: the clip's."""
    if results.frame is None:
        raise InputError("a page with a clip needs its results: these have no frame numbers")
    return int(results.frame.max()) if results.partial and len(results) else None


def _assembled(content: dict[str, Any]) -> str:
    """The page with its parts and data in place; no text in the data can end its element."""
    folder = resources.files("unihpe.show").joinpath("viewer")
    page, style, *scripts = (
        folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", STYLE, *(f"{script}.js" for script in SCRIPTS))
    )
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"/*STYLE*/": style, "/*SCRIPT*/": "\n".join(scripts), "/*DATA*/": data}
    for mark, part in parts.items():
        page = page.replace(mark, part)
    return page
