"""How the processes that torchrun starts find each other, each on a device of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from unihpe.errors import InputError
from unihpe.training.processes import ALONE, Processes


@contextmanager
def joined(device: str) -> Iterator[tuple[Processes, str]]:
    """This process among those that torchrun started, and its device; alone without torchrun."""
    if not dist.is_torchelastic_launched():
        yield ALONE, device
        return
    own = _own_device(device, int(os.environ["LOCAL_RANK"]))
    if own != "cpu":
        torch.cuda.set_device(own)
    dist.init_process_group("gloo" if own == "cpu" else "nccl")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size()), own
    finally:
        dist.destroy_process_group()


def _own_device(device: str, place: int) -> str:
    """The device of the process at this place on its machine: the CPU, or a GPU of its own."""
    if device not in ("cpu", "cuda"):
        what = "processes that train together take cpu or cuda, each its own GPU"
        raise InputError(f"--device {device}: {what}")
    if device == "cuda" and place >= (gpus := torch.cuda.device_count()):
        raise InputError(f"--nproc-per-node: more processes than the {gpus} GPUs of this machine")
    return "cpu" if device == "cpu" else f"cuda:{place}"
