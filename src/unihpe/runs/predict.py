"""Keypoint files, pictures and folders of them to results, as the command does."""

from dataclasses import dataclass, replace
from pathlib import Path

from unihpe.errors import InputError
from unihpe.export.results import Results
from unihpe.inference.predictor import Options, Predictor
from unihpe.inputs.files import Files, open_pictures
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.io.picture import read_picture
from unihpe.people.find import Found

HYPOTHESES, FEW = 20, 8  # drawn where nobody says how many, for at most so many people


@dataclass(frozen=True)
class _Predicted:
    """What became of people's files."""

    results: Results | None  # None: nobody was found
    skipped: list[str]  # who and what was left out, in words
    notes: list[str]  # how files were taken, where people should know of it
    pictures: dict[str, Path]  # by the names that results have for them


def predict_files(
    predictor: Predictor, files: Files, options: Options, samples: int | None = None
) -> _Predicted:
    """Everybody in the pictures, or in the keypoint file, who can be lifted.

    Args:
        samples: hypotheses for each person; None: 20, and none above 8 people.

    Raises:
        InputError: for a file that cannot be read, or if nobody is left; of several pictures, each
            that cannot be used, or in which nobody is found, is skipped.
    """
    if files.picture is None:
        assert files.keypoints is not None
        people = read_keypoints(files.keypoints, how=files.how)
        notes = [*people.notes]
        people, left_out = predictor.liftable(people)
        options = _with_samples(options, samples, len(people))
        return _Predicted(predictor.lift_file(people, options), left_out, notes, {})
    pictures = open_pictures(files, files.picture)
    found = _find_in(pictures.paths, predictor) if files.seeks else {}
    if files.seeks:
        boxes = {name: people.boxes.tolist() for name, people in found.items()}
        pictures = replace(pictures, boxes=boxes)
    options = _with_samples(options, samples, pictures.people)
    parts, skipped, notes, used = [], [*pictures.left_out], [*pictures.notes], {}
    for path in pictures.paths:
        try:
            given = pictures.given(path, predictor.skeleton)
            evidence, left_out = predictor.evidence(
                given.pixels,
                found.get(path.name, given.boxes),
                given.people,
                options.focal,
                name=path.name,
                person=given.people.person if given.people else None,
                min_confidence=files.how.min_confidence,
            )
        except InputError as error:
            named = str(error).startswith((str(path), path.name))
            skipped.append(str(error) if named else f"{path.name}: {error}")
            continue
        parts.append(predictor.answer(evidence, options))
        used[path.name] = path
        skipped += given.left_out + left_out
        notes += given.notes
    if not parts and found and not any(map(len, found.values())):
        return _Predicted(None, skipped, notes, {})
    if not parts:
        raise InputError(f"no picture to predict from: {skipped[-1]}")
    return _Predicted(Results.join(parts), skipped, notes, used)


def _find_in(paths: list[Path], predictor: Predictor) -> dict[str, Found]:
    """The people in each picture that can be read, by its name."""
    found: dict[str, Found] = {}
    for path in paths:
        try:
            pixels = read_picture(path)
        except InputError:
            continue  # said when the picture's turn comes
        found[path.name] = predictor.find(pixels)
    return found


def _with_samples(options: Options, samples: int | None, people: int) -> Options:
    usual = HYPOTHESES if people <= FEW else 0
    return replace(options, samples=usual if samples is None else samples)
