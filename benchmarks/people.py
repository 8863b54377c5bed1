"""Makes what the included model's pictures were trained and measured on, from the data folder.

    python benchmarks/people.py --out people --workers 2

Splits skins and backgrounds, renders train.pack, val.pack and test.pack, and labels street.zip and
sports.zip with `unihpe data label`. Each command is printed before it runs; what is there already
stays, so that a stopped run goes on. Every sixth skin from the first and every fifth background
from the third, by name, are the test's alone.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from lifting import DATA, MORE, SHARED
from photographs import SPORTS
from rendering import BEFORE_OCCLUDED, OLD

from unihpe.rendering.settings import SHARES

SKINS, BACKGROUNDS = (6, 0), (5, 2)  # one in how many is held out, and the first of them
POSED = {"postures": 0.4, "recombined": 0.2, "turned": 0.15}  # of train.pack
# test.pack's people are those of the renderer as it was at first, so that results compare.
PLAIN = {name: 0.0 for name in SHARES if name not in OLD} | {"occluded": BEFORE_OCCLUDED}


def split(folder: Path, rule: tuple[int, int], out: Path) -> tuple[Path, Path]:
    """Folders of links to a folder's files: of those for training, and of those held out."""
    every, first = rule
    parts = out / f"{folder.name}_train", out / f"{folder.name}_test"
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    for n, file in enumerate(sorted(folder.glob("*.jpg"))):
        link = parts[n % every == first] / file.name
        if not link.exists():
            link.symlink_to(file.resolve())
    return parts


def run(out: Path, *command: object) -> None:
    """A command of `unihpe` that writes `out`, unless that is there."""
    if out.exists():
        return
    words = [*map(str, command), "-o", str(out)]
    print("unihpe", shlex.join(words), flush=True)
    subprocess.run([sys.executable, "-m", "unihpe", *words], check=True)


def shares(of: dict[str, float]) -> list[str]:
    """Options that set the renderer's shares."""
    return [word for name, share in of.items() for word in ("--set", f"{name}={share:g}")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for all of it")
    parser.add_argument("--data", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument("--more", type=Path, default=MORE, help="another, for training beside it")
    parser.add_argument("--skins", type=Path, default=SHARED / "skins")
    parser.add_argument("--backgrounds", type=Path, default=SHARED / "backgrounds")
    parser.add_argument("--photos", type=Path, default=SPORTS.parent, help="street.zip, sports.zip")
    parser.add_argument("--count", type=int, nargs=3, default=(30_000, 300, 1000))
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    out, (train, val, test) = options.out, options.count
    skins = split(options.skins, SKINS, out)
    backgrounds = split(options.backgrounds, BACKGROUNDS, out)

    def render(part: str, count: int, seed: int, held_out: bool, *more: object) -> None:
        looks = ("--skins", skins[held_out], "--backgrounds", backgrounds[held_out])
        who = ("--motion", options.data, "--split", part, "--count", count, "--seed", seed)
        workers = ("--workers", options.workers)
        run(out / f"{part}.pack", "data", "render", *who, *looks, *workers, *more)

    render("test", test, 101, True, *shares(PLAIN))
    render("val", val, 102, False)
    render("train", train, 11, False, "--also", options.more, *shares(POSED))
    for name in ("street", "sports"):
        run(out / f"{name}.json", "data", "label", options.photos / f"{name}.zip")


if __name__ == "__main__":
    main()
