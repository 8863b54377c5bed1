"""Writes the gradient and the batch norms' statistics of one step: python gradient_of_a_step.py
MOTION FILE; for test_processes.py.
"""

import sys
from pathlib import Path

import torch
from test_training import TINY

from unihpe.cli.torchrun import joined
from unihpe.datasets.settings import Part, open_source
from unihpe.recipe import build_model, load_recipe
from unihpe.training.freeze import begin_stage
from unihpe.training.loop import _drawn, _train_step
from unihpe.training.state import Progress, Run
from unihpe.training.streams import StageStream, training_stream


def main(motion, out):
    with joined("cpu") as (processes, device):
        write(motion, f"{out}.{processes.rank}", processes, device)


def write(motion, out, processes, device):
    """Every process writes its own."""
    recipe = load_recipe(
        "quick", (*TINY, "stage.1.accumulate=2", "stage.1.clip=1e9", f"data.root={motion}")
    )
    source = open_source(recipe.data, Part("train", training=True))
    draw = StageStream(training_stream(source, recipe.data), [], None)
    model, stage = build_model(recipe), recipe.stage[1]
    optimiser = begin_stage(model, stage, fresh=True)
    optimiser.step = lambda: None
    run = Run(Path(out), "", device=device, processes=processes)
    progress = Progress(stage=1)
    _train_step(model, optimiser, stage, _drawn(draw, stage, run, progress), run, progress)
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    statistics = torch.cat(
        [value for name, value in model.named_buffers() if "running_mean" in name]
    )
    torch.save({"gradient": gradient, "statistics": statistics}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
