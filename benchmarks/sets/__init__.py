"""The table of benchmarks: protocols of public tables with the figures that others published on them."""

from benchmarks.sets.movielens import movielens_100k, movielens_100k_75, movielens_cold, movielens_small
from benchmarks.sets.protocol import Benchmark, View
from benchmarks.sets.shops import beauty, beauty_cold, games, games_cold, industrial

_LAST = "Leave-last-out by position, full ranking, earlier items of the user excluded."
_COLD = (
    "A tenth of the items is held out with all its events; asked are the people whose last event is with one of them."
)
_AMONG, _ALL = f"{_COLD} Ranked: the held-out items alone.", f"{_COLD} Ranked: the whole catalogue."
_BEFORE = "earlier trial code of this project, its own draw of items"

SETS = {
    "movielens-100k": Benchmark(
        "MovieLens-100K",
        movielens_100k,
        {
            "movielens-100k": View(
                "Random 80/10/10 per user, every rating an interaction, full ranking.",
                {
                    "EASE (RecBole, course report)": ({"ndcg@10": 0.330, "recall@10": 0.281}, "second hand"),
                    "SLIM (RecBole, course report)": ({"ndcg@10": 0.324, "recall@10": 0.275}, "second hand"),
                    "UserKNN (RecBole, course report)": ({"ndcg@10": 0.287, "recall@10": 0.244}, "second hand"),
                    "item-kNN (RecBole, course report)": ({"ndcg@10": 0.283, "recall@10": 0.247}, "second hand"),
                    "Pop (RecBole, course report)": ({"ndcg@10": 0.103, "recall@10": 0.088}, "second hand"),
                },
            )
        },
    ),
    "movielens-100k-75": Benchmark(
        "MovieLens-100K, 75/25",
        movielens_100k_75,
        {
            "movielens-100k-75": View(
                "Random 75/25 per user, every rating relevant, full ranking. The protocol has no validation part, so "
                "nothing was tuned on this split; histories are train.",
                {
                    name: ({"ndcg@10": value}, "Recommenders README")
                    for name, value in {
                        "BiVAE": 0.475,
                        "BPR": 0.442,
                        "LightGCN": 0.420,
                        "NCF": 0.396,
                        "SAR": 0.382,
                    }.items()
                },
            )
        },
    ),
    "movielens-small": Benchmark(
        "MovieLens small with texts",
        movielens_small,
        {"movielens-small": View("Global time split, liked is 4 stars or more, full ranking.")},
    ),
    "movielens-cold": Benchmark(
        "MovieLens small, cold films",
        movielens_cold,
        {"movielens-cold": View("The same cut by time; only films that nobody had rated before it are asked for.")},
    ),
    "industrial": Benchmark("Amazon Industrial", industrial, {"industrial": View(_LAST)}),
    "beauty": Benchmark(
        "Amazon Beauty",
        beauty,
        {
            "beauty": View(
                _LAST,
                {
                    "GRU4Rec": ({"ndcg@10": 0.0137, "hit_rate@10": 0.0283}, "S3-Rec repository"),
                    "SASRec, BCE": ({"ndcg@10": 0.0318, "hit_rate@10": 0.0605}, "S3-Rec repository"),
                    "S3-Rec": ({"ndcg@10": 0.0327, "hit_rate@10": 0.0647}, "S3-Rec repository"),
                    "UniSRec (text)": ({"ndcg@10": 0.0335, "hit_rate@10": 0.0694}, "LIGER paper, second hand"),
                    "TIGER": ({"ndcg@10": 0.0384, "hit_rate@10": 0.0648}, "second hand, three copies agree"),
                    "LIGER": ({"ndcg@10": 0.0402, "hit_rate@10": 0.0745}, "second hand"),
                    "SASRec, cross-entropy (RecBole)": ({"ndcg@10": 0.0405, "hit_rate@10": 0.0821}, "LETTER issue 20"),
                    "SASRec, cross-entropy, 3 seeds": ({"ndcg@10": 0.0503, "hit_rate@10": 0.0859}, "third party"),
                    "LlamaRec, 7B (22,332 users)": ({"ndcg@10": 0.0554, "hit_rate@10": 0.0971}, "its Table 1"),
                },
            )
        },
    ),
    "beauty-cold": Benchmark(
        "Amazon Beauty, held-out cold items",
        beauty_cold,
        {
            "beauty-cold": View(
                _AMONG,
                {
                    "trained text tower": ({"hit_rate@10": 0.135}, _BEFORE),
                    "frozen MiniLM": ({"hit_rate@10": 0.086}, _BEFORE),
                    "random": ({"hit_rate@10": 10 / 1210}, "10 of 1,210"),
                },
                metric="hit_rate@10",
            ),
            "beauty-cold-all": View(_ALL, metric="hit_rate@10", whole=True),
        },
    ),
    "games": Benchmark(
        "LLMRank Games",
        games,
        {
            "games": View(
                "6,000 users, the answer among 19 given candidates.",
                {
                    "BM25, zero-shot": ({"ndcg@10": 0.3461}, "LLMRank"),
                    "UniSRec, zero-shot": ({"ndcg@10": 0.4071}, "LLMRank"),
                    "popularity": ({"ndcg@10": 0.5296}, "LLMRank"),
                    "ChatGPT, recency prompt": ({"ndcg@10": 0.5350}, "LLMRank"),
                    "GPT-4 on 200 users": ({"ndcg@10": 0.6288}, "LLMRank"),
                    "item-kNN cosine, last 20": ({"ndcg@10": 0.6458}, "sanity figure"),
                    "BPRMF": ({"ndcg@10": 0.6627}, "LLMRank"),
                    "SASRec": ({"ndcg@10": 0.7592}, "LLMRank"),
                },
            )
        },
    ),
    "games-cold": Benchmark(
        "LLMRank Games, held-out cold items",
        games_cold,
        {
            "games-cold": View(
                _AMONG,
                {
                    "trained text tower": ({"hit_rate@10": 0.159}, _BEFORE),
                    "frozen MiniLM": ({"hit_rate@10": 0.156}, _BEFORE),
                    "random": ({"hit_rate@10": 10 / 1686}, "10 of 1,686"),
                },
                metric="hit_rate@10",
            ),
            "games-cold-all": View(_ALL, metric="hit_rate@10", whole=True),
        },
    ),
}
