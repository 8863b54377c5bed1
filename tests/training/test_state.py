"""A run's folder: one training at a time, and a state whose damage is found."""

import signal
import subprocess
import sys

import pytest
import torch
from damaged import flipped
from torch import nn

from unihpe.errors import InputError
from unihpe.recipe import load_recipe
from unihpe.runs.train import train_recipe
from unihpe.training.processes import Processes
from unihpe.training.state import STATE_FILE, Progress, Run, alone_in, begin_run, save_state

HOLD = """
import sys, time
from pathlib import Path
from unihpe.training.state import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def _tiny(motion_file):
    changes = ("stage.0.steps=2", "stage.1.steps=2", "model.embedding=32")
    return load_recipe("quick", (f"data.root={motion_file}", *changes))


def test_a_second_training_in_a_folder_is_refused_until_the_first_is_dead(motion_file, tmp_path):
    out = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"held\n"
        before = sorted(out.iterdir())
        with pytest.raises(InputError, match="run: another training is writing there; wait"):
            train_recipe(_tiny(motion_file), out)
        assert sorted(out.iterdir()) == before
        first.send_signal(signal.SIGKILL)  # nobody is left to take a lock away
    train_recipe(_tiny(motion_file), out)
    assert (out / "model.safetensors").exists()


def test_of_processes_that_train_together_the_writer_alone_locks(
    motion_file, tmp_path, monkeypatch
):
    def trained(model, *rest, **how):
        return model, Progress()

    monkeypatch.setattr("unihpe.runs.train.train", trained)
    with alone_in(tmp_path):
        train_recipe(_tiny(motion_file), tmp_path, processes=Processes(rank=1, count=2))
        with pytest.raises(InputError, match="another training"):
            train_recipe(_tiny(motion_file), tmp_path, processes=Processes(rank=0, count=2))


def test_a_file_system_without_locks_does_not_stop_a_training(tmp_path, monkeypatch):
    def refuse(file):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("unihpe.training.state.lock", refuse)
    with alone_in(tmp_path), alone_in(tmp_path):
        pass


def test_a_flipped_byte_of_a_state_is_found_or_does_not_matter(tmp_path):
    torch.manual_seed(0)
    run, model, path = Run(tmp_path, "a recipe's"), nn.Linear(3, 2), tmp_path / STATE_FILE
    save_state(run, model, nn.Linear(3, 2), torch.optim.Adam(model.parameters()), Progress(1, 2, 3))
    whole, found = path.read_bytes(), 0
    for damaged in flipped(whole):
        path.write_bytes(damaged)
        other, averaged = nn.Linear(3, 2), nn.Linear(3, 2)
        try:
            progress, optimiser = begin_run(run, True, other, averaged)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            found += 1
        else:
            assert progress == Progress(1, 2, 3) and optimiser["param_groups"][0]["lr"] == 1e-3
            assert all(map(torch.equal, other.parameters(), model.parameters()))
    assert found >= len(whole) - 5  # without its mark, a checksum is one that older states lack


def test_a_state_of_older_times_has_no_checksum(tmp_path):
    run, model, path = Run(tmp_path, "a recipe's"), nn.Linear(3, 2), tmp_path / STATE_FILE
    save_state(run, model, model, None, Progress(1, 2, 3))
    torch.save(torch.load(path, weights_only=True), path)
    assert begin_run(run, True, model, model)[0] == Progress(1, 2, 3)
