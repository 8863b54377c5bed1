"""Batches that worker processes draw ahead are those that the training would have drawn itself."""

import os

import cv2
import numpy as np
import pytest
import torch
from test_looking import looking
from test_pictures import folder, recipe  # noqa: F401 (a fixture)

from unihpe.errors import InputError
from unihpe.model.checkpoint import load_checkpoint
from unihpe.runs.train import train_recipe
from unihpe.training.ahead import made_in_order

# Python 3.12 warns of a process with threads that forks; workers use none of them
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def test_what_is_made_comes_in_order_and_from_other_processes():
    keys = list(range(7))
    made = list(made_in_order(lambda key: (key, torch.full((2,), key), os.getpid()), keys, 2))
    assert [key for key, _, _ in made] == keys
    assert all(bool((rows == key).all()) for key, rows, _ in made)
    assert os.getpid() not in {process for _, _, process in made}
    assert {process for *_, process in made_in_order(lambda _: (os.getpid(),), keys)} == {
        os.getpid()
    }


def test_workers_begin_beside_opencvs_threads():
    threads = cv2.getNumThreads()
    picture = np.random.default_rng(0).integers(0, 255, (2000, 2000, 3), dtype=np.uint8)
    cv2.GaussianBlur(picture, (0, 0), 5.0)  # starts them
    made = list(made_in_order(lambda key: (key, cv2.getNumThreads()), [1, 2], 2))
    assert made == [(1, 1), (2, 1)] and cv2.getNumThreads() == threads


def test_a_complaint_in_a_worker_stays_one_line():
    def make(key):
        raise InputError(f"picture {key} is damaged")

    with pytest.raises(InputError, match=r"^picture 3 is damaged$"):
        next(made_in_order(make, [3], 1))


@pytest.mark.parametrize("looks", [False, True])
def test_a_run_with_workers_ends_with_the_same_weights(folder, motion_file, tmp_path, looks):  # noqa: F811
    whole = looking(folder, motion_file) if looks else recipe(folder, motion_file)
    for workers in (0, 2):
        train_recipe(whole, tmp_path / str(workers), workers=workers)
    alone, helped = (load_checkpoint(tmp_path / n / "model.safetensors")[0] for n in "02")
    assert all(torch.equal(alone[name], helped[name]) for name in alone)
