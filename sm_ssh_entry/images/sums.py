"""``SHA256SUMS`` beside the artifacts: what a build checks each file against, in the form that sha256sum reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images.lockfile import relative
from sm_ssh_entry.images.storage import write_whole, writing

NAME = "SHA256SUMS"


def read(folder: Path) -> dict[str, str]:
    """Return file → checksum.

    Args:
        folder: the folder of artifacts; one never fetched to has none.

    Raises:
        BadInput: the file is not of this form.
    """
    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    rows = [(line[:64], line[64:66], line[66:]) for line in lines]
    if not all(mark == "  " and relative(name) for _, mark, name in rows):
        raise BadInput(
            f"{path} is not of sha256sum's form", hint="sm-ssh image fetch writes it anew once it is removed"
        )
    return {name: checksum for checksum, _, name in rows}


def renew(folder: Path, fresh: Mapping[str, str], managed: Collection[str]) -> list[str]:
    """Write the sums, and remove what an earlier fetch left in folders that this one has filled.

    Args:
        folder: the folder of artifacts.
        fresh: file → checksum of all that this fetch brought or made.
        managed: folders below it that hold nothing else now.

    Returns:
        The files removed.

    Raises:
        NoSpace: the disk is full.
        BadInput: a file cannot be written or removed.
    """
    before = read(folder)
    gone = sorted(name for name in before if name not in fresh and name.rpartition("/")[0] in managed)
    for name in gone:
        with writing(folder / name):
            (folder / name).unlink(missing_ok=True)
    sums = {**{name: checksum for name, checksum in before.items() if name not in gone}, **fresh}
    write_whole(folder / NAME, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
    return gone
