"""`unihpe info`: what a checkpoint says of itself."""

from typing import Annotated

from typer import Option

from unihpe.cli.options import Checkpoint, console, named


def info(
    checkpoint: Checkpoint = "shipped",
    json: Annotated[bool, Option("--json", help="The whole card, with recipe and scores.")] = False,
) -> None:
    """What a checkpoint says of itself, in some lines."""
    from unihpe.model.checkpoint import checkpoint_file, load_checkpoint

    path = checkpoint_file(checkpoint)
    tensors, card = load_checkpoint(path)
    if json:
        return console.print_json(card.model_dump_json())
    millions = sum(tensor.numel() for tensor in tensors.values()) / 1e6
    sees, command = any(name.startswith("image_encoder.") for name in tensors), "command"
    said = {
        "checkpoint": f"{path}, {millions:.2f} M parameters",
        "takes": "pictures, 2D and 3D" if sees else "2D and 3D",
        "joints": card.skeleton,
        "recipe": str(card.recipe.get("about", "")).strip().partition("\n")[0],
        "trained on": f"{card.data or 'data that it does not name'}, {card.samples:,} samples",
        "licence": card.licence or "not stated",
        "scores": f"by `{card.scores[command]}`" if command in card.scores else "none",
    }
    for name, value in said.items():
        console.print(named(name, value))
    console.print("The whole card, with recipe and scores: --json.")
