"""People to a place between 0 and 1 that never changes: who is in a canary, who sees which arm of an experiment."""

import hashlib


def share_of(user_id: str, salt: str) -> float:
    """Where a person stands in [0, 1), the same on every machine and in every year.

    salt: what is being shared out, for example an experiment's name; places under two salts have nothing to do with
    each other. The place is the first 53 bits of BLAKE2b, keyed with the hash of the salt.
    """
    key = hashlib.blake2b(_bytes(salt), digest_size=32).digest()
    place = hashlib.blake2b(_bytes(user_id), digest_size=8, key=key).digest()
    return (int.from_bytes(place, "big") >> 11) / 2**53


def chosen(user_id: str, salt: str, share: float) -> bool:
    """Whether a person is among the given share of all; who is in a share is in every larger one too."""
    return share_of(user_id, salt) < share


def _bytes(text: str) -> bytes:
    return text.encode("utf8", "surrogatepass")
