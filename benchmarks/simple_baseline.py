"""SimpleBaseline (Martinez et al., ICCV 2017) on our inputs: the opponent of the lifting benchmark.

Two residual blocks of 1024, batch norm, ReLU and dropout, mean square error. It gets what the
model's 2D encoder gets (keypoints in box units, confidence, box token), the same stream of samples,
and the same training: AdamW, warm-up and cosine, gradient clipping, averaged weights, bfloat16.
"""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unihpe.body.batch import Batch
from unihpe.io.files import replacing
from unihpe.model.device import mixed_precision
from unihpe.training.seeds import step_seed
from unihpe.training.streams import Stream

LEARNING_RATES = (3e-4, 1e-3, 3e-3)
BATCH, WARM_UP, EMA = 256, 200, 0.999


class SimpleBaseline(nn.Module):
    """Keypoints, confidence and box token straight to a pose, (B, J, 3) in mm."""

    def __init__(
        self, joints: int, pose_scale: float, width: int = 1024, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.joints, self.pose_scale = joints, pose_scale
        self.stem = layer(3 * joints + 3, width, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(width, width, dropout), layer(width, width, dropout))
            for _ in range(2)
        )
        self.head = nn.Linear(width, 3 * joints)

    def forward(self, batch: Batch) -> Tensor:
        x = self.stem(
            torch.cat([batch.keypoints.flatten(1), batch.confidence, batch.box_token], dim=1)
        )
        for block in self.blocks:
            x = x + block(x)
        return self.head(x).float().unflatten(1, (self.joints, 3)) * self.pose_scale


def layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Linear, batch norm, ReLU, dropout."""
    return nn.Sequential(
        nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout)
    )


def train_baseline(
    draw: Stream,
    samples: int,
    learning_rate: float,
    dropout: float,
    pose_scale: float,
    file: Path,
    seed: int = 0,
    joints: int = 17,
) -> SimpleBaseline:
    """Train one baseline, or load it if `file` is there already; a stopped training goes on from
    the tenth that it had finished, kept beside `file`."""
    torch.manual_seed(seed)
    model = SimpleBaseline(joints, pose_scale, dropout=dropout)
    if file.exists():
        model.load_state_dict(load_file(file))
        return model.eval()
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    parts = {"model": model, "averaged": averaged, "optimiser": optimiser}
    steps, kept = samples // BATCH, file.with_suffix(".training.pt")
    start, begin = _go_on(parts, kept), time.time()
    for step in range(start, steps):
        rate = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * rate
        batch = draw(BATCH, torch.Generator().manual_seed(step_seed(seed, 0, step)))
        with mixed_precision("cpu", wanted=True):
            guess = model(batch)
        assert batch.pose is not None
        loss = ((guess - batch.pose) / pose_scale).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        decay = min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for old, new in zip(
                averaged.state_dict().values(), model.state_dict().values(), strict=True
            ):
                old.lerp_(new, 1 - decay) if old.dtype.is_floating_point else old.copy_(new)
        if (step + 1) % (steps // 10) == 0:
            done = (step + 1) * BATCH
            speed = f"{(step + 1 - start) * BATCH / (time.time() - begin):.0f} samples/s"
            print(f"{file.stem}: {done} samples, loss {loss.item():.4f}, {speed}", flush=True)
            _keep(parts, step + 1, kept)
    with replacing(file) as temporary:
        save_file(averaged.state_dict(), temporary)
    kept.unlink(missing_ok=True)
    return averaged


def _keep(parts: dict[str, Any], step: int, path: Path) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    with replacing(path) as temporary:
        torch.save({**states, "step": step, "random": torch.get_rng_state()}, temporary)


def _go_on(parts: dict[str, Any], path: Path) -> int:
    """Take up what `_keep` wrote; the next step."""
    if not path.exists():
        return 0
    states = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(states[name])
    torch.set_rng_state(states["random"])
    return int(states["step"])
