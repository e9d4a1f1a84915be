"""Kill -9 during ingest: no acknowledged event is lost or doubled, and it is back within seconds."""

from statistics import median

from benchmarks.kill import rounds

KILLS = 25
SERVERS = 2  # of them are of `palate serve`, the others of the same service without HTTP


def test_no_acknowledged_event_is_lost_or_doubled(model, tmp_path):
    model.save(tmp_path / "model")
    tally = rounds(tmp_path / "model", tmp_path / "state", KILLS, SERVERS)
    assert tally.kills == 1 + len(tally.restarts_s) + len(tally.ready_s) == KILLS
    assert len(tally.acknowledged) > KILLS
    assert median(tally.restarts_s + tally.ready_s) <= 5.0
