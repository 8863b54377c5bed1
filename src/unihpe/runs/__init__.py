"""Whole runs, as the commands make them."""

from unihpe.runs.evaluate import evaluate_checkpoint
from unihpe.runs.start import load_start
from unihpe.runs.train import train_recipe

__all__ = ["evaluate_checkpoint", "load_start", "train_recipe"]
