"""Files of boxes whose numbers are no numbers of ours."""

import json

import pytest

from unihpe.errors import InputError
from unihpe.inputs.boxes import read_boxes

HUGE = [0, 0, 10**400, 1]


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": [HUGE]},
        {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "annotations": [{"image_id": 1, "bbox": HUGE}],
        },
    ],
)
def test_numbers_beyond_all_size(tmp_path, content):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"a\.json: no boxes as we know them"):
        read_boxes(tmp_path / "a.json")
