"""What a blend learns from held-out likes, by itself; more of it in `test_blend`."""

import numpy as np

from conftest import checkerboard
from palate.rank.features import FeatureRanker
from palate.train.holdout import hold_out
from palate.train.lesson import BlendConfig, Lesson
from train.test_blend import learned, oracle


def test_without_time_no_trees_are_tried(runtime):
    assert "trees" in learned(runtime, oracle(), oracle(sign=-0.5), seconds=600.0)[0].record["ndcg@10"]
    lesson = Lesson(
        BlendConfig(), (oracle(), oracle()), (), FeatureRanker(), *hold_out(checkerboard(), 40, runtime.rng("t"))[1:],
        np.zeros(20, np.bool_), runtime, end=0.0,
    )  # fmt: skip
    assert "trees" not in lesson.learned()[2]["ndcg@10"]
