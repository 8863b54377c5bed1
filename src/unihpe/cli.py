"""The command line: thin, one call into the library a command; everything said to people is said here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from unihpe.cli_data import data_app, named, weights_app
from unihpe.errors import InputError

if TYPE_CHECKING:
    from unihpe.inference.boxes import Corners
    from unihpe.inference.keypoints.read import KeypointFile
    from unihpe.inference.predictor import Predictor
    from unihpe.inference.results import Results


app = typer.Typer(
    help="One embedding space for a person's picture, 2D keypoints and 3D pose.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",  # said here, as typer 0.12 leaves it open and shows the escapes of help texts
)
app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")
console = Console(
    highlight=False, soft_wrap=True, markup=False
)  # paths and names may hold brackets
DATA_SETS = ("motion", "people", "coco", "human36m", "humaneva", "mpi_inf_3dhp", "threedpw")
FIGURES = ("space", "cosines", "people")
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for what is written.")]


def usable_device(name: str) -> str:
    """The device, if torch knows it and it is there."""
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"--device {name}: not usable here ({str(error).splitlines()[0][:80]}); try cpu"
        ) from error
    return name


Device = Annotated[str, typer.Option(help="cpu, cuda, mps.", callback=usable_device)]
Seed = Annotated[int, typer.Option(min=0, max=2**62, help="Of everything random.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")]
Checkpoint = Annotated[
    Path, typer.Argument(help="A .safetensors file, or the folder of a training run.")
]


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="A shipped recipe (see `unihpe recipes`), or a .toml file.")
    ],
    out: Out,
    change: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change one setting.")
    ] = [],  # noqa: B006
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Begin from this checkpoint; 'shipped' is the package's."),
    ] = None,
    stage: Annotated[
        list[str],
        typer.Option(
            "--stage", metavar="NAME", help="Run this stage of the recipe only; may be repeated."
        ),
    ] = [],  # noqa: B006
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in the folder.")
    ] = False,
    validate_every: Annotated[
        int,
        typer.Option(
            "--validate-every", min=0, help="Steps between validations; 0: at each stage's end."
        ),
    ] = 0,
    tensorboard: Annotated[
        bool, typer.Option(help="Also log for TensorBoard (unihpe\\[plots]).")
    ] = False,
    half: Annotated[bool, typer.Option(help="Store the weights as float16.")] = False,
    device: Device = "cpu",
) -> None:
    """Train a recipe: all its stages one after the other, or those that are named.

    Several processes: torchrun --nproc-per-node 2 -m unihpe train …, with stages that accumulate 2
    batches.
    """
    from unihpe.progress import training_report
    from unihpe.recipe import load_recipe, with_stages
    from unihpe.runs.start import MODEL_FILE
    from unihpe.runs.train import train_recipe
    from unihpe.training.loop import Schedule
    from unihpe.training.processes import joined

    loaded = load_recipe(recipe, tuple(change))
    if stage:
        loaded = with_stages(loaded, tuple(stage))
    with joined(device) as (processes, own):
        console.quiet = not processes.writes
        board = out if tensorboard and processes.writes else None
        with training_report(console, loaded.stage, board) as report:
            train_recipe(
                loaded,
                out,
                resume=resume,
                start=start,
                device=own,
                schedule=Schedule(validate_every=validate_every),
                report=report,
                half=half,
                processes=processes,
            )
    console.print(f"The model is {out / MODEL_FILE}; its log is {out / 'log.jsonl'}.")


@app.command("eval")
def evaluate(
    checkpoint: Checkpoint,
    root: Annotated[Path, typer.Option(help="The data's file or folder.")],
    data: Annotated[str, typer.Option(help=f"Data set: {', '.join(DATA_SETS)}.")] = "motion",
    protocol: Annotated[
        str | None,
        typer.Option(help="A named one, see `unihpe data protocols`; it says split and stride."),
    ] = None,
    rig: Annotated[
        Path | None, typer.Option(help="TOML that names the joints of a BVH rig.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="train, val or test; test without this.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Every n-th frame of each motion; 10 without this.")
    ] = None,
    two_d: Annotated[str, typer.Option(help="Of motion: exact or detected.")] = "exact",
    keypoints: Annotated[
        str, typer.Option(help="2D of a recorded set: gt, exact, cpn_ft_h36m_dbb, …")
    ] = "gt",
    unknown_focal: Annotated[
        bool, typer.Option(help="Assume √(W² + H²) instead of the true focal length.")
    ] = False,
    samples: Annotated[int, typer.Option(min=0, help="Hypotheses for each pose.")] = 0,
    sampler: Annotated[
        str, typer.Option(help="How they are drawn; see docs/samplers.md.")
    ] = "auto",
    steps: Annotated[
        int, typer.Option(min=0, help="Steps of the sampler; 0 is its own default.")
    ] = 0,
    gallery: Annotated[int, typer.Option(min=0, help="People in the retrieval gallery.")] = 2000,
    flip: Annotated[
        bool, typer.Option("--flip", help="Also score the mean with the mirrored estimate.")
    ] = False,
    seed: Seed = 0,
    device: Device = "cpu",
    json: Json = None,
) -> None:
    """Score a checkpoint; the protocol is printed in words."""
    from unihpe.runs.evaluate import evaluate_checkpoint, write_report

    if data not in DATA_SETS:
        raise InputError(f"--data {data}: known data sets are {', '.join(DATA_SETS)}")
    if two_d not in ("exact", "detected"):
        raise InputError(f"--two-d {two_d}: it is exact or detected")
    if protocol is not None and not (split is None and stride is None):
        raise InputError(
            "--protocol says which split and frames are scored: leave --split and --stride out"
        )
    report = evaluate_checkpoint(
        checkpoint,
        data,
        root,
        protocol=protocol,
        rig=rig,
        split=split or "test",
        stride=stride or 10,
        two_d=two_d,  # type: ignore[arg-type]
        keypoints=keypoints,
        focal_known=not unknown_focal,
        samples=samples,
        sampler=sampler,
        steps=steps,
        gallery=gallery,
        flip=flip,
        seed=seed,
        device=device,
    )
    show_report(report)
    if json is not None:
        write_report(json, report)


def show_report(report: dict[str, Any]) -> None:
    """The protocol in words, and the figures as a table."""
    from unihpe.evaluation.pictures import in_words

    for name, value in report["protocol"].items():
        console.print(named(name, value))
    if "errors_mm" not in report:
        return show_photographs(report)
    errors = report["errors_mm"]
    groups = list(next(iter(errors.values())))
    unit = "mm (3DPCK, AUC: %)" if any(name.startswith("3DPCK") for name in errors) else "mm"
    means = [group.replace("mean over groups", "mean") for group in groups]
    table = Table(unit, *means, title=f"{report['poses']} poses")
    for name, values in errors.items():
        table.add_row(name, *(f"{values[group]:.1f}" for group in groups))
    console.print(table)
    for name, values in report.items():
        if in_words(name) != name and values:
            row = ", ".join(f"{label} {value:.3f}" for label, value in values.items())
            console.print(f"{in_words(name)}: {row}")
    cosines = report["cosine"] if "cosine" in report else {"2d–3d": report["cosine_2d_3d"]}
    for pair, cosine in cosines.items():
        console.print(
            f"cosine {pair}: matched {cosine['matched']:.3f}, unmatched {cosine['unmatched']:.3f}"
        )
    for way, found in report.get("retrieval", {}).items():
        recall = ", ".join(f"@{k} {share:.3f}" for k, share in found["recall"].items())
        console.print(
            f"retrieval {way} among {found['gallery']}: recall {recall};"
            f" MPJPE of the nearest {found['pose_error']:.1f} mm"
        )


def show_photographs(report: dict[str, Any]) -> None:
    """The figures of photographs as a table."""
    figures = list(next(iter(report["visible"].values())))
    table = Table("", "", *figures, title=f"{report['people']} people")
    for kind in ("visible", "marked"):
        for name, values in report[kind].items():
            table.add_row(
                kind, name, *(f"{value:.3f}".rstrip("0").rstrip(".") for value in values.values())
            )
    console.print(table)


def parse_size(text: str | None) -> tuple[float, float] | None:
    """WIDTHxHEIGHT as two numbers."""
    if text is None:
        return None
    try:
        width, height = (float(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise InputError(
            f"--image-size {text}: write it as WIDTHxHEIGHT, for example 1920x1080"
        ) from error
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise InputError(f"--image-size {text}: width and height must be above 0")
    return width, height


Model = Annotated[
    Path | None, typer.Option("--checkpoint", help="Default: the one in the package.")
]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="WxH", help="Where the file does not hold it.")
]
SkeletonName = Annotated[
    str | None, typer.Option(help="The file's joints, where the layout does not tell.")
]


@app.command()
def predict(
    out: Out,
    picture: Annotated[
        Path | None, typer.Argument(help="A picture, or a folder of pictures.")
    ] = None,
    keypoints: Annotated[
        Path | None, typer.Option(help="Keypoint file, or a folder of OpenPose files.")
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="JSON with the people's boxes in the pictures (docs/formats.md)."),
    ] = None,
    image_size: ImageSize = None,
    skeleton: SkeletonName = None,
    checkpoint: Model = None,
    focal: Annotated[
        float | None, typer.Option(help="Focal length in pixels; else √(W² + H²) is assumed.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Hypotheses for each person.")] = 20,
    sampler: Annotated[
        str, typer.Option(help="How they are drawn; see docs/samplers.md.")
    ] = "auto",
    steps: Annotated[
        int, typer.Option(min=0, help="Steps of the sampler; 0 is its own default.")
    ] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="Estimates are means with the mirrored one.")
    ] = False,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """2D keypoints, or pictures, or pictures and their keypoints, to 3D poses: JSON, NPZ, a picture and a page."""
    from unihpe import load
    from unihpe.inference.keypoints.read import read_keypoints

    if picture is None and keypoints is None:
        raise InputError("predict takes a picture (or folder), or --keypoints FILE, or both")
    predictor = load(checkpoint, device)
    options = {
        "focal": focal,
        "samples": samples,
        "sampler": sampler,
        "steps": steps,
        "flip": flip,
        "seed": seed,
    }
    if picture is not None:
        marks = keypoints_by_picture(picture, keypoints, skeleton, parse_size(image_size))
        predict_pictures(predictor, picture, boxes, marks, out, options)
        return
    assert keypoints is not None
    file, skipped = predictor.liftable(read_keypoints(keypoints, skeleton, parse_size(image_size)))
    results = predictor.lift_file(file, **options)
    console.print(f"{len(results)} people of {keypoints.name} ({file.skeleton.name}).")
    write_results(out, keypoints.name, results)
    leave_skipped(skipped)


def keypoints_by_picture(
    picture: Path, file: Path | None, skeleton: str | None, size: tuple[float, float] | None
) -> dict[str, KeypointFile] | None:
    """The people of each picture, by its name; None without a file."""
    from unihpe.inference.keypoints.read import read_keypoints
    from unihpe.io.picture import read_picture

    if file is None:
        return None
    if size is None and picture.is_file():
        height, width = read_picture(picture).shape[:2]
        size = float(width), float(height)
    found = read_keypoints(file, skeleton, size)
    names = [Path(name).name for name in found.image]
    if picture.is_file() and picture.name not in names and len(set(names)) == 1:
        names = [picture.name] * len(found)  # a file about one picture, which it does not name
    people: dict[str, list[int]] = {}
    for n, name in enumerate(names):
        people.setdefault(name, []).append(n)
    return {name: found.select(rows) for name, rows in people.items()}


def evidence_for(
    predictor: Predictor, boxes: Corners | None, marks: KeypointFile | None
) -> tuple[dict[str, Any], list[str]]:
    """What `Predictor.predict` takes beside a picture, of those people who can be lifted; and who
    cannot, in words.

    Raises:
        InputError: if boxes and keypoints are of different numbers of people, or nobody can be
            lifted.
    """
    if marks is None:
        return {"boxes": boxes}, []
    if boxes is not None and len(boxes) != len(marks):
        raise InputError(
            f"{len(boxes)} boxes and keypoints of {len(marks)} people: give one box for each"
        )
    rows, skipped = predictor.liftable_rows(marks)
    kept = marks.select(rows)
    return {
        "boxes": None if boxes is None else [boxes[n] for n in rows],
        "keypoints": kept.keypoints,
        "confidence": kept.confidence,
        "skeleton": kept.skeleton.name,
        "person": kept.person,
    }, skipped


def predict_pictures(
    predictor: Predictor,
    path: Path,
    boxes: Path | None,
    marks: dict[str, KeypointFile] | None,
    out: Path,
    options: dict[str, Any],
) -> None:
    """Every picture that can be read, and everybody in it who can be lifted; the others are listed at the end."""
    from unihpe.inference.boxes import read_boxes
    from unihpe.inference.results import join
    from unihpe.io.picture import pictures_in, read_picture

    known = read_boxes(boxes) if boxes is not None else {}
    parts, skipped, places = [], [], {}
    for file in pictures_in(path):
        if boxes is not None and not known.get(file.name):  # a detector that found nobody writes []
            skipped.append(f"{file.name}: no box for it in {boxes}")
            continue
        if marks is not None and file.name not in marks:
            skipped.append(f"{file.name}: no keypoints for it in the keypoint file")
            continue
        try:
            here = None if marks is None else marks[file.name]
            given, left = evidence_for(predictor, known.get(file.name), here)
            parts.append(predictor.predict(file, **given, name=file.name, **options))
            places[file.name] = file
            skipped += left
        except InputError as error:
            text = str(error)
            skipped.append(text if text.startswith(str(file)) else f"{file.name}: {text}")
    if not parts:
        raise InputError(f"no picture to predict from: {skipped[0]}")
    results = join(parts)
    console.print(f"{len(results)} people in {len(parts)} pictures of {path.name}.")
    write_results(out, path.name, results, lambda name: read_picture(places[name]))
    leave_skipped(skipped)


def write_results(
    out: Path, name: str, results: Results, photo: Callable[[str], Any] | None = None
) -> None:
    """JSON, NPZ, a sheet and a page; and where they are."""
    from unihpe.export.json import write_json
    from unihpe.export.npz import write_npz
    from unihpe.show.sheets import write_pictures

    # first what can fail, so that nothing is written of results that cannot be drawn
    pictures = write_pictures(out, "poses", f"unihpe: {name}", results, photo=photo)
    write_json(out / "poses.json", results)
    write_npz(out / "poses.npz", results)
    made = [
        joint
        for joint, is_made in zip(results.skeleton.joints, results.synthesised, strict=True)
        if is_made
    ]
    console.print(f"Focal length {results.focal_source}.")
    if made:
        console.print(f"Joints made from others: {', '.join(made)}.")
    console.print(
        f"Poses: {out / 'poses.json'}, {out / 'poses.npz'}. Pictures: {pictures[0]}, {pictures[1]}."
    )


def leave_skipped(skipped: list[str]) -> None:
    """List who was left out, and end with exit code 1 if somebody was."""
    for line in skipped:
        print(f"left out: {line}", file=sys.stderr)
    if skipped:
        raise typer.Exit(1)


@app.command("demo")
def run_demo(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A picture, a BVH folder, a motion npz or a keypoint file; default: none."
        ),
    ] = None,
    out: Out = Path("unihpe-demo"),
    rig: Annotated[
        Path | None, typer.Option(help="TOML that names the joints of a BVH rig.")
    ] = None,
    image_size: ImageSize = None,
    skeleton: SkeletonName = None,
    checkpoint: Model = None,
    seed: Seed = 0,
) -> None:
    """See pictures, or 2D keypoints, become 3D poses, with a measured error and pictures."""
    from unihpe import load
    from unihpe.show.demo import demo

    predictor = load(checkpoint)
    shown = demo(
        predictor,
        out,
        path,
        rig=rig,
        image_size=parse_size(image_size),
        skeleton=skeleton,
        seed=seed,
    )
    console.print(
        f"3D poses of {shown.what}: a point estimate and {shown.hypotheses} hypotheses each."
    )
    for name, value in shown.errors.items():
        console.print(
            f"{name}: {value:.1f} mm over {shown.people} poses, {shown.given}, known focal length."
        )
    console.print("Look at " + ", ".join(str(file) for file in shown.files) + ".")
    leave_skipped(list(shown.skipped))


@app.command()
def plot(
    what: Annotated[str, typer.Argument(help=f"{', '.join(FIGURES)}.")],
    of: Annotated[
        Path, typer.Argument(help="A checkpoint; of cosines, the folder of a training run.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG to write.")],
    people: Annotated[
        Path | None, typer.Option(help="A packed set of rendered people, such as people/test.pack.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """The paper's figures: the space by t-SNE (1, 6), cosines over training (5), best and worst people (4, 7, 9)."""
    from unihpe.show.plots import draw_cosines, draw_people, draw_space

    if what not in FIGURES:
        raise InputError(f"plot {what}: there are {', '.join(FIGURES)}")
    if what == "cosines":
        draw_cosines(of, out)
    elif people is None:
        raise InputError(f"plot {what} needs --people PACK")
    else:
        (draw_space if what == "space" else draw_people)(of, people, out, seed=seed)
    console.print(f"Look at {out}.")


