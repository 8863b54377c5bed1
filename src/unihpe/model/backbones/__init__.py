"""Image backbones: what they have in common, and the table of them."""

from collections.abc import Callable
from inspect import get_annotations
from types import FunctionType
from typing import TypeGuard

from unihpe.errors import InputError
from unihpe.io.outside import import_named
from unihpe.model.backbones.backbone import AT_ONCE, Backbone, Start
from unihpe.model.backbones.hrnet import HRNet
from unihpe.model.backbones.movenet import MoveNet, PoseNetwork, open_pose_network
from unihpe.model.backbones.movenet_reading import Seen, everybody, single_pose
from unihpe.model.backbones.public import PublicFile, public_file, public_files
from unihpe.model.backbones.vitpose import ViTPose

__all__ = [
    "AT_ONCE",
    "DEFAULT",
    "KINDS",
    "Backbone",
    "HRNet",
    "MoveNet",
    "PoseNetwork",
    "PublicFile",
    "Seen",
    "Start",
    "ViTPose",
    "build_backbone",
    "everybody",
    "open_pose_network",
    "public_file",
    "public_files",
    "single_pose",
]

DEFAULT = "hrnet_w32"  # the smaller one of the paper
KINDS: dict[str, tuple[type[Backbone], str]] = {
    "hrnet_w18_small": (HRNet, "w18_small"),
    "hrnet_w32": (HRNet, "w32"),
    "hrnet_w48": (HRNet, "w48"),
    "movenet_lightning": (MoveNet, "lightning"),
    "movenet_thunder": (MoveNet, "thunder"),
    "vit_small": (ViTPose, "small"),
    "vit_base": (ViTPose, "base"),
}


def build_backbone(kind: str) -> Backbone:
    """A backbone with random weights: one of `KINDS`, or `my_module:build`, which is imported.
    InputError for what cannot be imported, or does not say that it makes a backbone."""
    if kind in KINDS:
        backbone, variant = KINDS[kind]
        return backbone(variant)
    build = import_named(kind)
    if not _makes_backbones(build):
        raise InputError(f"'{kind}' is no Backbone, nor a function that says it returns one")
    return build()


def _makes_backbones(build: object) -> TypeGuard[Callable[[], Backbone]]:
    """Whether it is a kind of backbone, or annotated to return one.

    Asked before it is called: a checkpoint could name any function of any module that is loaded.
    """
    if isinstance(build, FunctionType):
        build = get_annotations(build, eval_str=True).get("return")
    return isinstance(build, type) and issubclass(build, Backbone)
