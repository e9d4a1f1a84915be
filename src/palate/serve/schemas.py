"""The bodies of requests and answers, bounded and checked; the OpenAPI document is made of them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

MOST_ITEMS = 1000  # of a list, a history or a list of candidates
MOST_EVENTS = 1000  # in a batch
MOST_BULK = 1000

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Id = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_PRINTABLE)]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PRINTABLE)]
Words = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
Long = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Many = Annotated[list[Id], Field(max_length=MOST_ITEMS)]
Length = Annotated[int, Field(ge=1, le=MOST_ITEMS, description="How many items the list has, at most.")]
Seconds = Annotated[FiniteFloat, Field(ge=0, le=4e9, description="Unix seconds; now if not given.")]
Where = Annotated[
    dict[Name, Annotated[list[Words], Field(min_length=1, max_length=100)] | Words],
    Field(max_length=20, description="Attribute to the value, or values, that it must have."),
]


class Body(BaseModel):
    """What every request's body is held to: a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid")


class Recommend(Body):
    """A list for a user, a text, a history, or everybody."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user_id": "u42", "k": 5, "explain": True}, {"text": "a rainy evening"}]},
    )
    user_id: Id | None = Field(None, description="For whom; one who is not known is a stranger.")
    text: Words = Field("", description="A wish in plain words.")
    history: Many | None = Field(None, description="What a stranger liked, oldest first; leave user_id out.")
    k: Length = 10
    where: Where = {}
    allow: Many | None = Field(None, description="Only these items.")
    deny: Many = Field([], description="Never these items.")
    candidates: Many | None = Field(None, description="Put these in order, seen or not.")
    explain: bool = Field(False, description="Say why each item is shown.")
    include_seen: bool = Field(False, description="Also show what the user already had.")
    personal: bool = Field(True, description="Without it nothing is read of the user.")
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] | None = Field(
        None, description="How long the answer may take; stages are left out for it, and `degraded` names them."
    )
    timings: bool = Field(False, description="Say how long each stage took.")


class ShownItem(BaseModel):
    """One item of a list."""

    rank: int
    item_id: str
    title: str
    score: float = Field(description="Larger is better; comparable within this list alone.")
    new: bool = Field(description="Known by its text alone until the next training.")
    reasons: list[str]


class ListAnswer(BaseModel):
    """A list, and what it rests on."""

    request_id: str
    version: str = Field(description="The version of the model that answered.")
    basis: str = Field(description="history, text, history+text or popularity.")
    degraded: list[str] = Field(description="What was left out for want of time.")
    items: list[ShownItem]
    timings_ms: dict[str, float] | None = None


class Similar(Body):
    """A list like one item."""

    item_id: Id
    k: Length = 10
    where: Where = {}


class Search(Body):
    """Items that fit words."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
    k: Length = 10
    where: Where = {}


class Score(Body):
    """Scores of items for one user, comparable among each other."""

    user_id: Id
    items: Annotated[list[Id], Field(min_length=1, max_length=MOST_ITEMS)]


class ItemScore(BaseModel):
    """One item's score."""

    item_id: str
    score: float


class ScoreAnswer(BaseModel):
    """Scores in the order of the question."""

    version: str
    scores: list[ItemScore]


class EventBody(Body):
    """What someone did with an item."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"event_id": "9b1c", "user_id": "u42", "item_id": "i7", "kind": "buy"}]},
    )
    event_id: EventId = Field(description="Chosen by the client; sent again it changes nothing.")
    user_id: Id
    item_id: Id
    time: Seconds | None = None
    value: Annotated[FiniteFloat, Field(ge=-1e9, le=1e9)] | None = Field(None, description="A rating or a weight.")
    kind: Annotated[str, StringConstraints(max_length=64, pattern=_PRINTABLE)] = ""
    text: Long = Field("", description="A review.")


class EventBatch(Body):
    """Several events, written together or not at all."""

    events: Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS)]


class EventAnswer(BaseModel):
    """What became of the events: they are on disk."""

    accepted: int = Field(description="Events that are new.")
    repeated: int = Field(description="Events that were known already.")
    last_seq: int = Field(description="The place of the last new one in the server's order; 0 if none is new.")


class ItemBody(Body):
    """An item: its texts and attributes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"title": "Solaris", "tags": "space, mind", "attributes": {"year": "1972"}}]},
    )
    title: Words = ""
    description: Long = ""
    tags: Words = ""
    attributes: dict[Name, Words] = Field({}, max_length=50)


