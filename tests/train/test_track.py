"""Curves of a run of one number, by the real libraries, offline."""

import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from palate.errors import ConfigError, MissingExtraError
from palate.runtime import Runtime
from palate.train.track import concluded, require, tracked

OPTIONS = {"rank": 8, "method": "lora"}


def run(runtime):
    with tracked(runtime, "run", OPTIONS) as note:
        note({"loss": 2.0, "quality": 0.1}, 0)
        note({"loss": 1.0, "quality": 0.2}, 1)
    concluded(runtime, "run", {"ndcg@10": 0.25})


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@needs("tensorboard")
def test_tensorboard_reads_what_was_noted(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(Runtime(curves=tmp_path))
    found = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [(row.step, row.value) for row in found.Scalars("loss")] == [(0, 2.0), (1, 1.0)]
    assert [row.value for row in found.Scalars("final.ndcg@10")] == [0.25]
    assert b'"rank": 8' in found.Tensors("options/text_summary")[0].tensor_proto.string_val[0]


@needs("wandb")
def test_wandb_writes_its_files_offline(tmp_path, monkeypatch):
    import wandb

    monkeypatch.delenv("WANDB_MODE", raising=False)
    run(Runtime(track="wandb", curves=tmp_path))
    wandb.teardown()  # waits until all is written
    first, second = sorted((tmp_path / "wandb").glob("offline-run-*-run/run-run.wandb"))
    assert b"quality" in first.read_bytes()
    assert b"final.ndcg@10" in second.read_bytes()


@needs("mlflow")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_keeps_one_run(tmp_path, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tmp_path.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run(Runtime(track="mlflow", curves=tmp_path))
    client = MlflowClient(tracking_uri=tmp_path.as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("palate").experiment_id])
    assert found.data.metrics == {"loss": 1.0, "quality": 0.2, "final.ndcg_10": 0.25}
    assert found.data.params == {"rank": "8", "method": "lora"}
    assert found.info.status == "FINISHED"
    assert [row.value for row in client.get_metric_history(found.info.run_id, "loss")] == [2.0, 1.0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("track", "file"),
    [
        pytest.param("tensorboard", "*/events.*", marks=needs("tensorboard")),
        pytest.param("wandb", "wandb/offline-run-*-run-?/run-run-?.wandb", marks=needs("wandb")),
        pytest.param("mlflow", "mlruns/*/*/metrics/loss", marks=needs("mlflow")),
    ],
)
def test_two_runs_beside_each_other_are_noted_apart(track, file, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    both_open = threading.Barrier(2, timeout=120)

    def noted(name):
        with tracked(Runtime(track=track, curves=tmp_path), name, {"name": name}) as note:
            both_open.wait()
            note({"loss": 1.0}, 0)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(noted, ["run-a", "run-b"]))
    assert len(list(tmp_path.glob(file))) == 2


@pytest.mark.parametrize("runtime", [Runtime(), Runtime(track="none")])
def test_without_a_folder_or_a_tracker_nothing_is_written(runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(runtime)
    assert not list(tmp_path.iterdir())


def test_of_several_processes_the_first_alone_notes(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run(Runtime(curves=tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_unknown_tracker_and_a_missing_package_are_named(monkeypatch):
    with pytest.raises(ConfigError, match="track: 'paper' is not one of tensorboard, wandb, mlflow, none"):
        Runtime(track="paper")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'track: no package wandb; pip install "palate\[track\]"'):
        require("wandb")
    require("none")
