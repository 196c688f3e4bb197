"""A small package index, with small wheels."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence

from tests.images.publisher import Publisher


def wheel(name: str, version: str, requires: Sequence[str] = (), *, module: str = "") -> bytes:
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(f"{name}.py", module or f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return held.getvalue()


def publish(site: Publisher, *files: tuple[str, bytes], algorithm: str = "sha256") -> str:
    """Publish files, by their names, and the pages of their projects; return the index's address."""
    pages: dict[str, list[str]] = {}
    for file, content in files:
        url = site.publish(f"/files/{file}", content)
        mark = f"{algorithm}={hashlib.new(algorithm, content).hexdigest()}"
        pages.setdefault(file.partition("-")[0], []).append(f'<a href="{url}#{mark}">{file}</a>')
    for name, links in pages.items():
        site.publish(f"/simple/{name}/", f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>".encode())
    return f"{site.url}/simple"
