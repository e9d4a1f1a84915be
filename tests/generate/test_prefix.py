"""Groups of sequences that begin alike: nothing is lost, and only what is truly shared is shared."""

from hypothesis import given
from hypothesis import strategies as st

from palate.generate.prefix import LEAST, grouped

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)
STARTS = st.sampled_from([[0] * 18, [0] * 17 + [1] * 3, [2] * 30, []])


@given(st.lists(st.tuples(STARTS, TOKENS), max_size=12), st.integers(1, 3))
def test_every_sequence_is_in_one_group_and_shares_what_it_begins_with(parts, kept):
    sequences = [start + rest for start, rest in parts]
    spans = [min(kept, len(one)) for one in sequences]
    groups = grouped(sequences, spans)
    assert sorted(row for group in groups for row in group.rows) == list(range(len(sequences)))
    for group in groups:
        members = [sequences[row] for row in group.rows]
        assert all(one[: group.shared] == members[0][: group.shared] for one in members)
        assert all(group.shared <= len(sequences[row]) - spans[row] for row in group.rows)
        assert group.shared == 0 or (group.shared >= LEAST and all(2 * group.shared >= len(one) for one in members))


def test_people_are_told_apart():
    one, other = [1] * 40, [2] * 40
    groups = grouped([[*one, 5], [*other, 5], [*one, 6], [*other, 6]], [1] * 4)
    assert [(group.rows, group.shared) for group in groups] == [((0, 2), 40), ((1, 3), 40)]
