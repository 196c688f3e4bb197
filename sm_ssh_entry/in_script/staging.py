"""dependency_dir(): the container's half and what installs it, as one folder to submit beside a script.

    sagemaker_ssh_helper/__init__.py      the old names; our package lies within
    sagemaker_ssh_helper/sm_ssh_entry/    modules, entrypoint/, image_files/images/ (layers, artifacts.json, the lock)
    sagemaker_ssh_helper/sm_ssh_entry/artifacts/   only with artifacts=…

Equal content is the same folder: its name has the checksum of all that is in it. It appears in one step, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import container_wheel, files, imports, lockfile, manifest, sums
from sm_ssh_entry.images.distribution import PACKAGES
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.sources import AGENT, OFFICIAL, PROGRAMS, WHEELS
from sm_ssh_entry.images.storage import writing

OLD, NEW = "sagemaker_ssh_helper", "sm_ssh_entry"
# What the layer takes of a folder of artifacts; the AWS CLI is not among it.
_TAKEN = (WHEELS, "wheel", PROGRAMS, AGENT, PACKAGES)
_LOCK = "artifacts.lock"


def stage(name: str, *, artifacts: Any = None, lock: Any = None, cache: Path | None = None) -> Path:
    """Return the folder; it is made where the cache has none like it.

    Args:
        name: OLD or NEW.
        artifacts: folder of artifacts to bring along; None: none.
        lock: a lock beside the shipped one; None: that of the artifacts, if there are any.
        cache: where to; None: the user's.

    Raises:
        BadInput: another name, or no such folder or lock.
        NoSpace: the disk is full.
    """
    if name not in (OLD, NEW):
        raise BadInput(f"no folder can be named {name}", hint=f"{OLD}, which old scripts import, or {NEW}")
    brought = _artifacts(Path(artifacts)) if artifacts is not None else {}
    held = Path(lock) if lock is not None else Path(artifacts) / _LOCK if artifacts is not None else None
    if lock is not None and held is not None and not held.is_file():
        raise BadInput(f"there is no lock {held}", hint="sm-ssh image lock makes one")
    texts = _texts(held)
    prefix = f"{NEW}/" if name == OLD else ""
    content: dict[str, bytes | Path] = {f"{prefix}{path}": data for path, data in {**texts, **brought}.items()}
    if name == OLD:
        content["__init__.py"] = (imports.PACKAGE / "compat" / OLD / "__init__.py").read_bytes()
    target = (cache or _cache()) / _digest(content) / name
    with writing(target):
        if not _whole(target, content):
            _make(target, content)
    return target


def _texts(own: Path | None) -> dict[str, bytes | Path]:
    """Return our modules and what an installation takes, by their paths below the package."""
    rooms = [path for path in imports.room("in_script") if path.name != "__main__.py"]
    modules = imports.closure([*container_wheel.modules(), *rooms])
    found: dict[str, bytes | Path] = {
        str(path.relative_to(imports.PACKAGE).as_posix()): path.read_bytes() for path in modules
    }
    source = files.source()
    entrypoint = next(one for one in (imports.PACKAGE / "entrypoint", source / "entrypoint") if one.is_dir())
    for folder, below in ((entrypoint, "entrypoint"), (source / "images" / "layers", "image_files/images/layers")):
        found |= {f"{below}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    wanted = manifest.parsed(source / files.WANTED)
    found["image_files/images/artifacts.json"] = json.dumps(wanted, indent=1, sort_keys=True).encode()
    found[f"image_files/images/{_LOCK}"] = _locks(source / "images" / _LOCK, own)
    return found


def _locks(shipped: Path, own: Path | None) -> bytes:
    """Return one lock of both, with what is fetched at run time alone: wheels, programs and the official agent."""
    theirs = lockfile.read(own).values() if own is not None else ()
    # Folder by folder, as locks are everywhere: two resolutions in one do not belong together.
    folders = {(entry.source, entry.folder) for entry in theirs}
    ours = [entry for entry in lockfile.read(shipped).values() if (entry.source, entry.folder) not in folders]
    taken = sorted(entry for entry in (*ours, *theirs) if _fetched(entry))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, _LOCK)
        lockfile.write(path, taken)
        return path.read_bytes()


def _fetched(entry: Entry) -> bool:
    return entry.component in (WHEELS, PROGRAMS) or (entry.component == AGENT and entry.source == OFFICIAL)


def _artifacts(folder: Path) -> dict[str, bytes | Path]:
    """Return the artifacts that the layer takes, with the sums of these alone."""
    listed = {name: one for name, one in sums.read(folder).items() if name.split("/")[0] in _TAKEN}
    if not listed:
        raise BadInput(f"{folder} is no folder of artifacts", hint=f"sm-ssh image fetch --to {folder}")
    missing = [name for name in listed if not (folder / name).is_file()]
    if missing:
        raise BadInput(f"{folder} lacks {missing[0]}", hint=f"sm-ssh image fetch --to {folder}")
    found: dict[str, bytes | Path] = {f"artifacts/{name}": folder / name for name in listed}
    found[f"artifacts/{sums.NAME}"] = "".join(f"{one}  {name}\n" for name, one in sorted(listed.items())).encode()
    if (folder / _LOCK).is_file():
        found[f"artifacts/{_LOCK}"] = (folder / _LOCK).read_bytes()
    return found


def _digest(content: dict[str, bytes | Path]) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        # The sums, which are in it as bytes, stand for the artifacts.
        digest.update(f"{name}\0".encode() + (hashlib.sha256(data).digest() if isinstance(data, bytes) else b""))
    return digest.hexdigest()[:16]


def _whole(target: Path, content: dict[str, bytes | Path]) -> bool:
    """Whether a folder has just these files, as long as they must be. What Python compiled there does not count."""
    there = {
        path.relative_to(target).as_posix(): path.stat().st_size
        for path in target.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return there == {
        name: len(data) if isinstance(data, bytes) else data.stat().st_size for name, data in content.items()
    }


def _make(target: Path, content: dict[str, bytes | Path]) -> None:
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent.parent) as work:
        fresh = Path(work, "fresh", target.name)
        for name, data in content.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, bytes):
                path.write_bytes(data)
            else:
                shutil.copyfile(data, path)
        if target.parent.exists():
            os.rename(target.parent, Path(work, "damaged"))  # noqa: PTH104
        try:
            fresh.parent.rename(target.parent)
        except OSError:
            # Another process was faster: what it has put there is the same.
            if not _whole(target, content):
                raise


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "sm-ssh" / "dependencies"
