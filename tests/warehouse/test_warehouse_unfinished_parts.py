import stat

import numpy as np
import pandas as pd
import pytest

from warehouse import UnfinishedParts
from warehouse.errors import InvalidName

PART = pd.DataFrame({"word": ["a × 2", "b"], "n": [1, 2], "x": [1 / 3, np.nan]})


def parts(home, key="k1", asset="gan/estimator_benchmark"):
    return UnfinishedParts(home, "trial", asset, key)


def test_parts_come_back_exactly_in_the_order_of_their_names(tmp_path):
    store = parts(tmp_path)
    assert store.read() is None
    store.keep("b", PART)
    store.keep("a", PART.iloc[:1])
    expected = pd.concat([PART.iloc[:1], PART], ignore_index=True)
    pd.testing.assert_frame_equal(parts(tmp_path).read(), expected, check_exact=True)


def test_parts_of_other_keys_and_assets_are_not_seen(tmp_path):
    parts(tmp_path).keep("a", PART)
    assert parts(tmp_path, key="k2").read() is None
    assert parts(tmp_path, asset="cart/estimator_benchmark").read() is None


def test_removal_takes_every_key_of_the_asset_and_nothing_else(tmp_path):
    parts(tmp_path, key="old").keep("a", PART)
    parts(tmp_path).keep("a", PART)
    parts(tmp_path, asset="cart/estimator_benchmark").keep("a", PART)
    parts(tmp_path).remove()
    parts(tmp_path).remove()
    assert parts(tmp_path, key="old").read() is None
    assert len(parts(tmp_path, asset="cart/estimator_benchmark").read()) == 2


def test_one_part_and_the_last_state_of_a_fit_are_found_by_name(tmp_path):
    store = parts(tmp_path)
    assert store.part("a") is None
    assert store.state("training") is None
    store.keep("a", PART)
    store.keep_state("training", b"first")
    store.keep_state("training", b"second")
    pd.testing.assert_frame_equal(parts(tmp_path).part("a"), PART, check_exact=True)
    assert parts(tmp_path).state("training") == b"second"
    assert parts(tmp_path, key="k2").state("training") is None
    pd.testing.assert_frame_equal(store.read(), PART, check_exact=True)
    store.remove()
    assert store.state("training") is None


def test_a_damaged_part_is_computed_again(tmp_path):
    store = parts(tmp_path)
    store.keep("a", PART)
    store.keep("b", PART)
    (damaged,) = tmp_path.rglob("a.parquet")
    damaged.write_bytes(b"PAR1 and nothing more")
    assert len(store.read()) == 2
    assert not damaged.exists()


def test_any_flipped_byte_gives_the_same_part_or_none(tmp_path):
    store = parts(tmp_path)
    store.keep("a", PART)
    (file,) = tmp_path.rglob("a.parquet")
    sound = file.read_bytes()
    for place in range(0, len(sound), 7):
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 255]) + sound[place + 1 :])
        found = store.read()
        if found is not None and list(found.columns) == list(PART.columns):
            pd.testing.assert_frame_equal(found, PART, check_exact=True)


def test_parts_are_their_owners_alone(tmp_path):
    parts(tmp_path / "home").keep("a", PART)
    parts(tmp_path / "home").keep_state("training", b"state")
    for path in (tmp_path / "home").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_names_that_leave_the_folder_are_refused(tmp_path):
    with pytest.raises(InvalidName, match="'../x' cannot name a part; use letters and digits"):
        parts(tmp_path, key="../x")
    with pytest.raises(InvalidName, match="'a/b' cannot name a part"):
        parts(tmp_path).keep("a/b", PART)
