"""Named models and data sets: listed, fetched through the installer, and never used unless their sha256 fits."""

from palate.assets.known import KNOWN, Asset, File
from palate.assets.shelf import fetch, listing, locate, named, resolve_model, verify

__all__ = ["KNOWN", "Asset", "File", "fetch", "listing", "locate", "named", "resolve_model", "verify"]
