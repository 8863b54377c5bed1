"""Keypoint files, pictures and folders of them to results, as the command does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from unihpe.errors import InputError
from unihpe.export.results import Results
from unihpe.inference.predictor import Options, Predictor
from unihpe.inference.shown import with_a_body
from unihpe.inputs.boxes import WHOLE, Corners
from unihpe.inputs.evidence import Evidence
from unihpe.inputs.files import Files, open_pictures
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.keypoints import Keypoints
from unihpe.people.find import Found

AT_ONCE = 64  # people of several pictures, of whom the model is asked at a time
HYPOTHESES, FEW = 20, 8  # drawn where nobody says how many, for at most so many people


@dataclass(frozen=True)
class _Predicted:
    """What became of people's files."""

    results: Results | None  # None: nobody was found
    skipped: list[str]  # who and what was left out, in words
    notes: list[str]  # how files were taken, where people should know of it
    pictures: dict[str, Path]  # by the names that results have for them


def predict_files(
    predictor: Predictor,
    files: Files,
    options: Options,
    samples: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> _Predicted:
    """Everybody in the pictures, or in the keypoint file, who can be lifted.

    Args:
        samples: hypotheses for each person; None: 20, and none above 8 people.
        progress: called with the number of pictures done.

    Raises:
        InputError: for a file that cannot be read, or if nobody is left; of several pictures, each
            that cannot be used, or in which nobody is found, is skipped; so are people who are
            found and show no body.
    """
    if files.picture is None:
        assert files.keypoints is not None
        return _lift(predictor, read_keypoints(files.keypoints, how=files.how), options, samples)
    pictures = open_pictures(files, files.picture)
    asked = _Asked(predictor, options, samples, None if files.seeks else pictures.people)
    skipped, notes, used = [*pictures.left_out], [*pictures.notes], dict[str, Path]()
    sought = met = 0  # pictures that were searched, and those that show somebody
    for done, path in enumerate(pictures.paths, 1):
        try:
            given = pictures.given(path, predictor.skeleton)
            where: Corners | Found | None = given.boxes
            if files.seeks:
                where = predictor.find(given.pixels)
                sought, met = sought + 1, met + bool(len(where))
                if not len(where):
                    raise InputError(f"nobody found in it; `--boxes {WHOLE}` takes the picture")
            evidence, left_out = predictor.evidence(
                given.pixels,
                where,
                given.people,
                options.focal,
                name=path.name,
                person=given.people.person if given.people else None,
                min_confidence=files.how.min_confidence,
            )
        except InputError as error:
            named = str(error).startswith((str(path), path.name))
            skipped.append(str(error) if named else f"{path.name}: {error}")
        else:
            asked.add(evidence)
            used[path.name] = path
            skipped += given.left_out + left_out
            notes += given.notes
        progress(done)
    results = asked.results()
    if results is None and (met or not sought):
        raise InputError(f"no picture to predict from: {skipped[-1]}")
    if results is not None and files.seeks:
        results, bodiless = with_a_body(results, predictor.model)
        skipped += bodiless
    shown = set(results.image) if results else set()
    return _Predicted(results, skipped, notes, {name: used[name] for name in used if name in shown})


def _lift(
    predictor: Predictor, file: Keypoints, options: Options, samples: int | None
) -> _Predicted:
    """The people of a keypoint file alone."""
    people, left_out = predictor.liftable(file)
    options = _with_samples(options, samples, len(people))
    return _Predicted(predictor.lift_file(people, options), left_out, [*file.notes], {})


class _Asked:
    """People of one picture after the other, of whom the model is asked many at a time."""

    def __init__(
        self, predictor: Predictor, options: Options, samples: int | None, people: int | None
    ) -> None:
        self.predictor, self.options, self.samples, self.people = (
            predictor,
            options,
            samples,
            people,
        )
        self.waiting, self.parts, self.count = list[Evidence](), list[Results](), 0

    def add(self, evidence: Evidence) -> None:
        """The people of another picture."""
        self.waiting.append(evidence)
        self.count += len(evidence)
        known = self.people is not None or self.samples is not None or self.count > FEW
        if known and sum(map(len, self.waiting)) >= AT_ONCE:
            self._ask()

    def _ask(self) -> None:
        if self.waiting:
            whole = self.waiting[0] if len(self.waiting) == 1 else Evidence.join(self.waiting)
            people = self.count if self.people is None else self.people
            options = _with_samples(self.options, self.samples, people)
            self.parts.append(self.predictor.answer(whole, options))
            self.waiting = []

    def results(self) -> Results | None:
        """All people's; None where nobody was added."""
        self._ask()
        return Results.join(self.parts) if self.parts else None


def _with_samples(options: Options, samples: int | None, people: int) -> Options:
    usual = HYPOTHESES if people <= FEW else 0
    return replace(options, samples=usual if samples is None else samples)
