"""The one maker of AWS clients, and the one place that turns AWS's errors into ours.

Clients come from botocore's session, the core that boto3 wraps: same credentials, profiles and endpoints, and about
0.1 s less to start, which is a sixth of what a whole login may take. Nothing is imported before the first client.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Event
from typing import Any

from sm_ssh_entry import errors

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID_CREDENTIALS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_EXPIRED_HINT = "renew them (aws sso login, or new keys from your administrator) and try again"


@lru_cache(maxsize=8)
def _session(profile: str | None) -> Any:
    import botocore.session

    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


def forget() -> None:
    """Let the next client read configuration and credentials anew: the user may have renewed them meanwhile."""
    _session.cache_clear()


def _loader(data_path: str | None) -> Any:
    """Return a loader of service models that does not search all of botocore's 400 folders before it opens one.

    That search only serves the message for a service that does not exist, and costs 20 ms of every login.

    Args:
        data_path: AWS_DATA_PATH or the profile's: where users keep models of their own.
    """
    from botocore.loaders import Loader

    class Every(list):  # type: ignore[type-arg]  # list[str] is none on Python 3.8, which a user's script may run on
        def __contains__(self, service: object) -> bool:
            return True

    class Direct(Loader):  # type: ignore[misc]  # botocore has no types
        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
            return Every()

    extra = [os.path.expanduser(path) for path in (data_path or "").split(os.pathsep) if path]  # noqa: PTH111
    return Direct(extra_search_paths=extra)


def region_of(profile: str | None = None) -> str | None:
    """Return the region that the environment or the profile names, None where neither does. An empty name is none."""
    if named := os.environ.get("AWS_REGION"):
        return named
    with errors_of():
        session = _session(profile)
        return session.get_config_variable("region") or session.get_scoped_config().get("region") or None


def client(
    service: str,
    *,
    region: str | None = None,
    profile: str | None = None,
    timeout: float = 20.0,
    attempts: int = 3,
    **options: Any,
) -> Any:
    """Make a client for one AWS service.

    Args:
        service: botocore's name of it, ``ssm`` for one.
        region: region; None: from the environment or the profile.
        profile: profile; None: the environment's.
        timeout: seconds for one answer.
        attempts: tries in all, the first included, with botocore's standard back-off between them.
        options: more of botocore's configuration.

    Raises:
        CredentialsMissing: the profile does not exist.
        WrongRegion: no region is set, or it is not one.
    """
    with errors_of(region=region):
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        region = region or region_of(profile)
        if not region:
            # With an address of its own for the service, botocore would go there without one.
            raise NoRegionError
        config = Config(
            connect_timeout=min(timeout, 5.0),
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            **options,
        )
        return _session(profile).create_client(service, region_name=region, config=config)


def regions(service: str, *, profile: str | None = None, like: str = "us-east-1") -> list[str]:
    """List the regions of a service in the partition of a region, without asking the network."""
    session = _session(profile)
    partition = session.get_partition_for_region(like)
    return list(session.get_available_regions(service, partition_name=partition))


def ca_bundle(profile: str | None = None) -> str:
    """Return the file of certificate authorities that AWS clients trust: AWS_CA_BUNDLE, the profile's, or botocore's.

    Args:
        profile: profile; None: the environment's.
    """
    from botocore.httpsession import get_cert_path

    return str(_session(profile).get_config_variable("ca_bundle") or get_cert_path(True))


def transfer(s3: Any, way: str, *, path: str, bucket: str, key: str, moved: Callable[[int], None], stop: Event) -> None:
    """Move a file to or from a bucket, in parts at once, as boto3 does it.

    Args:
        s3: client.
        way: ``upload`` or ``download``.
        path: the file.
        bucket: the bucket.
        key: of the object.
        moved: called with bytes as they go, from other threads.
        stop: ends it early, with whatever it was about to raise.

    Raises:
        OSError: the file cannot be read or written.
    """
    from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager

    action = f"s3:{'PutObject' if way == 'upload' else 'GetObject'}"
    classic = TransferConfig(preferred_transfer_client="classic")
    with errors_of(action=action), create_transfer_manager(s3, classic) as manager:
        told = [ProgressCallbackInvoker(moved)]
        future = (
            manager.upload(path, bucket, key, subscribers=told)
            if way == "upload"
            else manager.download(bucket, key, path, subscribers=told)
        )
        while not future.done():
            if stop.wait(0.05):
                future.cancel()
                break
        future.result()


def code_of(error: BaseException) -> str:
    """Return AWS's error code of an exception, ``""`` where it has none."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