class ItemPatch(Body):
    """What is to be changed of an item; the rest stays."""

    title: Words | None = None
    description: Long | None = None
    tags: Words | None = None
    attributes: dict[Name, Words] | None = Field(None, max_length=50)


class BulkItem(ItemBody):
    """An item of several."""

    item_id: Id


class BulkItems(Body):
    """Several items, written together or not at all."""

    items: Annotated[list[BulkItem], Field(min_length=1, max_length=MOST_BULK)]


class ItemAnswer(ItemBody):
    """An item as it is now."""

    model_config = ConfigDict(extra="ignore")
    item_id: str
    trained: bool = Field(description="Whether the live version was trained on it; otherwise its text speaks for it.")


class ItemsAnswer(BaseModel):
    """A page of items by id."""

    items: list[ItemAnswer]
    next: str | None = Field(description="What to give as `after` for the next page.")


class Written(BaseModel):
    """What was written: it is on disk."""

    written: int
    searchable: bool = Field(description="Whether lists hold it already; otherwise they will in a moment.")


class UserBody(Body):
    """What is known of a person besides events."""

    text: Words = Field("", description="Interests in their own words; heard until there is a history.")
    attributes: dict[Name, Words] = Field({}, max_length=50)


class UserAnswer(UserBody):
    """What is held of a person: everything, as the right of access wants."""

    model_config = ConfigDict(extra="ignore")
    user_id: str
    trained: bool = Field(description="Whether the live version was trained on what they did.")
    events: list[dict[str, Any]]


class Erased(BaseModel):
    """A receipt for what was removed, by store."""

    user_id: str
    time: float
    removed: dict[str, int]
    remaining: str = Field(description="What still holds traces, and until when.")


class Health(BaseModel):
    """Whether the service lives, or can answer."""

    status: Literal["ok", "starting"]


class About(BaseModel):
    """Which software and which version of the model answer."""

    palate: str
    version: str
    items: int
    users: int
    events_since_training: int


class VersionAnswer(BaseModel):
    """A version of the model, and what is known of it."""

    version: str
    state: str = Field(description="live, previous, canary, idle or damaged.")
    share: float | None = Field(description="The share of users that a canary answers.")
    card: dict[str, Any] = Field(description="Where it comes from and what the gate found.")


class WhyBody(Body):
    """A reason, for the audit."""

    why: Words = ""


class PromoteBody(WhyBody):
    """Whether to go against the gate, which the audit then tells."""

    force: bool = False


class CanaryBody(PromoteBody):
    """A version, and the share of users that it is to answer."""

    version: Id
    share: Annotated[FiniteFloat, Field(gt=0, lt=1)]


class Moved(BaseModel):
    """Which versions answer now."""

    live: str | None
    previous: str | None
    canary: str | None


class KeyBody(Body):
    """A key to be made."""

    name: Name
    role: Literal["viewer", "recommender", "reviewer", "operator", "admin"]


class KeyAnswer(BaseModel):
    """A key, not its secret."""

    key_id: str
    name: str
    role: str
    made: float
    revoked: bool


class NewKey(KeyAnswer):
    """A new key; its secret is told nowhere else."""

    secret: str


class ErrorTold(BaseModel):
    """What is wrong, in words."""

    code: str
    message: str
    where: list[str] = Field(default=[], description="The places in the request, for example body.k.")


class Refusal(BaseModel):
    """Every answer that is not a success."""

    error: ErrorTold
    request_id: str
