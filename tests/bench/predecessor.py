"""The predecessor's own client and ours: to one node on one plane, in turn, until a command has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.bench import beside
from tests.bench.measure import Row, quiet, seconds, side_by_side
from tests.end_to_end.machine import SM_SSH, Machine

_NAME = "bench-predecessor"
# What its own set-up would have done in the container: sshd reads the file that it writes, and its script finds aws.
_PREPARE = (
    "mkdir -p -m 700 /root/.ssh; ln -s /etc/ssh/authorized_keys /root/.ssh/authorized_keys; "
    "ln -s /opt/sm-ssh/bin/aws /usr/local/bin/aws; exec sleep 900"
)


def logins(machine: Machine) -> list[Row]:
    """``connect`` until a remote ``true`` has ended; the predecessor's needs the AWS CLI, its plugin and a bucket."""
    what, budget = "connect, until `true` has ended", "faster"
    image = beside.image()
    if beside.no_cli() or not image:
        return [Row(what, beside.no_cli() or "no image for a node in a container", "", budget, None)]
    if not beside.is_official(image):
        # On the node it fetches keys from S3 with the credentials that the official agent leaves there.
        return [Row(what, "needs an image with the official agent: SM_SSH_BENCH_IMAGE", "", budget, None)]
    programs = beside.predecessor(machine.folder)
    if programs is None:
        return [Row(what, "the predecessor is measured with SM_SSH_BENCH_PREDECESSOR=1", "", budget, None)]
    env = beside.with_path(machine.env, str(programs)) | {"SSH_AUTHORIZED_KEYS_PATH": "s3://bench-keys/keys/"}
    quiet(["aws", "s3", "mb", "s3://bench-keys"], env)
    with _node(machine, image) as host:
        theirs_run = [str(programs / "sm-ssh"), "connect", host, "-o", "RemoteCommand=true"]
        ours, theirs = side_by_side(
            3,
            lambda: seconds(lambda: quiet([*SM_SSH, "connect", "--no-share", host, "true"], machine.env)),
            lambda: seconds(lambda: quiet(theirs_run, env)),
        )
    found = f"{ours:.2f} s"
    return [Row(what, found, f"sagemaker-ssh-helper 2.3.0 {theirs:.1f} s ({theirs / ours:.0f} times)", budget, True)]


@contextlib.contextmanager
def _node(machine: Machine, image: str) -> Iterator[str]:
    job = machine.job(_NAME, "sh", "-c", _PREPARE, options=("--image", image))
    try:
        quiet([*SM_SSH, "wait", job.host], machine.env)
        yield job.host
    finally:
        job.kill()
