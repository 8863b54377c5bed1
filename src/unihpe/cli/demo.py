"""`unihpe demo`: what the model does, in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unihpe.cli.options import (
    ImageSize,
    Model,
    Out,
    Seed,
    SkeletonName,
    console,
    leave_skipped,
    parse_size,
)


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
