"""Data sets' files changed in place, whatever their kind, for the tests of bad input: by the names
of what is to change.
"""

import json
import pickle
from pathlib import Path

import numpy as np


def rewrite(path, keys, change, function=None):
    """Change every array that lies under one of the names `keys` in a file; `function`, if given,
    changes the whole content first.
    """
    load, save = KINDS["mat5" if path.name == "annot.mat" else path.suffix]
    content = load(path)
    content = function(content) if function else content
    save(path, walk(content, keys, change) if change else content)


def walk(value, keys, change, inside=False):
    """A copy of nested dicts, lists and arrays with the arrays under `keys` changed."""
    if isinstance(value, dict):
        return {key: walk(one, keys, change, inside or key in keys) for key, one in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        out = np.empty_like(value)
        for place in np.ndindex(value.shape):
            out[place] = walk(value[place], keys, change, inside)
        return out
    if isinstance(value, np.ndarray):
        return change(value) if inside else value
    if (
        isinstance(value, list | tuple)
        and inside
        and len(value)
        and np.asarray(first(value)).dtype.kind in "fi"
    ):
        return change(np.asarray(value)).tolist()
    if isinstance(value, list | tuple):
        return type(value)(walk(one, keys, change, inside) for one in value)
    return value


def first(value):
    """The innermost first element of nested lists; an array stays one, so that lists of arrays are
    gone through.
    """
    while isinstance(value, list | tuple) and len(value):
        value = value[0]
    return "" if isinstance(value, np.ndarray) else value


def load_npz(path):
    with np.load(path, allow_pickle=True) as file:
        return {key: file[key] for key in file.files}


def save_npz(path, content):
    np.savez_compressed(path, **content)


def load_pickle(path):
    return pickle.loads(path.read_bytes(), encoding="latin1")


def save_pickle(path, content):
    path.write_bytes(pickle.dumps(content))


def load_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def save_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


def load_h5(path):
    import h5py

    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def save_h5(path, content):
    import h5py

    with h5py.File(path, "w") as file:
        for key, value in content.items():
            file[key] = value.astype("S") if value.dtype.kind == "U" else value


def load_mat(path):
    from scipy.io import loadmat

    return {key: value for key, value in loadmat(path).items() if not key.startswith("__")}


def save_mat(path, content):
    from scipy.io import savemat

    savemat(path, content)


def load_cdf(path):
    import cdflib

    return {"Pose": np.asarray(cdflib.CDF(path).varget("Pose"))}


def save_cdf(path, content):
    import cdflib

    values = content["Pose"]
    Path(path).unlink()
    text = values.dtype.kind == "U"
    file = cdflib.cdfwrite.CDF(str(path), delete=True)
    spec = {
        "Variable": "Pose",
        "Data_Type": 51 if text else 45,
        "Num_Elements": 32 if text else 1,
        "Rec_Vary": True,
    }
    file.write_var(
        {**spec, "Dim_Sizes": list(values.shape[1:])},
        var_data=values if text else values.astype(np.float64),
    )
    file.close()


KINDS = {
    ".npz": (load_npz, save_npz),
    ".pkl": (load_pickle, save_pickle),
    ".json": (load_json, save_json),
    ".h5": (load_h5, save_h5),
    ".mat": (load_h5, save_h5),
    "mat5": (load_mat, save_mat),
    ".cdf": (load_cdf, save_cdf),
}
