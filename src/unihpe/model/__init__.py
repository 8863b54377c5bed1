"""The model: encoders, decoders, and the space between them (§3.1)."""

from unihpe.model.build import build_model, load_model
from unihpe.model.checkpoint import Card, checkpoint_file, save_checkpoint
from unihpe.model.unihpe import UniHPE

__all__ = ["Card", "UniHPE", "build_model", "checkpoint_file", "load_model", "save_checkpoint"]
