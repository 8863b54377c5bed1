"""Results as a pandas table."""

from typing import Any

import numpy as np
from torch import Tensor

from unihpe.export.results import Results
from unihpe.export.table import who_and_when
from unihpe.io.extra import extra


def as_pandas(results: Results) -> Any:
    """A DataFrame with a row for each joint of each person of each picture or frame."""
    pandas = extra("pandas", "export", "to_pandas needs pandas")
    joints = results.skeleton.joints
    columns: dict[str, Any] = {}
    for name, values in who_and_when(results).items():
        own = values.numpy() if isinstance(values, Tensor) else np.array(values, dtype=object)
        columns[name] = np.repeat(own, len(joints))
    columns["joint"] = list(joints) * len(results)
    for points, names in ((results.absolute, "xyz"), (results.keypoints, "uv")):
        columns |= {name: points[..., k].flatten().numpy() for k, name in enumerate(names)}
    columns["confidence"] = results.confidence.flatten().numpy()
    return pandas.DataFrame(columns)
