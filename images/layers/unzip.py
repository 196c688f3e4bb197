"""unzip.py ARCHIVE PREFIX FOLDER: unpacks one folder of a zip with its files' modes, which zipfile's own way loses."""

import sys
import zipfile
from pathlib import Path


def main(archive: str, prefix: str, folder: str) -> None:
    """Unpack.

    Args:
        archive: the zip.
        prefix: the folder in it.
        folder: where its content goes.
    """
    with zipfile.ZipFile(archive) as held:
        for item in held.infolist():
            name = item.filename.removeprefix(prefix + "/")
            if name == item.filename or item.is_dir():
                continue
            target = Path(folder, name)
            if ".." in target.parts:
                sys.exit(f"sm-ssh: ERROR {archive} has a file outside its folder: {item.filename}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(held.read(item))
            target.chmod(item.external_attr >> 16 & 0o755 or 0o644)


main(*sys.argv[1:])
