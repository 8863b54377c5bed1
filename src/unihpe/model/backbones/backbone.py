"""The interface of an image backbone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from unihpe.errors import InputError

Start = Literal["identity", "random"]  # of layers that a file of public weights lacks
AT_ONCE = 4  # pictures on a CPU where nothing learns: the maps of more leave its cache


class Backbone(nn.Module):
    """Makes feature maps of a picture: a subclass sets these and writes `forward`."""

    channels: Sequence[int]  # of each map, finest first
    strides: Sequence[int]  # pixels of the picture that a cell of each map covers
    size: tuple[int, int] = (192, 256)  # width and height of its pictures, at least as high as wide
    any_size: bool = False  # whether it takes pictures of other sizes as they are
    mean: Sequence[float] = (0.485, 0.456, 0.406)  # of RGB in [0, 1]: ImageNet's
    std: Sequence[float] = (0.229, 0.224, 0.225)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Normalised RGB (B, 3, H, W) → maps (B, C, H / stride, W / stride), finest first."""
        raise NotImplementedError

    def layers(self) -> Sequence[nn.Module]:
        """What a stage can hold still from the picture's end on (`Stage.still`), in that order."""
        return ()

    def load_public(
        self, path: Path, head: nn.Module | None, skeleton: str, start: Start = "identity"
    ) -> None:
        """Fill the backbone from a file of public weights and, where it has one for the joints of
        `skeleton`, the heat-map head; InputError, and nothing is changed, if the file does not do.
        """
        raise InputError(f"{type(self).__name__} reads no public weights, so leave out {path}")


def check_sides(name: str, picture: Tensor, multiple: int) -> None:
    """Raise InputError where a picture (B, 3, H, W) has a side that is no such multiple."""
    height, width = picture.shape[-2:]
    if height % multiple or width % multiple:
        what = f"{name} takes pictures whose sides are multiples of {multiple}"
        raise InputError(f"{what}, not {width} × {height}: crop to 192 × 256")
