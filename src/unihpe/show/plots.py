"""The paper's figures: the space (1 and 6), cosines over training (5), people (4, 7 and 9)."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from unihpe.body.batch import Frames, Modality, evenly_spaced
from unihpe.body.metrics import mpjpe
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import PACKED
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.errors import InputError
from unihpe.inference.predictor import Options, Predictor
from unihpe.io.extra import extra
from unihpe.io.files import replacing
from unihpe.io.log import read_log
from unihpe.model.build import load_model
from unihpe.show.crops import in_crops
from unihpe.show.draw import save_png, sheet
from unihpe.show.sheets import Panel, row_of

EXTRA = ("plots", "figures need the extra")
KINDS = {
    Modality.IMAGE: ("picture", "o", "#d1495b"),
    Modality.POSE_2D: ("2D keypoints", "s", "#2563eb"),
    Modality.POSE_3D: ("3D pose", "^", "#3f7d4e"),
}
JOIN, AXES = "#c9ccd1", "#eceef0"  # colours of lines that join people, and of a grid
COSINE = "validation cosine "  # of a log's rows, then the pair and whether it is matched
STYLES = {"matched": "-", "unmatched": ":"}
MOST_POINTS = 250  # people of the space
SEEN, EACH = 600, 4  # people that are scored, and of each case that are drawn
PAIR_COLOURS = ("#d1495b", "#edae49", "#2563eb")


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """An empty figure with one axis, drawn without a display."""
    library = extra("matplotlib.figure", *EXTRA)
    made = library.Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots()


def _save(made: Any, path: Path) -> None:
    with replacing(path) as temporary:
        made.savefig(temporary, format="png", dpi=130)


def _open_people(
    checkpoint: str, file: Path, people: int, device: str
) -> tuple[Predictor, Frames, str]:
    """A model that sees pictures; people of a packed set, evenly spaced; and who they are."""
    model, card = load_model(checkpoint, device)
    if model.image_encoder is None:
        raise InputError(f"{checkpoint} has no image encoder; these figures show pictures")
    source = open_source(DataSettings(name=PACKED, root=str(file)), Part())
    card.require_skeleton(source.skeleton.name, str(file))
    predictor = Predictor(model, get_skeleton(card.skeleton), card)
    chosen = evenly_spaced(len(source), people)
    some = f"{len(chosen)} of {len(source)}" if len(chosen) < len(source) else f"{len(chosen)}"
    return predictor, source.read(chosen, torch.Generator()), f"{some} people ({source.layout})"


@torch.no_grad()
def draw_space(checkpoint: str, file: Path, out: Path, seed: int, device: str) -> None:
    """Figs. 1 and 6: t-SNE of all embeddings of some people; a line joins what belongs together."""
    predictor, frames, people = _open_people(checkpoint, file, MOST_POINTS, device)
    batch = prepare(frames, predictor.skeleton).to(device)
    embeddings = torch.cat([predictor.model.encode(batch, kind) for kind in KINDS])
    perplexity = min(30.0, (3 * len(batch) - 1) / 3)
    options = {"metric": "cosine", "init": "random", "random_state": seed}
    tsne = extra("sklearn.manifold", *EXTRA).TSNE(perplexity=perplexity, **options)
    places = tsne.fit_transform(embeddings.cpu().numpy()).reshape(len(KINDS), len(batch), 2)
    made, axis = _figure(7.5, 7.5)
    axis.plot(*places.transpose(2, 0, 1), color=JOIN, linewidth=0.6, zorder=1)
    for (name, marker, colour), spots in zip(KINDS.values(), places, strict=True):
        look = {"s": 14, "marker": marker, "color": colour, "linewidths": 0, "alpha": 0.85}
        axis.scatter(*spots.T, **look, label=name, zorder=2)
    title = f"{people} in the embedding space (t-SNE, cosine distance)"
    axis.set(xticks=[], yticks=[], title=title)
    axis.legend(loc="upper right", frameon=False)
    _save(made, out)


def draw_cosines(run: Path, out: Path) -> None:
    """Fig. 5: cosines of matched and unmatched embeddings over training, from a run's log."""
    log = read_log(run / "log.jsonl")
    rows = [row for row in log if any(key.startswith(COSINE) for key in row)]
    if not rows:
        raise InputError(f"{run}: log holds no cosines; train with pictures and --validate-every N")
    made, axis = _figure(7.5, 4.5)
    keys = {key for row in rows for key in row if key.startswith(COSINE)}
    pairs = sorted({key.removeprefix(COSINE).rsplit(" ", 1)[0] for key in keys})
    for pair, colour in zip(pairs, PAIR_COLOURS, strict=False):
        for kind, style in STYLES.items():
            key = f"{COSINE}{pair} {kind}"
            points = [(row["samples"], row[key]) for row in rows if key in row]
            look = {"marker": ".", "color": colour, "label": f"{pair}, {kind}"}
            axis.plot(*zip(*points, strict=True), style, **look)
    for row, following in pairwise(rows):
        if row["stage"] != following["stage"]:
            axis.axvline(row["samples"], color=JOIN, linewidth=0.8)
    axis.set(xlabel="training samples", ylabel="cosine", ylim=(-0.1, 1.0))
    axis.legend(frameon=False, fontsize="small")
    axis.grid(color=AXES)
    _save(made, out)


@torch.no_grad()
def draw_people(checkpoint: str, file: Path, out: Path, seed: int, device: str) -> None:
    """Figs. 4, 7 and 9: the best, median and worst people by image → 3D MPJPE, over the truth."""
    predictor, frames, people = _open_people(checkpoint, file, SEEN, device)
    assert frames.pose is not None and frames.image is not None and frames.box is not None
    results = in_crops(predictor.predict_crops(frames, Options(seed=seed)), frames.box)
    truth = root_relative(frames.pose, predictor.skeleton)
    errors, crops = mpjpe(results.pose, truth), frames.image.permute(0, 2, 3, 1).numpy()
    order = errors.argsort().tolist()
    middle = (len(order) - EACH) // 2
    cases = {"best": order[:EACH], "median": order[middle : middle + EACH], "worst": order[-EACH:]}
    lines: list[list[Panel]] = [[] for _ in cases]
    for line, (name, case) in zip(lines, cases.items(), strict=True):
        for n in case:
            line += row_of(results, [n], truth, f"{name}: MPJPE {errors[n]:.0f} mm", crops[n])[:2]
    title = f"Image to 2D and 3D on {people}; grey is the truth"
    save_png(out, sheet(lines, title))
