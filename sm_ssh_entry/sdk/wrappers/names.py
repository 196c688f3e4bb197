"""Host names taken apart as scripts know it from ``sagemaker_ssh_helper.sm_ssh``."""

from __future__ import annotations

from typing import ClassVar

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput

#: Older word of a kind -> our word, which stands in names.
KINDS = {
    "ide": "studio",
    "training": "training",
    "processing": "processing",
    "transform": "transform",
    "inference": "inference",
    "notebook": "notebook",
}


class SageMakerSecureShellHelper:
    """Functions on names such as ``my-job.training.sagemaker`` and ``app.user.domain.studio.sagemaker``."""

    resources: ClassVar[list[str]] = list(KINDS)

    @staticmethod
    def fqdn_to_type(fqdn: str) -> str:
        """Return the kind that a name ends with, ``ide`` for Studio; ``all`` where it ends with none."""
        return next((old for old, new in KINDS.items() if f".{fqdn}".endswith(f".{new}{contract.NAME_SUFFIX}")), "all")

    @classmethod
    def type_to_fqdn(cls, resource_type: str) -> str:
        """Return the end of names of a kind: ``training.sagemaker``.

        Raises:
            BadInput: there is no such kind.
        """
        if resource_type not in KINDS:
            raise BadInput(f"{resource_type!r} is not a kind of resource", hint=f"kinds are {', '.join(KINDS)}")
        return KINDS[resource_type] + contract.NAME_SUFFIX

    @staticmethod
    def fqdn_to_name(fqdn: str) -> str:
        """Return the first word of a name that has one, ``""`` for a kind alone."""
        words = fqdn.split(".")
        return words[0] if len(words) > 2 else ""

    @staticmethod
    def fqdn_to_studio_domain_id(fqdn: str) -> str:
        """Return the domain of an app's whole name, or of ``user.domain.studio.sagemaker``; ``""``: none is named."""
        words = fqdn.split(".")
        return words[-3] if len(words) in {4, 5} else ""

    @staticmethod
    def fqdn_to_studio_user_name(fqdn: str) -> str:
        """Return the user profile or space of such a name; ``""``: none is named."""
        words = fqdn.split(".")
        return words[-4] if len(words) in {4, 5} else ""


def host(kind: str, *words: str) -> str:
    """Put a host name together.

    Args:
        kind: our word for the kind.
        words: those before it; empty ones are left out.
    """
    return ".".join([*(word for word in words if word), kind]) + contract.NAME_SUFFIX
