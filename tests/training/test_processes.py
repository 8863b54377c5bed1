"""Several processes give the training that one gives; what cannot be shared is refused."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_training import TINY

from unihpe.errors import InputError
from unihpe.recipe import load_recipe
from unihpe.training.loop import read_log
from unihpe.training.processes import Processes

SHARED = (*TINY, *(f"stage.{n}.{what}" for n in (0, 1) for what in ("accumulate=2", "steps=2")))


def run(processes, *words):
    """A Python command in one process or, by torchrun, in several."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = str(place.getsockname()[1])
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", port)
    command = [sys.executable, *(launcher if processes > 1 else ()), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_take_the_step_that_one_takes(motion_file, tmp_path):
    script = Path(__file__).with_name("gradient_of_a_step.py")
    for processes in (1, 2):
        run(processes, script, motion_file, tmp_path / str(processes))
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("1", "2"))
    assert one["gradient"].norm() > 0.1
    assert (one["gradient"] - two["gradient"]).norm() < 0.02 * one["gradient"].norm()  # bfloat16, other threads
    # One process moves the statistics twice, each of two once: m(1 − (1 − α)²) and mα, α = .1, of like means m.
    ratio = (one["statistics"] * two["statistics"]).sum() / two["statistics"].square().sum()
    assert ratio == pytest.approx((1 - 0.9**2) / 0.1, rel=0.05)


def test_two_processes_train_and_one_of_them_speaks_and_writes(motion_file, tmp_path):
    changes = [word for change in (*SHARED, f"data.root={motion_file}") for word in ("--set", change)]
    said = run(2, "-m", "unihpe", "train", "quick", "-o", tmp_path / "run", *changes)
    assert said.count("The model is") == 1
    assert read_log(tmp_path / "run" / "log.jsonl")[-1]["samples"] == 4 * 2 * 32
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_batches_that_cannot_be_shared_are_refused():
    stages = load_recipe("quick", ("stage.1.accumulate=3",)).stage
    with pytest.raises(InputError, match=r"stage 'align' accumulates 1 batch .* 2 processes"):
        Processes(0, 2).require_shares(stages)
    with pytest.raises(InputError, match=r"set stage\.1\.accumulate to a multiple of 2"):
        Processes(0, 2).require_shares([stages[0].model_copy(update={"accumulate": 2}), stages[1]])
    Processes(0, 3).require_shares([stages[1]])


def test_every_batch_is_someones():
    shares = [Processes(rank, 3).share(6) for rank in range(3)]
    assert sorted(n for share in shares for n in share) == list(range(6))
