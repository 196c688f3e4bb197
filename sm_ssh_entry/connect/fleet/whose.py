"""Who the caller is, as the tag SSHOwner and policies have it."""

from __future__ import annotations

from sm_ssh_entry import aws
from sm_ssh_entry.connect.access import Access


def me(access: Access) -> str:
    """Return the caller's ``aws:userid``.

    Args:
        access: account and region.

    Raises:
        SmSshError: STS does not say.
    """
    with aws.errors_of(action="sts:GetCallerIdentity", region=access.effective_region):
        return str(access.client("sts", timeout=10.0).get_caller_identity()["UserId"])
