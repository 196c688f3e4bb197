"""Managed nodes without containers: what the registrations of many jobs leave behind, for trials and measurements."""

from __future__ import annotations

from dataclasses import dataclass

from sm_ssh_entry import contract
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.kinds import ROLE
from sm_ssh_entry.plane.store import Activation, Store

MAX_NODES = 100_000
_VERSION = "3.3.0.0"


@dataclass(frozen=True)
class Seed:
    """What to enter.

    Args:
        nodes: how many.
        region: their region.
        kind: of the jobs they are of.
        name: their jobs are called this and a number.
        owner: value of their owner tag; ``""``: none.
        age: seconds since each registered and was last heard.
        online: whether each was heard just now all the same; it is Online as long as a node without heartbeats is.
        tagged: whether they have our tags, or are somebody else's.
    """

    nodes: int
    region: str
    kind: str = "training"
    name: str = "seed"
    owner: str = ""
    age: float = 0.0
    online: bool = False
    tagged: bool = True


def plant(store: Store, seed: Seed) -> None:
    """Enter nodes into the plane's table.

    Args:
        store: the plane's state.
        seed: what to enter.

    Raises:
        AwsError: ValidationException, for what cannot be.
    """
    if not 1 <= seed.nodes <= MAX_NODES:
        raise AwsError("ValidationException", f"1 to {MAX_NODES} nodes can be entered at once.")
    if seed.kind not in contract.KINDS or seed.age < 0:
        raise AwsError("ValidationException", f"A kind is one of {', '.join(contract.KINDS)}, an age not negative.")
    now = store.clock()
    since = now - seed.age
    for number in range(1, seed.nodes + 1):
        name = f"{seed.name}-{number:05}"
        tags = {
            contract.TAG_OWNER: seed.owner,
            contract.TAG_CREATOR: "AROASEED:SageMaker",
            contract.TAG_TIMESTAMP: str(int(since)),
            contract.TAG_RESOURCE_NAME: name,
            contract.TAG_RESOURCE_KIND: seed.kind,
            contract.TAG_NODE: "algo-1",
            contract.TAG_VERSION: "0",
        }
        activation = Activation(
            activation_id="seed",
            code="",
            region=seed.region,
            iam_role=ROLE,
            created=since,
            expires=since,
            # boot names a node after its resource.
            default_instance_name=name,
            tags={key: value for key, value in tags.items() if value} if seed.tagged else {},
        )
        node = store.nodes.register(activation, public_key="", fingerprint="", now=since)
        node.ping(now if seed.online else since)
        node.info |= {"AgentVersion": _VERSION, "PlatformType": "Linux", "IPAddress": "127.0.0.1"}
