"""A bucket on the way: objects under a random key, presigned addresses for the node, and nothing left behind."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.errors import AccessDenied, NotFound, ServiceError, SmSshError

# S3: a single PUT takes up to 5 GB, an upload up to 10,000 parts. Parts also mean that little is lost with one of them.
_PARTS_FROM_BYTES = 32 << 20
_PART_BYTES = 16 << 20
_MOST_PARTS = 9_000
# An address is used within seconds of being made, but a PUT or GET that it began may take long.
_ADDRESS_SECONDS = 3600
_SECONDS = 60.0


class Bucket:
    """One bucket, and what we have put there.

    Args:
        access: account and region.
        name: of the bucket; ``""``: SageMaker's own of this region and account.
        prefix: what our keys begin with.

    Raises:
        NotFound: there is no such bucket.
        AccessDenied: it is not ours to use.
    """

    def __init__(self, access: Access, name: str, prefix: str) -> None:
        self._access = access
        self.name = name or f"sagemaker-{access.effective_region}-{_account(access)}"
        self._prefix = "/".join(part for part in (prefix.strip("/"), secrets.token_hex(16)) if part)
        self._client = self._make_client(access.region)
        self._keys: set[str] = set()
        self._uploads: dict[str, str] = {}
        self._check(named=bool(name))

    def key(self) -> str:
        """Return a new key, to be removed at the end."""
        key = f"{self._prefix}/{secrets.token_hex(8)}"
        self._keys.add(key)
        return key

    def move(self, way: str, path: str, key: str, moved: Callable[[int], None], stop: threading.Event) -> None:
        """Move a file between this machine and the bucket; as in ``aws.transfer``."""
        aws.transfer(self._client, way, path=path, bucket=self.name, key=key, moved=moved, stop=stop)

    def address(self, key: str) -> str:
        """Return an address from which whoever has it may read an object. It is a secret."""
        return self._sign("get_object", Key=key)

    def addresses(self, key: str, size: int, *, whole: bool) -> list[tuple[int, int, str]]:
        """Return first byte, length and address of each part in which a file is to be sent. They are secrets.

        Args:
            key: of the object to be.
            size: of the file.
            whole: send it in one piece in any case.
        """
        if whole or size < _PARTS_FROM_BYTES:
            return [(0, size, self._sign("put_object", Key=key))]
        with aws.errors_of(action="s3:PutObject"):
            upload = str(self._client.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"])
        self._uploads[key] = upload
        length = max(_PART_BYTES, -(-size // _MOST_PARTS))
        return [
            (first, min(length, size - first), self._sign("upload_part", Key=key, UploadId=upload, PartNumber=number))
            for number, first in enumerate(range(0, size, length), start=1)
        ]

    def join(self, key: str, tags: list[str]) -> None:
        """Make an object of its parts.

        Args:
            key: of the object.
            tags: what the service said of each part.
        """
        upload = self._uploads.get(key)
        if upload is None:
            return
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, start=1)]
        with aws.errors_of(action="s3:PutObject"):
            self._client.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        del self._uploads[key]

    def remove(self, key: str) -> None:
        """Remove an object, or the parts of one that never came to be.

        Raises:
            SmSshError: whatever AWS answers.
        """
        with aws.errors_of(action="s3:DeleteObject"):
            upload = self._uploads.pop(key, None)
            if upload is not None:
                self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)
            self._client.delete_object(Bucket=self.name, Key=key)
        self._keys.discard(key)

    def clear(self) -> list[str]:
        """Remove all that is left; return the keys of what could not be."""
        for key in list(self._keys):
            with contextlib.suppress(SmSshError):
                self.remove(key)
        return sorted(self._keys)

    def _check(self, *, named: bool) -> None:
        try:
            with aws.errors_of(action="s3:ListBucket"):
                answer = self._client.head_bucket(Bucket=self.name)
        except ServiceError as error:
            if error.code in ("404", "NoSuchBucket"):
                raise NotFound(
                    f"there is no bucket {self.name}",
                    hint="check its name" if named else "name one that you and the node may use: --bucket NAME",
                ) from error
            if error.code == "403":
                raise AccessDenied(
                    f"your identity may not use the bucket {self.name}", hint="or --bucket NAME"
                ) from error
            raise
        region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if region and region != self._client.meta.region_name:
            self._client = self._make_client(region)

    def _make_client(self, region: str | None) -> Any:
        # A bucket with a key of KMS takes no other signature.
        return aws.client("s3", region=region, profile=self._access.profile, timeout=_SECONDS, signature_version="s3v4")

    def _sign(self, operation: str, **given: Any) -> str:
        with aws.errors_of(action="s3:GetObject"):
            return str(
                self._client.generate_presigned_url(
                    operation, Params={"Bucket": self.name, **given}, ExpiresIn=_ADDRESS_SECONDS
                )
            )


def _account(access: Access) -> str:
    with aws.errors_of(action="sts:GetCallerIdentity"):
        return str(access.client("sts").get_caller_identity()["Account"])
