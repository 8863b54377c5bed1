"""Several processes give the training that one gives; what cannot be shared is refused."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_training import TINY

from unihpe.cli.torchrun import _own_device, joined
from unihpe.errors import InputError
from unihpe.io.log import read_log
from unihpe.recipe import load_recipe
from unihpe.training.processes import Processes

SHARED = (*TINY, *(f"stage.{n}.{what}" for n in (0, 1) for what in ("accumulate=2", "steps=2")))


def run(processes, *words):
    """A Python command in one process or, by torchrun, in several."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = str(place.getsockname()[1])
    launcher = (
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        str(processes),
        "--master-port",
        port,
    )
    command = [sys.executable, *(launcher if processes > 1 else ()), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_take_the_step_that_one_takes(motion_file, tmp_path):
    script = Path(__file__).with_name("gradient_of_a_step.py")
    for processes in (1, 2):
        run(processes, script, motion_file, tmp_path / f"of{processes}")
    one, two, other = (
        torch.load(tmp_path / name, weights_only=True) for name in ("of1.0", "of2.0", "of2.1")
    )
    assert one["gradient"].norm() > 0.1
    for own in (two, other):
        assert (one["gradient"] - own["gradient"]).norm() < 0.02 * one[
            "gradient"
        ].norm()  # bfloat16, other threads
    assert torch.equal(two["gradient"], other["gradient"]) and torch.equal(
        two["statistics"], other["statistics"]
    )
    # One process moves the statistics twice, each of two once: m(1 − (1 − α)²) and mα, α = .1, of
    # like means m.
    ratio = (one["statistics"] * two["statistics"]).sum() / two["statistics"].square().sum()
    assert ratio == pytest.approx((1 - 0.9**2) / 0.1, rel=0.05)


def test_two_processes_train_and_one_of_them_speaks_and_writes(motion_file, tmp_path):
    pytest.importorskip("tensorboard", reason="writes for TensorBoard too")
    changes = [
        word for change in (*SHARED, f"data.root={motion_file}") for word in ("--set", change)
    ]
    said = run(
        2, "-m", "unihpe", "train", "quick", "-o", tmp_path / "run", "--tensorboard", *changes
    )
    assert said.count("The model is") == 1
    assert [row["samples"] for row in read_log(tmp_path / "run" / "log.jsonl")] == [
        2 * 2 * 32,
        4 * 2 * 32,
    ]
    names = sorted(path.name.split(".")[0] for path in (tmp_path / "run").iterdir())
    assert names == ["", "events", "log", "model", "model", "training"]  # the first is .lock


def test_two_processes_validate_together(motion_file, tmp_path):
    choosing = ("stage.1.check_every=1", "stage.1.patience=1", f"data.root={motion_file}")
    changes = [word for change in (*SHARED, *choosing) for word in ("--set", change)]
    run(2, "-m", "unihpe", "train", "quick", "-o", tmp_path / "run", *changes)
    assert "validation mpjpe" in read_log(tmp_path / "run" / "log.jsonl")[-1]


def test_two_processes_train_without_batch_norms(motion_file, tmp_path):
    """Transformers and score networks have no running statistics to average."""
    sizes = ("kind=transformer", "heads=4", "feedforward=32", "depth=1")
    encoders = (f"model.{part}.{size}" for part in ("encoder_2d", "encoder_3d") for size in sizes)
    changes = [
        word
        for change in (*SHARED, *encoders, f"data.root={motion_file}")
        for word in ("--set", change)
    ]
    run(2, "-m", "unihpe", "train", "quick", "--stage", "align", "-o", tmp_path / "run", *changes)
    assert read_log(tmp_path / "run" / "log.jsonl")[-1]["gradient"] > 0


def test_nothing_to_average_is_no_message():
    Processes(0, 2).average([])  # there is no group of processes here to send one to


def test_what_the_first_process_finds_is_agreed_upon(monkeypatch):
    said = []
    monkeypatch.setattr("torch.distributed.broadcast_object_list", said.append)
    assert Processes(0, 2).agreed(lambda: 3.5) == 3.5 and said == [[3.5]]
    monkeypatch.setattr(
        "torch.distributed.broadcast_object_list", lambda made: made.__setitem__(0, 3.5)
    )
    assert Processes(1, 2).agreed(lambda: pytest.fail("asked for its own")) == 3.5


def test_a_process_that_has_ended_is_named_by_the_others(monkeypatch):
    def gone(tensor):
        raise RuntimeError("Connection closed by peer\nand more")

    monkeypatch.setattr("torch.distributed.all_reduce", gone)
    with pytest.raises(
        InputError, match=r"another of the processes .* \(Connection closed by peer"
    ) as caught:
        Processes(0, 2).average([torch.zeros(2)])
    assert "\n" not in str(caught.value)


def test_devices_that_processes_cannot_share_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [_own_device("cuda", place) for place in (0, 1)] == ["cuda:0", "cuda:1"] and _own_device(
        "cpu", 5
    ) == "cpu"
    with pytest.raises(InputError, match="more processes than the 2 GPUs"):
        _own_device("cuda", 2)
    for device in ("cuda:0", "mps"):
        with pytest.raises(
            InputError, match=f"--device {device}: processes that train together take cpu or cuda"
        ):
            _own_device(device, 0)


def test_a_rank_in_the_environment_alone_is_no_group(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with joined("cpu") as (processes, device):
        assert processes == Processes() and device == "cpu"


def test_batches_that_cannot_be_shared_are_refused():
    stages = load_recipe("quick", ("stage.1.accumulate=3",)).stage
    with pytest.raises(InputError, match=r"stage 'align' accumulates 1 batch .* 2 processes"):
        Processes(0, 2).require_shares(stages)
    with pytest.raises(
        InputError,
        match=r"stage .joint. accumulates 3 batches .* set its accumulate to a multiple of 2",
    ):
        Processes(0, 2).require_shares([stages[0].model_copy(update={"accumulate": 2}), stages[1]])
    Processes(0, 3).require_shares([stages[1]])


def test_every_batch_is_someones():
    shares = [Processes(rank, 3).share(6) for rank in range(3)]
    assert sorted(n for share in shares for n in share) == list(range(6))
