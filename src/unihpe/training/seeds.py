"""Seeds of a run's batches."""

import hashlib


def step_seed(seed: int, stage: int, step: int, place: int = 0) -> int:
    """A seed for one batch of a step, unlike its neighbours': any two numbers may be close."""
    words = "/".join(map(str, (seed, stage, step, *([place] if place else []))))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1
