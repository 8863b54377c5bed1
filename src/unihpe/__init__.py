"""One embedding space for a person's picture, 2D keypoints and 3D pose.

    import unihpe

    model = unihpe.load("shipped:lifting")  # a checkpoint in the package
    result = model.lift(keypoints, image_size=(1920, 1080), skeleton="coco17", samples=20)
    result.pose, result.spread  # (N, 17, 3) and (N, 17), mm

The contrastive losses stand alone: `from unihpe.losses import pair_loss, triplet_loss`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unihpe.inference.predictor import Predictor


__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def load(checkpoint: str | Path | None = None, device: str = "auto") -> Predictor:
    """A model ready for use.

    Args:
        checkpoint: a .safetensors file or the folder of a training run; None, like "shipped", is
            the one in the package that knows pictures; "shipped:lifting" the one that knows
            keypoints and poses alone, and lifts better.
        device: as torch names it; auto is the first there is of cuda, mps and cpu.

    Raises:
        unihpe.errors.InputError: for a checkpoint that is missing, damaged or of a newer format,
            or a device that is not there.
    """
    # here, so that `unihpe.losses` needs torch alone
    from unihpe.body.skeleton import get_skeleton
    from unihpe.inference.predictor import Predictor
    from unihpe.model.build import load_model
    from unihpe.model.device import usable_device

    model, card = load_model(checkpoint, usable_device(device))
    return Predictor(model, get_skeleton(card.skeleton), card)
