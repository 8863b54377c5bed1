"""How far a point estimate may be off: radii round each joint, from the embedding alone."""

from typing import cast

import torch
from torch import Tensor, nn

from unihpe.body.batch import Modality

SHARES = (0.5, 0.9)  # of the joints that lie within the radii
TYPICAL = 0.2  # of a radius before training, over the pose scale


class ErrorHead(nn.Module):
    """Radii within which a joint lies with the odds of `SHARES`.

    It learns quantiles of the errors of the model's own answers (`losses.quantile_loss`). On people
    of training those errors are too small: `calibration` widens the radii to what people show who
    were not trained on, a factor for each source, joint and share; it is 0 for a source that
    nobody has calibrated, of which nothing is stated.
    """

    calibration: Tensor

    def __init__(self, embedding: int, joints: int, width: int = 256) -> None:
        super().__init__()
        self.joints, self.scale = joints, embedding**0.5
        self.modality = nn.Parameter(torch.zeros(len(Modality), embedding))
        self.layers = nn.Sequential(
            nn.Linear(embedding, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, joints * len(SHARES)),
        )
        self.register_buffer("calibration", torch.zeros(len(Modality), joints, len(SHARES)))

    def forward(self, embedding: Tensor, source: Modality) -> Tensor:
        """Unit embeddings (B, D) of one modality → radii (B, J, 2) over the pose scale, as learned:
        not calibrated."""
        x = embedding * self.scale + self.modality[source]
        raw = self.layers(x).float().unflatten(1, (self.joints, len(SHARES)))
        return cast(Tensor, TYPICAL * raw.exp().cumsum(-1) / 2)  # the second is the larger one

    def radii(self, embedding: Tensor, source: Modality) -> Tensor | None:
        """Calibrated radii (B, J, 2), over the pose scale; None for a source without them."""
        factors = self.calibration[source]
        return self(embedding, source) * factors if bool(factors.any()) else None