@app.command()
def recipes() -> None:
    """List the shipped recipes."""
    from unihpe.recipe import load_recipe, shipped_recipes

    for name in shipped_recipes():
        console.print(named(name, load_recipe(name).about.strip().splitlines()[0]))


@app.command()
def info(
    checkpoint: Annotated[
        Path | None, typer.Argument(help="Default: the one in the package.")
    ] = None,
) -> None:
    """What a checkpoint says of itself."""
    from unihpe.inference.predictor import default_checkpoint
    from unihpe.model.checkpoint import load_checkpoint

    path = checkpoint or default_checkpoint()
    tensors, card = load_checkpoint(path / "model.safetensors" if path.is_dir() else path)
    console.print_json(card.model_dump_json())
    console.print(
        f"{sum(tensor.numel() for tensor in tensors.values()) / 1e6:.2f} M parameters in {path}"
    )


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except InputError as error:
        print(f"unihpe: {error}", file=sys.stderr)
        sys.exit(2)
    except PermissionError as error:
        print(
            f"unihpe: {error.filename}: permission denied; give yourself the right to it",
            file=sys.stderr,
        )
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)  # interrupted
    except Exception as error:
        said = getattr(
            error, "format_message", None
        )  # of a usage error, whichever click typer carries
        if said is None:
            raise
        text = said()
        if "\n" in text:  # no arguments at all: the help
            print(text)
        else:
            print(f"unihpe: {text.rstrip('.')}; see --help", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
