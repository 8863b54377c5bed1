"""`unihpe demo`: what the model does, in pictures."""

from pathlib import Path
from typing import Annotated

import typer

from unihpe.cli.options import (
    Device,
    ImageSize,
    Model,
    OutFolder,
    Rig,
    Seed,
    SkeletonName,
    console,
    leave_skipped,
    parse_size,
)


def run_demo(
    path: Annotated[
        Path | None,
        typer.Argument(help="A picture, BVH folder, motion npz or keypoint file; default: people."),
    ] = None,
    out: OutFolder = Path("unihpe-demo"),
    rig: Rig = None,
    image_size: ImageSize = None,
    skeleton: SkeletonName = None,
    checkpoint: Model = "shipped",
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """See pictures, or 2D keypoints, become 3D poses, with a measured error and pictures."""
    from unihpe import load
    from unihpe.show.demo import demo

    size = parse_size(image_size)
    model = load(checkpoint, device)
    shown = demo(model, path, rig=rig, image_size=size, skeleton=skeleton, seed=seed)
    files = shown.write(out)
    console.print(
        f"3D poses of {shown.what}: a point estimate and {shown.hypotheses} hypotheses each."
    )
    over = f"over {len(shown.results)} poses, {shown.given}, known focal length"
    for name, value in shown.errors.items():
        console.print(f"{name}: {value:.1f} mm {over}.")
    console.print(f"Look at {', '.join(str(file) for file in files)}.")
    leave_skipped(list(shown.skipped))
