"""Two versions' listings of one ask to one list that shows both, so that people tell which they prefer."""

from dataclasses import replace

from palate.evaluation.interleaving import team_draft
from palate.serve.asks import Ask, Listing


def interleaved(live: Listing, canary: Listing, ask: Ask, request_id: str) -> Listing:
    """A list that both drafted in turn; each item says which version placed it (`team`, "" for neither).

    Scores of two models cannot be compared, so that here they only count places down.
    """
    draft = team_draft(_ids(live), _ids(canary), ask.k, f"{live.version} {canary.version} {request_id}")
    known = {one.item_id: one for listing in (canary, live) for one in listing.items}
    teams = {"a": live.version, "b": canary.version, "": ""}
    size = len(draft.items)
    items = tuple(
        replace(known[name], score=float(size - place), team=teams[team])
        for place, (name, team) in enumerate(zip(draft.items, draft.teams, strict=True))
    )
    degraded = tuple(dict.fromkeys((*live.degraded, *canary.degraded)))
    version = f"{live.version}+{canary.version}"
    return Listing(version, items, live.basis, degraded, live.timings)


def _ids(listing: Listing) -> list[str]:
    return [one.item_id for one in listing.items]
