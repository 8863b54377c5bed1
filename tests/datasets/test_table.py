"""The table of data sets: records by name, sets of one's own, and which sets a folder holds."""

import pytest
from miniatures import write_humaneva, write_threedpw, write_videopose3d_h36m
from miniatures_packings import write_mmpose_3dhp
from test_coco import person, write

from unihpe.datasets import DATA_SETS, get_data_set, sets_in
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.recipe import load_recipe


def test_every_record_bears_its_name_and_says_where_it_comes_from():
    for name, data_set in DATA_SETS.items():
        assert data_set.name == name and data_set.where and data_set.terms
        assert get_data_set(name) is data_set


def test_an_unknown_name_lists_the_known(unihpe, tmp_path):
    for name in ("penn", ""):
        with pytest.raises(InputError, match="known data sets are motion, people, coco, human36m"):
            get_data_set(name)
    with pytest.raises(InputError, match=r"data.name: no data set 'penn'.*my_module:DATA_SET"):
        load_recipe("quick", ("data.name=penn",))
    code, _, error = unihpe("data", "pack", "penn", "--root", tmp_path, "-o", tmp_path / "a.pack")
    assert code == 2 and "no data set 'penn'" in error and error.count("\n") == 1


def test_what_is_no_record_is_refused(tmp_path, monkeypatch):
    (tmp_path / "not_a_set.py").write_text("DATA_SET = 3\n")
    monkeypatch.chdir(tmp_path)
    for name, reason in (
        ("not_a_set:DATA_SET", "is a int, not a DataSet"),
        ("not_a_set:OTHER", "there is no OTHER in not_a_set"),
        ("absent_set:DATA_SET", "absent_set cannot be imported"),
    ):
        with pytest.raises(InputError, match=reason):
            get_data_set(name)
        assert load_recipe("quick", (f"data.name={name}",)).data.name == name  # found when opened


def test_a_folder_says_which_sets_it_holds(tmp_path, motion_file):
    for name, fill in (
        ("human36m", write_videopose3d_h36m),
        ("humaneva", write_humaneva),
        ("mpi_inf_3dhp", write_mmpose_3dhp),
        ("threedpw", write_threedpw),
        ("coco", lambda folder: write(folder, [person(1, 0)])),
        ("people", lambda folder: (folder / "train.pack").write_bytes(b"")),
        ("motion", lambda folder: (folder / "a.bvh").write_bytes(b"")),
    ):
        folder = tmp_path / name
        folder.mkdir()
        fill(folder)
        assert sets_in(folder) == [name]
    assert sets_in(motion_file) == ["motion"]
    (tmp_path / "empty").mkdir()
    assert sets_in(tmp_path / "empty") == sets_in(tmp_path / "absent") == []


def test_a_packed_set_that_is_not_there_is_made_by_a_command(tmp_path):
    data = load_recipe("heatmaps").data
    for root, said in (
        ("", "add --set data.root=FOLDER"),
        (str(tmp_path / "absent"), "no data at"),
        (str(tmp_path), "train.pack: no packed set there"),
    ):
        settings = data.model_copy(update={"root": root})
        with pytest.raises(InputError, match=f"{said}.*`unihpe data render`.*`unihpe data pack`"):
            open_source(settings, Part("train"))


def test_a_set_without_a_check_or_pictures_says_so(unihpe, tmp_path):
    code, _, error = unihpe("data", "check", "people", "--root", tmp_path)
    assert code == 2 and "no check for 'people'; there are motion, coco, human36m" in error
    code, _, error = unihpe("data", "pack", "coco", "--root", tmp_path, "-o", tmp_path / "a.pack")
    assert code == 2 and "there are those of human36m, mpi_inf_3dhp, threedpw" in error
