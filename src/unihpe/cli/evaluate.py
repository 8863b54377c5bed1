"""`unihpe eval`: a checkpoint's errors on a data set."""

from typing import Annotated, Any

import typer
from rich.table import Table

from unihpe.cli.options import (
    Checkpoint,
    Device,
    Flip,
    Json,
    Rig,
    Root,
    Sampler,
    Seed,
    Steps,
    console,
    named,
)
from unihpe.datasets import DATA_SETS, DEFAULT
from unihpe.errors import InputError


def evaluate(
    checkpoint: Checkpoint,
    root: Root,
    data: Annotated[str, typer.Option(help=f"Data set: {', '.join(DATA_SETS)}.")] = DEFAULT,
    protocol: Annotated[
        str | None, typer.Option(help="One of `unihpe data protocols`; it says split and stride.")
    ] = None,
    rig: Rig = None,
    split: Annotated[str | None, typer.Option(help="train, val or test; default test.")] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Every n-th frame of each motion; default 10.")
    ] = None,
    two_d: Annotated[str, typer.Option(help="2D of a motion: exact or detected.")] = "exact",
    keypoints: Annotated[
        str, typer.Option(help="2D of a recorded set: gt, exact, cpn_ft_h36m_dbb, …")
    ] = "gt",
    unknown_focal: Annotated[
        bool, typer.Option(help="Assume √(W² + H²) instead of the true focal length.")
    ] = False,
    samples: Annotated[int, typer.Option(min=0, help="Hypotheses for each pose.")] = 0,
    sampler: Sampler = "auto",
    steps: Steps = 0,
    gallery: Annotated[int, typer.Option(min=0, help="People in the retrieval gallery.")] = 2000,
    flip: Flip = False,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = None,
) -> None:
    """Score a checkpoint; the protocol is printed in words."""
    from unihpe.runs.evaluate import evaluate_checkpoint, write_report

    if two_d not in ("exact", "detected"):
        raise InputError(f"--two-d {two_d}: it is exact or detected")
    if protocol is not None and not (split is None and stride is None):
        raise InputError("--protocol says which split and stride: leave --split and --stride out")
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
