"""`unihpe info`: what a checkpoint says of itself."""

from unihpe.cli.options import Checkpoint, console


def info(checkpoint: Checkpoint = "shipped") -> None:
    """What a checkpoint says of itself."""
    from unihpe.model.checkpoint import checkpoint_file, load_checkpoint

    path = checkpoint_file(checkpoint)
    tensors, card = load_checkpoint(path)
    console.print_json(card.model_dump_json())
    console.print(f"{sum(t.numel() for t in tensors.values()) / 1e6:.2f} M parameters in {path}")
