"""`unihpe eval`: a checkpoint's errors on a data set."""

from pathlib import Path
from typing import Annotated, Any

from rich.table import Table
from typer import Option

from unihpe.cli import options
from unihpe.cli.options import console, named
from unihpe.datasets import DATA_SETS, sets_in
from unihpe.errors import InputError

SETS = f"{', '.join(DATA_SETS)}, or my_module:DATA_SET; default: the one that is there."


def evaluate(
    checkpoint: options.Checkpoint,
    root: options.Root,
    data: Annotated[str | None, Option(help=SETS)] = None,
    protocol: Annotated[str | None, Option(help="One of `unihpe data protocols`.")] = None,
    rig: options.Rig = None,
    split: Annotated[str | None, Option(help="train, val or test; default test.")] = None,
    stride: Annotated[int | None, Option(min=1, help="Every n-th frame; default 10.")] = None,
    two_d: Annotated[str, Option(help="2D of a motion: exact, detected or coco.")] = "exact",
    cameras: Annotated[str, Option(help="Of a motion: fixed, or free as held by hand.")] = "fixed",
    by: Annotated[str, Option(help="Groups of a motion: source or posture.")] = "source",
    keypoints: Annotated[str, Option(help="2D of a recorded set, such as gt, exact.")] = "gt",
    unknown_focal: Annotated[bool, Option(help="Assume f = √(W² + H²), not the true f.")] = False,
    samples: Annotated[int, Option(min=0, help="Hypotheses for each pose.")] = 0,
    sampler: options.Sampler = "auto",
    steps: options.Steps = 0,
    gallery: Annotated[int, Option(min=0, help="People in the retrieval gallery.")] = 2000,
    flip: options.Flip = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Score a checkpoint; the protocol is printed in words."""
    from unihpe.model.checkpoint import checkpoint_file
    from unihpe.runs.evaluate import evaluate_checkpoint, write_report

    options.one_of(two_d, "--two-d", ("exact", "detected", "coco"))
    options.one_of(cameras, "--cameras", ("fixed", "free"))
    options.one_of(by, "--by", ("source", "posture"))
    if protocol is not None and not (split is None and stride is None):
        raise InputError("--protocol says which split and stride: leave --split and --stride out")
    checkpoint_file(checkpoint)  # before the data: whether there is one
    what: dict[str, Any] = {"protocol": protocol, "split": split or "test", "stride": stride or 10}
    what |= {"two_d": two_d, "cameras": cameras, "by": by}
    what |= {"rig": rig, "keypoints": keypoints, "focal_known": not unknown_focal}
    how: dict[str, Any] = {"samples": samples, "sampler": sampler, "steps": steps, "flip": flip}
    how |= {"gallery": gallery, "seed": seed, "device": device}
    report = evaluate_checkpoint(checkpoint, data or _data_set_in(root), root, **what, **how)
    _show_report(report)
    if json is not None:
        write_report(json, report)


def _data_set_in(root: Path) -> str:
    """The data set in a folder, where it is the only one."""
    options.require_data(root)
    names = sets_in(root)
    if len(names) == 1:
        console.print(f"{root} is read as {names[0]}.")
        return names[0]
    if names:
        raise InputError(f"{root} can be read as {' or '.join(names)}: say which with --data")
    raise InputError(f"{root} holds no data set that is known by its files: name it with --data")


def _show_report(report: dict[str, Any]) -> None:
    from unihpe.evaluation.pictures import in_words

    for name, value in report["protocol"].items():
        console.print(named(name, value))
    if "errors_mm" not in report:
        return _show_photographs(report)
    errors = report["errors_mm"]
    groups = list(next(iter(errors.values())))
    unit = "mm (3DPCK, AUC: %)" if any(name.startswith("3DPCK") for name in errors) else "mm"
    means = [group.replace("mean over groups", "mean") for group in groups]
    table = Table(unit, *means, title=f"{report['poses']} poses")
    for name, values in errors.items():
        table.add_row(name, *(f"{values[group]:.1f}" for group in groups))
    options.print_whole(table)
    for name, values in report.items():
        if in_words(name) != name and values:
            console.print(f"{in_words(name)}: {_in_line(values)}")
    cosines = report["cosine"] if "cosine" in report else {"2d–3d": report["cosine_2d_3d"]}
    for pair, cosine in cosines.items():
        console.print(f"cosine {pair}: {_in_line(cosine)}")
    for way, scores in report.get("retrieval", {}).items():
        recall = _in_line({f"@{k}": share for k, share in scores["recall"].items()})
        nearest = f"MPJPE of the nearest {scores['pose_error']:.1f} mm"
        console.print(f"retrieval {way} among {scores['gallery']}: recall {recall}; {nearest}")


def _in_line(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.3f}" for name, figure in figures.items())


def _show_photographs(report: dict[str, Any]) -> None:
    figures = list(next(iter(report["visible"].values())))
    table = Table("", "", *figures, title=f"{report['people']} people")
    for kind in ("visible", "marked"):
        for name, values in report[kind].items():
            row = (f"{value:.3f}".rstrip("0").rstrip(".") for value in values.values())
            table.add_row(kind, name, *row)
    options.print_whole(table)
