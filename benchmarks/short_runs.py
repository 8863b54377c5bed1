"""Trainings of the benchmarks: stages cut short, and runs that go on where they stopped."""

from __future__ import annotations

from pathlib import Path

from unihpe.model.checkpoint import MODEL_FILE
from unihpe.recipe import Recipe
from unihpe.runs.train import train_recipe
from unihpe.training.stage import Stage
from unihpe.training.state import STATE_FILE, Schedule


def shortened(stage: Stage, pictures: int) -> Stage:
    """A stage with fewer pictures, its warm-up in proportion."""
    steps = max(1, pictures // (stage.batch_size * stage.accumulate))
    return stage.model_copy(update={"steps": steps, "warm_up": min(stage.warm_up, steps // 10)})


def trained(recipe: Recipe, out: Path, start: Path | None) -> Path:
    """A recipe's checkpoint, trained unless it is there."""
    file = out / MODEL_FILE
    if not file.exists():
        resume = (out / STATE_FILE).exists()
        train_recipe(recipe, out, start=start, resume=resume, schedule=Schedule(save_every=200))
    return file
