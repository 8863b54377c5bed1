"""Image backbones: what they have in common, and the table of them."""

from unihpe.errors import InputError
from unihpe.io.outside import import_named
from unihpe.model.backbones.backbone import Backbone, Start
from unihpe.model.backbones.hrnet import HRNet
from unihpe.model.backbones.public import PublicFile, public_file, public_files
from unihpe.model.backbones.vitpose import ViTPose

__all__ = [
    "KINDS",
    "Backbone",
    "PublicFile",
    "Start",
    "build_backbone",
    "public_file",
    "public_files",
]

KINDS: dict[str, tuple[type[Backbone], str]] = {
    "hrnet_w18_small": (HRNet, "w18_small"),
    "hrnet_w32": (HRNet, "w32"),
    "hrnet_w48": (HRNet, "w48"),
    "vit_small": (ViTPose, "small"),
    "vit_base": (ViTPose, "base"),
}


def build_backbone(kind: str) -> Backbone:
    """A backbone with random weights: one of `KINDS`, or `my_module:build`, which is imported.

    Raises:
        InputError: for what cannot be imported, or gives something else.
    """
    if kind in KINDS:
        backbone, variant = KINDS[kind]
        return backbone(variant)
    build = import_named(kind)
    made = build() if callable(build) else None
    if not isinstance(made, Backbone):
        raise InputError(f"'{kind}' gives no unihpe.model.backbones.Backbone when it is called")
    return made
