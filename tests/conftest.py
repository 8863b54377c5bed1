"""What many tests share."""

import math
import sys
from pathlib import Path

import pytest
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.motion.source import Motion, _on_stage


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that lies beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: see docs/data.md for where it comes from")
    return folder


def walker(frames: int, phase: float = 0.0) -> torch.Tensor:
    """A figure that swings its limbs: (frames, 17, 3), mm, y up."""
    rest = {
        "pelvis": (0, 950, 0), "spine": (0, 1200, -10), "thorax": (0, 1460, -10),
        "nose": (0, 1570, 70), "head": (0, 1690, 0),
        "right_hip": (-120, 940, 0), "right_knee": (-125, 520, 20), "right_ankle": (-125, 90, 0),
        "left_hip": (120, 940, 0), "left_knee": (125, 520, 20), "left_ankle": (125, 90, 0),
        "left_shoulder": (180, 1420, -10), "left_elbow": (230, 1150, -20),
        "left_wrist": (240, 920, 40), "right_shoulder": (-180, 1420, -10),
        "right_elbow": (-230, 1150, -20), "right_wrist": (-240, 920, 40),
    }  # fmt: skip
    skeleton = get_skeleton("human36m17")
    poses = (
        torch.tensor([rest[joint] for joint in skeleton.joints], dtype=torch.float32)
        .expand(frames, 17, 3)
        .clone()
    )
    swing = torch.sin(torch.arange(frames) * 0.3 + phase)
    for side, sign in (("left", 1), ("right", -1)):
        for joint, reach in (("knee", 150), ("ankle", 300), ("elbow", -120), ("wrist", -260)):
            poses[:, skeleton.index(f"{side}_{joint}"), 2] += sign * reach * swing
    heading = torch.arange(frames) * 0.05 + phase
    c, s = heading.cos(), heading.sin()
    zero, one = torch.zeros(frames), torch.ones(frames)
    turn = torch.stack([c, zero, s, zero, one, zero, -s, zero, c], dim=1).view(frames, 3, 3)
    return poses @ turn.mT + torch.tensor([math.sin(phase) * 500, 0.0, 200.0])


@pytest.fixture(scope="session")
def motion() -> Motion:
    """Three small motions in two groups and three splits."""
    lengths, splits = (120, 60, 40), ("train", "test", "val")
    poses = torch.cat(
        [walker(length, phase) for length, phase in zip(lengths, (0.0, 1.0, 2.0), strict=True)]
    )
    sequence = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))
    return _on_stage(
        Motion(
            get_skeleton("human36m17"),
            poses,
            sequence,
            ("a", "b", "c"),
            ("one", "two", "two"),
            splits,
        )
    )


def write_motion(path: Path, motion: Motion) -> Path:
    """A motion as an npz in the documented layout."""
    import numpy as np

    np.savez(
        path,
        poses=motion.poses.numpy() / 1000,
        joints=np.array(motion.skeleton.joints),
        seq_index=motion.sequence.numpy().astype(np.int32),
        seq_names=np.array(motion.names),
        seq_source=np.array(motion.groups),
        seq_split=np.array(motion.splits),
    )
    return path


@pytest.fixture
def motion_file(motion: Motion, tmp_path: Path) -> Path:
    """The same as an npz in the documented layout."""
    return write_motion(tmp_path / "motion.npz", motion)


@pytest.fixture(scope="session")
def trained(motion: Motion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model trained for a few seconds."""
    from unihpe.recipe import load_recipe
    from unihpe.runs.train import train_recipe

    folder = tmp_path_factory.mktemp("trained")
    write_motion(folder / "motion.npz", motion)
    recipe = load_recipe(
        "quick",
        (f"data.root={folder / 'motion.npz'}", "stage.1.steps=250", "stage.1.batch_size=128"),
    )
    train_recipe(recipe, folder / "run")
    return folder / "run"


@pytest.fixture
def unihpe(monkeypatch, capsys):
    """Run a command in this process: (exit code, standard output, standard error)."""
    from unihpe import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["unihpe", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            raise SystemExit(0)
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run
