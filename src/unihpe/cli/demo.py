"""`unihpe demo`: what the model does, in pictures."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from unihpe.cli import options
from unihpe.cli.options import console
from unihpe.errors import printable

WHAT = "A picture, BVH folder, motion npz or keypoint file; default: the package's people."


def run_demo(
    path: Annotated[Path | None, Argument(help=WHAT)] = None,
    out: options.OutFolder = Path("unihpe-demo"),
    rig: options.Rig = None,
    image_size: options.ImageSize = None,
    skeleton: options.SkeletonName = None,
    checkpoint: options.LiftingModel = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """See pictures, or 2D keypoints, become 3D poses, with a measured error and pictures."""
    from unihpe import load
    from unihpe.io.picture import SUFFIXES
    from unihpe.show.demo import demo

    size = options.parse_size(image_size)
    seen = path is None or path.suffix.lower() in SUFFIXES
    own = "shipped" if seen else "shipped:lifting"
    model = load(checkpoint or own, device)
    shown = demo(model, path, rig=rig, image_size=size, skeleton=skeleton, seed=seed)
    files = shown.write(out)
    for note in shown.notes:
        console.print(f"Note: {printable(note)}.")
    poses = f"a point estimate and {shown.hypotheses} hypotheses each"
    console.print(f"3D poses of {shown.what}: {poses}.")
    over = f"over {len(shown.results)} poses, {shown.given}, known focal length"
    for name, value in shown.errors.items():
        console.print(f"{name}: {value:.1f} mm {over}.")
    console.print(f"Look at {', '.join(str(file) for file in files)}.")
    options.leave_skipped(list(shown.skipped))
