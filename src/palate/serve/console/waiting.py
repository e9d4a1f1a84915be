"""Futures of the service, waited for by a page."""

from concurrent.futures import Future
from typing import TypeVar

from palate.errors import OverloadError

T = TypeVar("T")


def waited(future: "Future[T]", seconds: float) -> T:
    """What it comes to. Raises OverloadError where that takes longer."""
    try:
        return future.result(seconds)
    except TimeoutError:
        raise OverloadError("the service is too busy just now; try again in a moment") from None
