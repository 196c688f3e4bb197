"""Tags of managed nodes. An activation's tags are fixed when it is made: AWS has no call that edits them."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.plane.activations import MAX_TAGS, tag_list, tags_of
from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.store import Node, Store


async def add_tags(store: Store, request: Request) -> dict[str, Any]:
    """Add tags to a node, or give those it has another value.

    Raises:
        AwsError: InvalidResourceId, TooManyTagsError, ValidationException.
        NotOurs: the resource is none of ours.
    """
    node = _node(store, request)
    tags = dict(node.tags) | tags_of(request.params["Tags"])
    if len(tags) > MAX_TAGS:
        raise AwsError("TooManyTagsError", f"A resource has at most {MAX_TAGS} tags.")
    store.nodes.retag(node, tags)
    return {}


async def remove_tags(store: Store, request: Request) -> dict[str, Any]:
    """Take tags off a node; keys it does not have are ignored.

    Raises:
        AwsError: InvalidResourceId.
        NotOurs: the resource is none of ours.
    """
    node = _node(store, request)
    gone = set(request.params["TagKeys"])
    store.nodes.retag(node, {key: value for key, value in node.tags.items() if key not in gone})
    return {}


async def list_tags(store: Store, request: Request) -> dict[str, Any]:
    """List the tags of a node.

    Raises:
        AwsError: InvalidResourceId.
        NotOurs: the resource is none of ours.
    """
    return {"TagList": tag_list(_node(store, request).tags)}


def _node(store: Store, request: Request) -> Node:
    if request.params["ResourceType"] != "ManagedInstance":
        raise NotOurs
    node = store.nodes.get(request.params["ResourceId"], request.region)
    if node is None or node.target:
        raise AwsError("InvalidResourceId", "The resource ID is not valid. Verify that you entered the correct ID.")
    return node


OPERATIONS: dict[str, Handler] = {
    "AddTagsToResource": add_tags,
    "RemoveTagsFromResource": remove_tags,
    "ListTagsForResource": list_tags,
}
