"""GetDocument and DescribeDocument for the documents that AWS owns; documents of the user's own are moto's."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sm_ssh_entry.plane.api import Handler, NotOurs, Request
from sm_ssh_entry.plane.documents import DOCUMENTS, Document, check_version, short_name
from sm_ssh_entry.plane.store import Store


async def get_document(store: Store, request: Request) -> dict[str, Any]:
    """GetDocument: the content, as JSON whatever format was asked for.

    Raises:
        AwsError: InvalidDocumentVersion.
    """
    document = _ours(request)
    return {
        "Name": document.name,
        "CreatedDate": store.started,
        "DocumentVersion": "1",
        "Status": "Active",
        "Content": _content(document),
        "DocumentType": document.kind,
        "DocumentFormat": "JSON",
    }


async def describe_document(store: Store, request: Request) -> dict[str, Any]:
    """DescribeDocument.

    Raises:
        AwsError: InvalidDocumentVersion.
    """
    document = _ours(request)
    parameters = [
        {
            "Name": name,
            "Type": definition["type"],
            "Description": definition["description"],
            **({"DefaultValue": definition["default"]} if "default" in definition else {}),
        }
        for name, definition in document.parameters.items()
    ]
    described = {
        "Hash": hashlib.sha256(_content(document).encode()).hexdigest(),
        "HashType": "Sha256",
        "Name": document.name,
        "Owner": "Amazon",
        "CreatedDate": store.started,
        "Status": "Active",
        "DocumentVersion": "1",
        "Description": document.content["description"],
        "Parameters": parameters,
        "PlatformTypes": ["Linux", "MacOS"] if document.kind == "Command" else ["Windows", "Linux", "MacOS"],
        "DocumentType": document.kind,
        "SchemaVersion": document.content["schemaVersion"],
        "LatestVersion": "1",
        "DefaultVersion": "1",
        "DocumentFormat": "JSON",
        "Tags": [],
    }
    return {"Document": described}


OPERATIONS: dict[str, Handler] = {"GetDocument": get_document, "DescribeDocument": describe_document}


def _ours(request: Request) -> Document:
    document = DOCUMENTS.get(short_name(request.params["Name"]))
    if document is None:
        raise NotOurs
    check_version(request.params.get("DocumentVersion"))
    return document


def _content(document: Document) -> str:
    return json.dumps(document.content, indent=2)
