"""What a job writes for S3, while it runs and when it is over: ``Continuous`` and ``EndOfJob``; also checkpoints."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane.execution import node_files, storage
from sm_ssh_entry.plane.execution.work import Failed

_PAUSE = 0.5


@dataclass(frozen=True)
class Output:
    """One folder that goes to S3.

    Args:
        path: where it is below each node's root.
        uri: address of the prefix.
        continuous: whether files go while the job runs.
    """

    path: PurePosixPath
    uri: str
    continuous: bool


class Outputs:
    """The outputs of a job that runs. Files of the same name of several nodes take each other's place, as in S3.

    Args:
        s3: the plane's S3.
        outputs: the folders.
        roots: the nodes' root folders.
        say: takes one line for the runner's log.
    """

    def __init__(self, s3: Any, outputs: Sequence[Output], roots: Sequence[Path], say: Callable[[str], None]) -> None:
        self._s3, self._outputs, self._roots, self._say = s3, outputs, roots, say
        # File -> what it was like when it was uploaded, or when it was last looked at.
        self._done: dict[Path, tuple[int, int]] = {}
        self._seen: dict[Path, tuple[int, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="outputs", daemon=True)

    def __enter__(self) -> Outputs:
        if any(one.continuous for one in self._outputs):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rest()

    def count_present(self) -> None:
        """Count what is there already as uploaded: it came from S3."""
        for one in self._outputs:
            for root in self._roots:
                self._done |= {root / one.path / found.path: found.like for found in node_files.walk(root, one.path)}

    def finish(self, *, all_of_them: bool) -> None:
        """Upload what is left, when the job is over.

        Args:
            all_of_them: whether the job completed: else what was to be uploaded at its end is not.

        Raises:
            Failed: a file could not be read or sent.
        """
        self._rest()
        for one in self._outputs:
            if one.continuous or all_of_them:
                for root in self._roots:
                    self._upload(one, root, settled=False)

    def _rest(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_PAUSE):
            for one in self._outputs:
                for root in self._roots if one.continuous else ():
                    # What cannot be read or sent now is tried again, at the end at the latest.
                    with contextlib.suppress(Failed):
                        self._upload(one, root, settled=True)

    def _upload(self, one: Output, root: Path, *, settled: bool) -> None:
        """Upload the files that are new or have changed; ``settled``: once they stay as they are."""
        bucket, prefix = storage.parse(one.uri)
        for found in node_files.walk(root, one.path):
            place = root / one.path / found.path
            if self._done.get(place) == found.like:
                continue
            if settled and self._seen.get(place) != found.like:
                self._seen[place] = found.like
                continue
            key = "/".join(part for part in (prefix.rstrip("/"), found.path.as_posix()) if part)
            try:
                with aws.errors_of(action=f"upload to {one.uri}"), found.open() as file:
                    storage.require_bucket(self._s3, bucket)
                    self._s3.put_object(Bucket=bucket, Key=key, Body=file)
            except (OSError, UnicodeError, SmSshError) as error:
                # A name of the job's own choice need not be text.
                name = str(found.path).encode(errors="replace").decode()
                raise Failed(f"ClientError: Failed to upload {name} to {one.uri}: {error}") from error
            self._done[place] = found.like
            self._say(f"uploaded s3://{bucket}/{key}")
