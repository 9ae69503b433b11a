"""The endpoint table: every path of the data plane, with what it is. A path not in it does not exist here."""

from dataclasses import dataclass

from routing.dialects.base import NOTHING, Dialect, PathAsk
from routing.dialects.messages import MESSAGES as MESSAGES_DIALECT


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """`operation` is what providers are asked for (empty: answered here), `dialect` how its callers speak.

    `is_billed` is false for what providers give away (count_tokens). `takes_vendor_ids`: callers in a cloud's own mode name models by that
    cloud's ids, so the route is also found by what its deployments serve.
    """

    name: str
    methods: tuple[str, ...]
    operation: str = ""
    dialect: Dialect = MESSAGES_DIALECT
    is_billed: bool = False
    takes_vendor_ids: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads, and what it says of the call."""

    endpoint: Endpoint
    path_ask: PathAsk = NOTHING
