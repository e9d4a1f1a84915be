import pytest

from palate.config import configured, option, options
from palate.errors import ConfigError


@options
class Sample:
    share: float = option(0.5, "A share.", low=0.0, high=1.0)
    depth: int | None = option(None, "A depth.", low=1)
    way: str = option("fast", "A way.", choices=("fast", "slow"))
    loud: bool = option(False, "Loud.")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        pytest.param({"share": 1.5}, "Sample.share: 1.5 is above 1.0", id="above"),
        pytest.param({"share": float("nan")}, "nan", id="nan"),
        pytest.param({"share": True}, "True is not float", id="bool-is-no-number"),
        pytest.param({"depth": 0}, "Sample.depth: 0 is below 1", id="below"),
        pytest.param({"depth": "3"}, "'3' is not int or NoneType", id="type"),
        pytest.param({"way": "sideways"}, "not one of fast, slow", id="choice"),
        pytest.param({"wya": "fast"}, "here.wya: unknown option; known: depth, loud, share, way", id="unknown"),
    ],
)
def test_a_wrong_option_is_named_with_its_value(values, complaint):
    with pytest.raises(ConfigError, match=complaint):
        configured(Sample, values, "here")


def test_a_whole_number_stands_for_a_float():
    assert configured(Sample, {"share": 1}, "here").share == 1.0
    assert isinstance(Sample(share=1).share, float)


def test_defaults_pass_their_own_checks():
    assert Sample() == Sample(share=0.5, depth=None, way="fast", loud=False)
