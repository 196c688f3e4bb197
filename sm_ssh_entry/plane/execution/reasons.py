"""Why a job failed, in the words that the service has been seen to use; what only this machine knows stands behind."""

from __future__ import annotations

# The service keeps this much of the failure file (contract page, section 1.3).
FAILURE_CHARACTERS = 1024
OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance."
)
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
_NO_IMAGE = (
    "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect."
)


def internal(detail: str) -> str:
    """Return the reason for what is no fault of the job's.

    Args:
        detail: what went wrong here.
    """
    return f"{INTERNAL} (Local plane: {detail})"


def is_internal(reason: str) -> bool:
    """Whether the service would try such a job again, where its RetryStrategy says so.

    Args:
        reason: a failure reason.
    """
    return reason.startswith("InternalServerError")


def no_image(detail: str) -> str:
    """Return the reason for an image that is not there.

    Args:
        detail: which one.
    """
    return f"{_NO_IMAGE} (Local plane: {detail})"


def cannot_start(said: str) -> str:
    """Return the reason for a container whose program is not there.

    Args:
        said: the engine's words.
    """
    return f"ClientError: Artifact upload failed:API error (400): {said}"


def no_objects(uri: str, *, bucket: str, region: str, role: str) -> str:
    """Return the reason for a channel without data.

    Args:
        uri: where there is nothing.
        bucket: its bucket.
        region: the job's.
        role: the job's role.
    """
    return (
        f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({region}), that objects exist under that S3 "
        f'prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
    )


def algorithm(text: str, status: int) -> str:
    """Return the reason for a container that ended with a status other than 0.

    Args:
        text: what the failure file says.
        status: the exit status.
    """
    return f"AlgorithmError: {text[:FAILURE_CHARACTERS].strip()}, exit code: {status}"
