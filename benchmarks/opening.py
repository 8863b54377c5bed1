"""What opening a set of 1.5 million frames costs: time and memory, first, later, over an epoch.

    python benchmarks/opening.py --json opening.json

Writes a stand-in for Human3.6M in VideoPose3D's layout (the true subjects, takes and cameras, about
1.56 million frames for training) into a temporary folder ($TMPDIR: a disk, 1.5 GB), then measures
in fresh processes. Memory is resident, in MB of 10⁶ bytes; "own" is beyond what the interpreter
holds with torch and unihpe imported. An epoch draws as many people as the set has, without
training; percents are of what --epoch asks for.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.datasets.human36m.views import ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS, sequence_of

HERE = Path(__file__)
FRAMES = 2600  # of a take, at 50 Hz; 30 takes, 4 cameras and 5 subjects make 1.56 million
JOINTS_3D, JOINTS_2D, CAMERAS = 32, 17, 4
LARGEST = "positions_2d"
BATCH = 2048


def write_stand_in(folder: Path, frames: int) -> dict[str, float]:
    """Write both files, one standing person moved about; return the sizes of their arrays in MB."""
    rng, person = np.random.default_rng(0), standing()
    world: dict[str, dict[str, np.ndarray]] = {}
    flat: dict[str, dict[str, list[np.ndarray]]] = {}
    for subject in (*TRAIN_SUBJECTS, *TEST_SUBJECTS):
        for action in range(2, 2 + len(ACTIONS)):
            for take in (1, 2):
                name, place = (
                    sequence_of(subject, action, take),
                    rng.normal(0, 0.3, (frames, 1, 3)) * [1, 1, 0],
                )
                world.setdefault(subject, {})[name] = (person + place).astype(np.float32)
                views = [
                    rng.uniform(100, 900, (frames, JOINTS_2D, 2)).astype(np.float32)
                    for _ in range(CAMERAS)
                ]
                flat.setdefault(subject, {})[name] = views
    metadata = {
        "layout_name": "h36m",
        "num_joints": JOINTS_2D,
        "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    }
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(world, dtype=object))
    np.savez(
        folder / "data_2d_h36m_gt.npz",
        positions_2d=np.array(flat, dtype=object),
        metadata=np.array(metadata, dtype=object),
    )
    takes = len(world) * 2 * len(ACTIONS)
    return {
        "positions_3d": takes * frames * JOINTS_3D * 3 * 4 / 1e6,
        LARGEST: takes * CAMERAS * frames * JOINTS_2D * 2 * 4 / 1e6,
    }


def standing() -> np.ndarray:
    """A person with bent knees, (32, 3), metres, z up: passes the checks of unit and legs."""
    from unihpe.datasets.human36m.views import RAW_JOINTS

    places = {
        "pelvis": (0, 0, 0.95),
        "hip": (0.13, 0, 0.94),
        "knee": (0.13, -0.12, 0.50),
        "ankle": (0.13, 0.02, 0.08),
        "spine": (0, 0, 1.2),
        "thorax": (0, 0, 1.45),
        "nose": (0, -0.08, 1.55),
        "head": (0, -0.02, 1.66),
        "shoulder": (0.17, 0, 1.42),
        "elbow": (0.22, 0.04, 1.14),
        "wrist": (0.23, -0.05, 0.9),
    }
    rows = []
    for joint in RAW_JOINTS.split():
        side, _, name = joint.rpartition("_") if joint.count("_") == 1 else ("", "", joint)
        x, y, z = places.get(name, places["thorax"])
        rows.append((-x if side == "right" else x, y, z))
    return np.array(rows)


def held(what: str) -> float:
    """This process's memory, MB: VmRSS is what it holds now, VmHWM the most so far.

    (getrusage's peak would start with the parent's.)
    """
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{what}:")[1].split()[0]) * 1024 / 1e6


def opened(folder: str, share: str) -> dict[str, float]:
    """In a fresh process: open the training split, draw a batch, then a share of an epoch."""
    started = time.perf_counter()
    import torch

    from unihpe.datasets.settings import Part, open_source
    from unihpe.recipe import load_recipe
    from unihpe.training.streams import training_stream

    torch.set_num_threads(1)
    found = {"import_s": time.perf_counter() - started, "imported_mb": held("VmRSS")}
    recipe = load_recipe("lifting-cpn", (f"data.root={folder}", "data.keypoints=gt"))
    begin, used = time.perf_counter(), time.process_time()
    source = open_source(recipe.data, Part("train", training=True))
    draw = training_stream(source, recipe.data)
    found |= {"open_s": time.perf_counter() - begin, "open_cpu_s": time.process_time() - used}
    found |= {
        "frames": len(source),
        "before_first_batch_mb": held("VmRSS"),
        "peak_mb": held("VmHWM"),
    }
    generator = torch.Generator().manual_seed(0)
    begin = time.perf_counter()
    draw(BATCH, generator)
    found["first_batch_s"] = time.perf_counter() - begin
    batches = round(float(share) * len(source)) // BATCH
    for n in range(batches):
        draw(BATCH, generator)
        if n in (batches // 10, batches // 2, batches - 1):
            found[f"after_{(n + 1) * 100 // batches}_percent_mb"] = held("VmRSS")
    return found | {"epoch_peak_mb": held("VmHWM"), "epoch_s": time.perf_counter() - begin}


def built(folder: str) -> dict[str, float]:
    """In a fresh process: the first opening, which makes the index."""
    from unihpe.datasets import get_data_set
    from unihpe.datasets.dataset import Reading

    found = {"imported_mb": held("VmRSS")}
    begin, used = time.perf_counter(), time.process_time()
    recording = get_data_set("human36m").recording
    assert recording is not None
    recording.open(Path(folder), Reading("gt", "train"))
    return found | {
        "s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - used,
        "peak_mb": held("VmHWM"),
    }


def in_fresh_process(what: str, folder: Path, *more: str) -> dict[str, Any]:
    """The figures of a fresh process."""
    process = subprocess.run(
        [sys.executable, str(HERE), what, str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        sys.exit(process.stderr)
    found: dict[str, Any] = json.loads(process.stdout)
    return {key: round(value, 2) for key, value in found.items()}


def measure(frames: int, epoch: float, file: Path) -> None:
    """Everything, and the targets beside it."""
    from lifting import where

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arrays = write_stand_in(folder, frames)
        index = in_fresh_process("built", folder)
        size = sum(part.stat().st_size for part in (folder / ".unihpe").glob("*")) / 1e6
        again = in_fresh_process("opened", folder, str(epoch))
    own = index["peak_mb"] - index["imported_mb"]
    result = {
        **where(),
        "arrays_mb": {key: round(value, 1) for key, value in arrays.items()},
        "index": {**index, "own_peak_mb": round(own, 1), "file_mb": round(size, 1)},
        "own_peak_over_largest_array": round(own / arrays[LARGEST], 2),
        "epoch": epoch,
        "again": again,
    }
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def main() -> None:
    if sys.argv[1:2] in (["built"], ["opened"]):
        print(json.dumps({"built": built, "opened": opened}[sys.argv[1]](*sys.argv[2:])))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each take")
    parser.add_argument("--epoch", type=float, default=1.0, help="how much of one is drawn")
    args = parser.parse_args()
    measure(args.frames, args.epoch, args.json)


if __name__ == "__main__":
    main()
