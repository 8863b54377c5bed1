"""What a stage trains, and what it freezes (stage 2 freezes the pose encoders)."""

from __future__ import annotations

import math

import torch
from torch import nn

from unihpe.model.unihpe import UniHPE, use_running_statistics
from unihpe.training.stage import PARTS, Part, Stage


def begin_stage(model: UniHPE, stage: Stage, *, fresh: bool) -> torch.optim.Optimizer:
    """Freeze what the stage does not train, set its temperature, and make its optimiser."""
    for part, module in parts_of(model).items():
        module.requires_grad_(part in stage.trains)
    model.log_scale.requires_grad_(stage.contrastive > 0)
    if fresh and stage.temperature is not None:
        with torch.no_grad():
            model.log_scale.fill_(-math.log(stage.temperature))
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": stage.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=stage.learning_rate, fused=True)


def set_modes(model: UniHPE, stage: Stage) -> None:
    """Training mode for what is trained, evaluation mode (no dropout) for what is frozen, and for batch norms that are settled."""
    for part, module in parts_of(model).items():
        module.train(part in stage.trains)
        if stage.settled:
            use_running_statistics(module)


def parts_of(model: UniHPE) -> dict[Part, nn.Module]:
    """The parts this model has, by name."""
    return {part: getattr(model, part) for part in PARTS if getattr(model, part) is not None}
