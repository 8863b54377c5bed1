"""What a stage trains and what it freezes (stage 2 freezes the pose encoders)."""

import math

from torch import nn
from torch.optim import AdamW, Optimizer

from unihpe.errors import InputError
from unihpe.model.person_head import PersonHead
from unihpe.model.unihpe import UniHPE, use_running_statistics
from unihpe.training.stage import PARTS, Part, Stage


def begin_stage(model: UniHPE, stage: Stage, *, fresh: bool) -> Optimizer:
    """Freeze what the stage does not train, set τ₀ where it starts afresh, and make its AdamW."""
    for part, module in _parts_of(model).items():
        module.requires_grad_(part in stage.trains)
    for layer in _still_layers(model, stage):
        layer.requires_grad_(False)
    if stage.joints:
        _hold_all_but_last_layers(model, stage)
    model.log_scale.requires_grad_(stage.contrastive > 0)
    if fresh and stage.temperature is not None:
        nn.init.constant_(model.log_scale, -math.log(stage.temperature))
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": stage.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},  # norms and biases
    ]
    return AdamW(groups, lr=stage.learning_rate, fused=True)


def set_modes(model: UniHPE, stage: Stage) -> None:
    """Training mode for what learns; evaluation mode for what is frozen and for settled norms."""
    for part, module in _parts_of(model).items():
        module.train(part in stage.trains)
        if stage.settled:
            use_running_statistics(module)
    for layer in _still_layers(model, stage):
        layer.eval()


def _still_layers(model: UniHPE, stage: Stage) -> list[nn.Module]:
    """What of the image network does not learn: some layers, or all where it has looked before."""
    if model.image_encoder is None:
        return []
    backbone = model.image_encoder.backbone
    if stage.looks:
        return [part for part in (backbone, model.heatmap_head) if part is not None]
    if stage.still > len(backbone.layers()):
        what = f"stage {stage.name} holds {stage.still} layers still"
        raise InputError(f"{what}, the backbone has {len(backbone.layers())}: lower still")
    return [*backbone.layers()[: stage.still]]


def _hold_all_but_last_layers(model: UniHPE, stage: Stage) -> None:
    """Leave the heat-map head its last layers, in which each row is one joint's own."""
    if not isinstance(model.heatmap_head, PersonHead):
        remedy = 'leave joints out, or set heatmaps_from = "person"'
        raise InputError(
            f"stage {stage.name} names joints, and the head is not MoveNet's: {remedy}"
        )
    model.heatmap_head.requires_grad_(False)
    for head in model.heatmap_head.published.last_layers():
        head.requires_grad_(True)


def _parts_of(model: UniHPE) -> dict[Part, nn.Module]:
    """The parts that this model has, by name."""
    return {part: getattr(model, part) for part in PARTS if getattr(model, part) is not None}