@contextlib.contextmanager
def errors_of(*, action: str = "", region: str | None = None) -> Iterator[None]:
    """Turn what botocore raises inside the block into the error tree.

    Args:
        action: what was being done, for the message: ``ssm:StartSession`` for one.
        region: region, for the message.
    """
    try:
        yield
    except errors.SmSshError:
        raise
    except Exception as error:
        explained = explain(error, action=action, region=region)
        if explained is None:
            raise
        raise explained from error


def explain(error: Exception, *, action: str = "", region: str | None = None) -> errors.SmSshError | None:
    """Say in our words what a botocore exception means; None where it is not botocore's.

    Args:
        error: what was raised.
        action: what was being done.
        region: region, for the message.
    """
    import botocore.exceptions as raised

    if isinstance(error, raised.ClientError):
        return _explain_code(error, action)
    what = f"{action}: " if action else ""
    where = f" in {region}" if region else ""
    table: tuple[tuple[tuple[type[Exception], ...], errors.SmSshError], ...] = (
        (
            (raised.NoCredentialsError, raised.PartialCredentialsError, raised.CredentialRetrievalError),
            errors.CredentialsMissing(
                f"{what}no usable AWS credentials", hint="set AWS_PROFILE or --profile, or run aws configure"
            ),
        ),
        (
            (raised.ProfileNotFound,),
            errors.CredentialsMissing(str(error), hint="aws configure list-profiles shows them"),
        ),
        (
            (raised.UnauthorizedSSOTokenError, raised.SSOError, raised.TokenRetrievalError),
            errors.CredentialsExpired(f"{what}the SSO session has ended or is missing", hint="run aws sso login"),
        ),
        (
            (raised.NoRegionError, raised.InvalidRegionError, raised.UnknownRegionError),
            errors.WrongRegion(
                f"{region!r} is not a region" if region else "no AWS region is set",
                hint="give --region, or set AWS_REGION or a region in the profile",
            ),
        ),
        (
            (raised.HTTPClientError, raised.ConnectionError),
            errors.Unreachable(
                f"{what}the AWS endpoint{where} does not answer ({_first_line(error)})",
                hint="check the network, the proxy and the region's name; in a VPC, the interface endpoints",
            ),
        ),
        (
            (raised.ParamValidationError,),
            errors.BadInput(_first_line(error).replace("Parameter validation failed:", what)),
        ),
        ((raised.BotoCoreError,), errors.ServiceError(f"{what}{_first_line(error)}")),
    )
    return next((ours for theirs, ours in table if isinstance(error, theirs)), None)


def _explain_code(error: Any, action: str) -> errors.SmSshError:
    code = code_of(error)
    action = action or str(getattr(error, "operation_name", ""))
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    if code in _EXPIRED:
        return errors.CredentialsExpired("the AWS credentials have expired", hint=_EXPIRED_HINT)
    if code in _INVALID_CREDENTIALS:
        return errors.CredentialsMissing(
            f"AWS does not accept these credentials ({code})", hint="check AWS_PROFILE, the keys and the clock"
        )
    if code in _DENIED:
        return errors.AccessDenied(
            f"{action}: access denied{': ' + message if message else ''}",
            hint="your identity's policy must allow this action on this resource",
        )
    if code in _THROTTLED:
        return errors.Throttled(f"{action}: AWS is throttling these calls", hint="wait a minute and try again")
    return errors.ServiceError(f"{action}: {code}{': ' + message if message else ''}", code=code)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
