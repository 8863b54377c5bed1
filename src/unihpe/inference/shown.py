"""Of the people whom a finder proposes, those whose body is seen."""

from unihpe.export.results import Results
from unihpe.model.person_head import PersonHead
from unihpe.model.unihpe import UniHPE

BODY = ("shoulder", "hip")
# Confidence of the surest of them. Of 872 labelled people, half of them cut off, six had less, and
# of their joints a third lay within a tenth of the box's longer side from where they belong.
SEEN = 0.25


def with_a_body(results: Results, model: UniHPE) -> tuple[Results | None, list[str]]:
    """The people of whom a shoulder or a hip is seen, None if there are none, and who is left out,
    in words: a face that fills a picture has no pose, and a flower is nobody.

    By a head that began as MoveNet's alone: of others' confidences, which a short training leaves
    low, nothing is known.
    """
    body = results.skeleton.columns_of(BODY)
    seen = (results.confidence[:, body] >= SEEN).any(1).tolist()
    if all(seen) or not isinstance(model.heatmap_head, PersonHead):
        return results, []
    who = zip(results.image, results.person, seen, strict=True)
    lost = [
        f"{image}: person {person} shows neither a shoulder nor a hip; `--boxes` keeps everybody"
        for image, person, kept in who
        if not kept
    ]
    rows = [n for n, kept in enumerate(seen) if kept]
    return (results.rows(rows) if rows else None), lost
