"""Write measured scores, and the command that measured them, into a checkpoint's card.

python benchmarks/record_scores.py CHECKPOINT.safetensors RESULTS.json "COMMAND"
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from unihpe.model.checkpoint import load_checkpoint, save_checkpoint


def rounded(value: Any) -> Any:
    """The same with four digits behind the point."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def main(checkpoint: Path, results: Path, command: str) -> None:
    """Replace the card's scores; the weights stay as they are."""
    tensors, card = load_checkpoint(checkpoint)
    scores = {"command": command, **rounded(json.loads(results.read_text()))}
    save_checkpoint(checkpoint, tensors, card.model_copy(update={"scores": scores}), half=True)
    checkpoint.chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
