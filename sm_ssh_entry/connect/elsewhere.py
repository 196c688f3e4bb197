"""Is it in another region? Asked only when a name was not found: the partition's regions at once, for a few seconds."""

from __future__ import annotations

import queue
import threading
import time

from sm_ssh_entry import aws
from sm_ssh_entry.connect import jobs, nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import WrongRegion

PATIENCE = 3.0
_AT_ONCE = 10


def region_of(access: Access, target: Target, *, patience: float = PATIENCE) -> str | None:
    """Return the first region found that has the node or the job; None where none answered yes in time.

    Regions that the account has not enabled refuse, which counts as no.

    Args:
        access: account; its region is left out.
        target: what to look for.
        patience: seconds in all.
    """
    here = access.effective_region
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    others = [region for region in known_regions(access) if region != here]
    for region in others:
        todo.put(region)
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    stopped = threading.Event()
    making = threading.Lock()

    def work() -> None:
        while not stopped.is_set():
            try:
                region = todo.get_nowait()
            except queue.Empty:
                return
            answers.put(region if _is_in(Access(region, access.profile), target, making, patience) else None)

    for number in range(min(_AT_ONCE, len(others))):
        # Daemons: whoever is still waiting for a far region must not hold up our exit.
        threading.Thread(target=work, name=f"region-{number}", daemon=True).start()
    deadline = time.monotonic() + patience
    try:
        for _ in others:
            found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            if found:
                return found
    except queue.Empty:
        return None
    finally:
        stopped.set()
    return None


def known_regions(access: Access) -> list[str]:
    """List the regions of the partition of ours.

    Raises:
        WrongRegion: ours is not a region.
    """
    here = access.effective_region
    with aws.errors_of(region=here):
        return aws.regions("ssm", profile=access.profile, like=here or "us-east-1")


def check_region(access: Access) -> None:
    """Raise WrongRegion where the region in use is none that we know."""
    here = access.effective_region
    if here and here not in known_regions(access):
        raise WrongRegion(f"{here!r} is not a region of AWS", hint="give --region, or set AWS_REGION")


def _is_in(access: Access, target: Target, making: threading.Lock, patience: float) -> bool:
    try:
        # An endpoint's nodes do not know its name, and nothing but SageMaker knows a cluster.
        if target.kind not in ("inference", "hyperpod"):
            with making:  # botocore's session is not made for several threads; its clients are
                ssm = access.client("ssm", timeout=patience, attempts=1)
            if nodes.matching(ssm, target):
                return True
        if not jobs.describable(target):
            return False
        with making:
            sagemaker = access.client("sagemaker", timeout=patience, attempts=1)
        return jobs.answer_about(sagemaker, target) is not None
    except Exception:  # noqa: BLE001 - a guess on the side: whatever a region's answer is, it is no traceback
        return False
