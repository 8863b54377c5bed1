"""Keeping what a network knew: the mean of the weights that a stage began with and what it learned.

Fine-tuning on a few thousand pictures forgets some of what millions taught. A weight half way often
does better on both than either end (Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, CVPR
2022).
"""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from unihpe.io.files import replacing
from unihpe.model.checkpoint import read_safetensors
from unihpe.training.state import Run


def begun_with(model: nn.Module, run: Run, number: int) -> dict[str, Tensor]:
    """The model's weights at the beginning of a stage, kept in the run's folder for a run that is
    resumed in the middle of it."""
    path = _place(run, number)
    if path.exists():
        return read_safetensors(path, "start the run again")[0]
    state, whole = model.state_dict(), torch.contiguous_format
    weights = {name: tensor.cpu().clone(memory_format=whole) for name, tensor in state.items()}
    if run.processes.writes:
        with replacing(path) as temporary:
            temporary.write_bytes(save(weights))
    return weights


@torch.no_grad()
def keep_share(model: nn.Module, begun: dict[str, Tensor], share: float) -> None:
    """Move weights back towards those that a stage began with, by this share of the way."""
    for name, own in model.state_dict().items():
        if own.dtype.is_floating_point:
            own.lerp_(begun[name].to(own), share)


def _place(run: Run, number: int) -> Path:
    return run.out / f"begun-{number}.safetensors"
