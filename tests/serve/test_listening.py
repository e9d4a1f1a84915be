"""What people ask, and pairs of person and item, may be read in int8, beside items as they were trained."""

from dataclasses import replace

import numpy as np

import palate
from conftest import checkerboard
from palate.encode.hashing import HashingEncoder
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.model import Model
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.rank.onnx import Pairs
from palate.retrieve.dense import Dense
from palate.runtime import Runtime
from palate.serve.asks import Ask
from palate.serve.listening import Listening, listening
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from tiny import tiny_bert

WISHES = ["space ships", "wedding cakes and true love"]


def test_int8_is_for_what_people_ask_alone(tmp_path):
    config = TransformerConfig(model=tiny_bert(tmp_path / "bert"), dtype="fp32", cache=False)
    plain = TransformerEncoder(config).fit([], Runtime())
    heard = Listening(plain, "int8")
    assert (heard.encode(WISHES, role="item") == plain.encode(WISHES, role="item")).all()
    asked, exact = heard.encode(WISHES, role="query"), plain.encode(WISHES, role="query")
    assert (asked != exact).any()
    assert (asked * exact).sum(axis=1).min() > 0.99


def test_an_encoder_without_int8_is_asked_as_it_is():
    made = Dense(encoder=HashingEncoder()).fit(checkerboard(), Runtime())
    plain, heard = (listening(made, one).encoder for one in ("as-trained", "int8"))
    assert (plain.encode(WISHES, role="query") == heard.encode(WISHES, role="query")).all()


def test_the_service_answers_a_wish_in_int8(tmp_path):
    model: Model = palate.fit(checkerboard(), "dense", encoder=tiny_bert(tmp_path / "bert"))
    service = Service(ServeConfig(encoder="int8"), tmp_path / "state")
    try:
        version = service.open_version("v1", model)
        assert version.reader.encoder.arithmetic == "int8"
        (listing,) = version.answer([Ask(text="space ships", k=3)], version.recommender)
        assert len(listing.items) == 3
        assert np.isfinite([one.score for one in listing.items]).all()
    finally:
        service.close()


def test_the_service_reads_pairs_in_int8(tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    model: Model = palate.fit(checkerboard(), "popular")
    bare = CrossEncoder(CrossEncoderConfig(model=tiny_bert(tmp_path / "bert"))).identified().about(model.data.items)
    head = np.random.default_rng(1).normal(size=(1, 16)).astype(np.float32)
    rankers = (replace(bare, weights_={"head.weight": head}),)
    model = replace(model, recommender=replace(model.recommender, rankers=rankers))
    service = Service(ServeConfig(ranker="int8"), tmp_path / "state")
    try:
        version = service.open_version("v1", model)
        (ranker,) = version.recommender.rankers
        assert ranker.config.dtype == "int8"
        assert isinstance(ranker._reader, Pairs)
        (listing,) = version.answer([Ask(user_id=model.data.users.ids.ids[0], k=3)], version.recommender)
        assert len(listing.items) == 3
    finally:
        service.close()
