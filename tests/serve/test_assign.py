import numpy as np
import pytest

from palate.serve.assign import chosen, share_of

PEOPLE = [f"u{n}" for n in range(20_000)]


def test_a_place_never_changes():
    """K=$(printf canary | b2sum -l 256 | cut -c1-64)
    printf u42 | openssl mac -macopt hexkey:$K -macopt size:8 BLAKE2BMAC"""
    assert share_of("u42", "canary") == (0x1088848173CE53C9 >> 11) / 2**53


def test_places_are_spread_evenly():
    places = np.array([share_of(one, "test") for one in PEOPLE])
    assert places.min() >= 0
    assert places.max() < 1
    counts = np.histogram(places, 20, (0, 1))[0]  # 1,000 each, deviation 31
    assert abs(counts - 1000).max() < 5 * 31


def test_a_growing_share_keeps_who_was_in_it():
    small = {one for one in PEOPLE if chosen(one, "test", 0.05)}
    large = {one for one in PEOPLE if chosen(one, "test", 0.5)}
    assert small < large
    assert len(small) == pytest.approx(1000, abs=155)
    assert not any(chosen(one, "test", 0.0) for one in PEOPLE)
    assert all(chosen(one, "test", 1.0) for one in PEOPLE)


def test_two_salts_have_nothing_to_do_with_each_other():
    both = np.corrcoef([[share_of(one, salt) for one in PEOPLE] for salt in ("one", "two")])
    assert abs(both[0, 1]) < 5 / np.sqrt(len(PEOPLE))


def test_any_text_has_a_place():
    assert len({share_of(one, salt) for one in ("", "安静", "\ud800") for salt in ("", "x")}) == 6
