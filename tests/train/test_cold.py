"""Calibration of cold scores against a softmax whose answers are known."""

import numpy as np
import pytest

from palate.train.cold import calibrated


def test_a_known_stretch_and_shift_are_found_again():
    rng = np.random.default_rng(0)
    known = rng.normal(0, 2, (2000, 60)).astype(np.float32)
    targets = (known + rng.gumbel(size=known.shape)).argmax(axis=1)  # drawn from the softmax of the scores
    stretch, shift = calibrated(known, (known - 3) / 2, targets, rng)
    assert stretch == pytest.approx(2, abs=0.25)
    assert shift == pytest.approx(3, abs=0.25)
