"""`unihpe predict clip.mp4`: a clip's motion, film, page and tables."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from unihpe.cli.options import console
from unihpe.cli.pictures import ALWAYS, say_how, say_removed
from unihpe.cli.progress import counted
from unihpe.errors import InputError, number_of, printable

if TYPE_CHECKING:
    from unihpe.export import Results
    from unihpe.inference.clips import Motion
    from unihpe.inference.predictor import Options, Predictor
    from unihpe.inputs.media import Clip

USUAL = ("csv", "angles", "trc", "bvh")  # besides JSON and NPZ, where nobody says which


class Part(NamedTuple):
    """What is taken of clips: see `open_clip`."""

    start: float | None
    end: float | None
    every: int


@dataclass(frozen=True)
class ClipsOut:
    """Clips, and what is written of them."""

    paths: Sequence[Path]
    part: Part
    folder: Path
    formats: Sequence[str]  # besides JSON and NPZ
    film: bool
    boxes: Path | None = None  # of the people in each frame
    cameras: Sequence[int] = ()  # webcams, whose numbers are their clips' names

    def check(self, keypoints: Path | None) -> None:
        """InputError, before a model is opened, for one clip alone that cannot be used, and for
        keypoints of clips."""
        from unihpe.inputs.media import open_clip

        if (self.paths or self.cameras) and keypoints:
            raise InputError("--keypoints go with pictures: a clip's people are found in it")
        bases = self._bases()
        if len(self.paths) == 1:
            _require_another_place(bases[0], open_clip(self.paths[0], *self.part), self.film)

    def write(
        self, predictor: "Predictor", asked: "Options", samples: int, motion: "Motion", alone: bool
    ) -> list[str]:
        """Write the files of each clip, and say so; those left out, in words.

        InputError where no clip can be read, and this is `alone` what is asked for.
        """
        from unihpe.inputs.media import open_clip

        skipped, unread, asked = list[str](), 0, replace(asked, samples=samples)
        for number in self.cameras:
            self._film(predictor, number, asked, motion)
        for path, base in zip(self.paths, self._bases(), strict=True):
            try:
                clip = open_clip(path, *self.part)
                skipped += self._predict(predictor, clip, asked, motion, base)
            except InputError as error:
                if len(self.paths) == 1 and alone:
                    raise
                skipped.append(str(error))
                unread += 1
        if alone and unread and unread == len(self.paths) and not self.cameras:
            raise InputError(f"none of {unread} clips can be used; the first: {skipped[0]}")
        return skipped

    def _film(
        self, predictor: "Predictor", number: int, asked: "Options", motion: "Motion"
    ) -> None:
        """Write the files of what a webcam sees until Ctrl-C, or the part's end."""
        from unihpe.inputs.media import open_clip
        from unihpe.inputs.webcam import open_camera
        from unihpe.runs.clip import predict_clip
        from unihpe.runs.parts import Parts

        base = self.folder / f"camera{number}"
        recording = _named(base, ".recording.mkv")
        camera = open_camera(number, recording, self.part.end, self.part.every)
        console.print(f"Camera {number} is on; Ctrl-C ends the recording.")
        with Parts.begin(_named(base, ".parts")) as parts:
            with counted(camera.name, camera.count) as progress:
                filmed = predict_clip(predictor, camera, asked, motion, parts, progress)
            if filmed.results is None:
                console.print(f"Nobody seen by camera {number}.")
                return
            results = replace(filmed.results, partial=False)
            self._write(results, base)
        self._draw(results, open_clip(recording), base)

    def _bases(self) -> list[Path]:
        """The path of each clip's files, without suffix: clips of one name keep theirs."""
        names = [path.stem for path in self.paths]
        bases = [path.stem if names.count(path.stem) == 1 else path.name for path in self.paths]
        if twice := [base for base in bases if bases.count(base) > 1]:
            raise InputError(f"several clips are called {twice[0]}: predict them one by one")
        return [self.folder / base for base in bases]

    def _predict(
        self,
        predictor: "Predictor",
        clip: "Clip",
        asked: "Options",
        motion: "Motion",
        base: Path,
    ) -> list[str]:
        """Write `<base>.json` and so on; where the run is stopped, `<base>.partial.json` of what
        is done, and then go on with what stopped it. In words, that nobody was in the clip."""
        from unihpe.inputs.clip_boxes import read_clip_boxes
        from unihpe.runs.clip import predict_clip
        from unihpe.runs.parts import Parts
        from unihpe.runs.written import PARTIAL, take_away_partial

        _require_another_place(base, clip, self.film)
        folder, name = _named(base, ".parts"), printable(clip.name)
        boxes = None if self.boxes is None else read_clip_boxes(self.boxes, clip.size)
        nobody: list[str] = []
        _save_what_is_left(folder, base, clip, motion, boxes is not None)
        with Parts.begin(folder) as parts:
            with counted(name, clip.count) as progress:
                filmed = predict_clip(predictor, clip, asked, motion, parts, progress, boxes)
            for note in filmed.notes:
                console.print(f"Note: {printable(note)}.")
            frames, results = number_of(filmed.frames, "frame", "frames"), filmed.results
            if results is None:
                nobody.append(f"{clip.name}: nobody found in its {frames}")
            else:
                people = number_of(len(results.people), "person", "people")
                so_far = "the first " if filmed.stopped else ""
                console.print(f"{people} in {so_far}{frames} of {name}.")
                base = _named(base, PARTIAL * bool(filmed.stopped))
                self._write(results, base)
        if results is not None:
            self._draw(results, clip, base)
            if not results.partial:
                say_removed(take_away_partial(base, results))
        if filmed.stopped is not None:
            raise filmed.stopped
        return nobody

    def _write(self, results: "Results", base: Path) -> None:
        """Write the tables and motion files."""
        from unihpe.export import write
        from unihpe.runs.written import take_the_place

        say_how(results)
        files = write(results, base, [*ALWAYS, *self.formats])
        console.print(f"Poses: {', '.join(printable(str(path)) for path in files)}.")
        say_removed(take_the_place(base, files))

    def _draw(self, results: "Results", clip: "Clip", base: Path) -> None:
        """Write the page and the film, which take longer."""
        from unihpe.runs.written import take_the_place
        from unihpe.show.film import write_film
        from unihpe.show.page import write_page

        page, film = _named(base, ".html"), _named(base, ".mp4")
        with counted("page", clip.count) as progress:
            title = f"unihpe: {clip.name}"
            files = write_page(page, results, title, clip=clip, progress=progress)
        console.print(f"Page: {', '.join(printable(str(path)) for path in files)}.")
        if self.film:
            with counted("film", clip.count) as progress:
                silent = write_film(film, results, clip, progress)
            console.print(f"Film: {printable(str(film))}.")
            if silent:
                console.print(f"Note: the film is without sound ({printable(silent)}).")
            files = [*files, film]
        say_removed(take_the_place(base, files))


def _named(base: Path, ending: str) -> Path:
    return base.with_name(base.name + ending)


def _require_another_place(base: Path, clip: "Clip", film: bool) -> None:
    """InputError where the film would take the place of the clip."""
    path = _named(base, ".mp4")
    own = clip.source
    if film and path.exists() and isinstance(own, str | Path) and path.samefile(own):
        raise InputError(f"the film would replace {path}: choose another folder with -o")


def _save_what_is_left(
    folder: Path, base: Path, clip: "Clip", motion: "Motion", given: bool
) -> None:
    """Write what an earlier run, which was killed, has left; `given` people keep their numbers."""
    from unihpe.export import write
    from unihpe.inference.clips import made_steady
    from unihpe.runs.parts import left_in
    from unihpe.runs.written import PARTIAL, take_the_place

    left = left_in(folder)
    if left is not None:
        everybody = replace(motion, people="all")
        results = made_steady(replace(left, partial=True), clip, everybody, given)
        base = _named(base, PARTIAL)
        take_the_place(base, files := write(results, base, ALWAYS))
        console.print(f"Note: an earlier run did not end; what it had done is in {files[0]}.")
    shutil.rmtree(folder, ignore_errors=True)
