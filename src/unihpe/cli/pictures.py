"""`unihpe predict` for pictures and keypoint files: a sheet, a page and tables."""

from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from unihpe.cli.options import console
from unihpe.cli.progress import counted
from unihpe.errors import number_of, printable

if TYPE_CHECKING:
    from unihpe.export import Results
    from unihpe.inference.predictor import Options, Predictor
    from unihpe.inputs.files import Files

ALWAYS = ("json", "npz")  # formats


def pictures_to_files(
    predictor: "Predictor",
    files: "Files",
    asked: "Options",
    samples: int | None,
    out: Path,
    formats: Sequence[str],
) -> list[str]:
    """Predict from pictures and keypoint files, write the results, and say so; who was left out."""
    from unihpe.export import write
    from unihpe.io.picture import pictures_in, read_picture
    from unihpe.runs.predict import predict_files
    from unihpe.runs.written import take_the_place
    from unihpe.show.sheets import write_files

    assert files.source is not None
    total = len(files.several or pictures_in(files.picture)) if files.picture else None
    with counted("pictures", total) as progress:
        predicted = predict_files(predictor, files, asked, samples, progress)
    name, results, pictures = files.source.name, predicted.results, predicted.pictures
    if results is None:
        console.print(f"Nobody found in {printable(name)}.")
        return predicted.skipped
    where = f" in {number_of(len(pictures), 'picture', 'pictures')}" if pictures else ""
    console.print(f"{number_of(len(results), 'person', 'people')}{where} of {printable(name)}.")
    for note in predicted.notes:
        console.print(f"Note: {printable(note)}.")
    photo = (lambda image: read_picture(pictures[image])) if pictures else None
    written = write_files(out / "poses", f"unihpe: {name}", results, None, photo)
    others = [one for one in formats if one not in ALWAYS]
    tables = write(results, out / "poses", others)
    say_how(results)
    console.print(f"Poses: {', '.join(map(str, [*written[2:], *tables]))}.")
    console.print(f"Pictures: {written[0]}, {written[1]}.")
    if tables:
        say_removed(take_the_place(out / "poses", tables))
    return predicted.skipped


def say_removed(files: Sequence[Path]) -> None:
    """Print what an earlier run had written and is no longer there."""
    if files:
        names = ", ".join(printable(str(path)) for path in files)
        console.print(f"Removed, of an earlier run: {names}.")


def say_how(results: "Results") -> None:
    """Print what the poses rest on."""
    from unihpe.inference.results import HEAT_MAPS_2D
    from unihpe.people.keypoints import THUNDER

    if THUNDER in results.estimate:
        console.print(f"{THUNDER}, lifted.")
    elif HEAT_MAPS_2D in results.estimate:
        console.print(f"3D from the picture; {HEAT_MAPS_2D}.")
    console.print(f"Focal length {results.focal_source}.")
    if made := list(compress(results.skeleton.joints, results.synthesised)):
        console.print(f"Joints made from others: {', '.join(made)}.")
