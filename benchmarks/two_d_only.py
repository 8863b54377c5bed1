"""Do pictures without 3D help? Rendered people, the 3D of most of them withheld.

    python benchmarks/two_d_only.py --few FOLDER --many FOLDER --start runs/lifting \\
        --backbone CHECKPOINT --json two_d_only.json

Each FOLDER holds train.pack and test.pack (docs/synthetic.md). One model learns from the few, with
their 3D. Another draws half of each batch from the many, whose 3D it never sees. A third sees the
many alone, so it knows 3D of motion capture but of no picture. All start from the same checkpoint
(with the backbone of --backbone, if given), take as many steps of the recipe's joint stage, and are
scored on the held-out people of the few.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from alignment import scored
from lifting import DATA, where
from short_runs import shortened, trained

from unihpe.datasets.packed import PackedPeople
from unihpe.datasets.settings import MixSettings
from unihpe.errors import InputError
from unihpe.io.files import write_text
from unihpe.model.checkpoint import save_checkpoint
from unihpe.recipe import Recipe, build_model, load_recipe
from unihpe.runs.start import PICTURE_PARTS, load_start
from unihpe.runs.train import card_of

BACKBONE = ("image_encoder.backbone.", "heatmap_head.")


def with_backbone(recipe: Recipe, start: Path, backbone: Path, runs: Path) -> Path:
    """The lifting checkpoint with another's backbone and heat maps; the read-out is random."""
    lifting, seeing = (load_start(recipe, path) for path in (start, backbone))
    scales = {name: float(lifting.tensors[name]) for name in ("pose_scale", "keypoint_scale")}
    tensors = build_model(recipe.model_copy(update=scales)).state_dict()
    tensors |= {n: t for n, t in lifting.tensors.items() if not n.startswith(PICTURE_PARTS)}
    tensors |= {n: t for n, t in seeing.tensors.items() if n.startswith(BACKBONE)}
    out = runs / f"beginning {backbone.stem}.safetensors"
    save_checkpoint(out, tensors, card_of(recipe, lifting.card.samples))
    return out


def people_of(args: argparse.Namespace) -> dict[str, int]:
    """How many people the few and the many are."""
    return {
        f"people, {name}": len(PackedPeople(getattr(args, name) / "train.pack"))
        for name in ("few", "many")
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--few", type=Path, required=True, help="people with 3D; test.pack is scored"
    )
    parser.add_argument("--many", type=Path, required=True, help="people whose 3D is withheld")
    parser.add_argument("--poses", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument(
        "--start",
        type=Path,
        required=True,
        help="a checkpoint: of the recipe `lifting`, or with heat maps",
    )
    parser.add_argument(
        "--backbone",
        type=Path,
        help="a checkpoint with heat maps, whose backbone all begin with",
    )
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--pictures", type=int, default=38_400, help="of each model")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/two-d-only"), help="where trainings go"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        base = load_recipe("pictures", (f"data.root={args.few}", f"poses.root={args.poses}"))
        joint = next(stage for stage in base.stage if stage.name == "joint")
        base = base.model_copy(update={"stage": (shortened(joint, args.pictures),)})
        flat = base.data.model_copy(update={"root": str(args.many), "with_pose": False})
        arms = {
            "few": base,
            "few and many without 3D": base.model_copy(
                update={"mix": (MixSettings(**flat.model_dump(), share=0.5),)}
            ),
            "many without 3D": base.model_copy(update={"data": flat}),
        }
        start = args.start
        if args.backbone:
            start = with_backbone(base, start, args.backbone, args.runs)
        result: dict[str, object] = {**where(), "pictures": args.pictures, **people_of(args)}
        result |= {
            "backbone": str(args.backbone or "of --start"),
            "before training": scored(start, args.few),
        }
        for name, recipe in arms.items():
            result[name] = scored(trained(recipe, args.runs / start.stem / name, start), args.few)
            write_text(args.json, json.dumps(result, indent=2) + "\n")
    except InputError as error:
        sys.exit(f"two_d_only: {error}")


if __name__ == "__main__":
    main()
