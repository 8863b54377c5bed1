"""Parts from outside the package, by a name with a colon."""

import sys

import pytest

from unihpe.errors import InputError
from unihpe.io.outside import import_named


def test_a_module_of_the_current_folder_is_imported(tmp_path, monkeypatch):
    (tmp_path / "outside_part.py").write_text("VALUE = [1]\n")
    (tmp_path / "broken_part.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert import_named("outside_part:VALUE") == [1] and import_named("json:dumps")([]) == "[]"
    for name, reason in (
        ("outside_part", "write it as my_module:NAME"),
        ("outside_part:", "write it as my_module:NAME"),
        ("outside_part:OTHER", "there is no OTHER in outside_part"),
        ("absent_part:VALUE", "absent_part cannot be imported"),
        ("broken_part:VALUE", "broken_part cannot be imported .*nothing_of_this_name"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            import_named(name)
        assert "\n" not in str(caught.value)
    assert sys.path == before
