"""The HTTP front: who calls what, may they, and whose it is to answer: ours by table, moto's all the rest."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from aiohttp import web

from sm_ssh_entry.plane import answers, signature, simulate_policy, validation
from sm_ssh_entry.plane.api import ANONYMOUS, AwsError, Caller, Handler, NotOurs, Request
from sm_ssh_entry.plane.credentials import Credential
from sm_ssh_entry.plane.moto_backend import MotoBackend
from sm_ssh_entry.plane.store import Store, partition_of

LOG = logging.getLogger("sm_ssh.plane")
# First half of X-Amz-Target -> the service that signs it.
PREFIXES = {
    "AmazonSSM": "ssm",
    "EC2WindowsMessageDeliveryService": "ec2messages",
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
}
# Signed by nobody: the activation's code stands for a signature. Protocol page, section 2.2.
UNSIGNED = frozenset({"RegisterManagedInstance"})
# Signed with the node's own key. Protocol page, section 3.
NODE_SIGNED = frozenset({"RequestManagedInstanceRoleToken", "UpdateManagedInstancePublicKey"})
_STS_UNSIGNED = frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
_READ_FORM_BYTES = 1 << 20
# Larger than any JSON call; objects for S3 stream through and do not count.
MAX_BODY = 64 << 20
_TOO_LARGE = AwsError("RequestEntityTooLarge", "The request is too large.", 413)


class Front:
    """Serves ``POST /`` by X-Amz-Target and hands everything else to moto.

    Args:
        store: the state.
        operations: handler by target, ``AmazonSSM.StartSession`` for one.
        moto: the rest of AWS.
    """

    def __init__(self, store: Store, operations: dict[str, Handler], moto: MotoBackend) -> None:
        self._store = store
        self._operations = operations
        self._moto = moto

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Answer one request; whatever goes wrong becomes an answer in the caller's dialect."""
        target = http.headers.get("X-Amz-Target", "")
        prefix, _, operation = target.partition(".")
        if target in self._operations or validation.has_model(prefix):
            return await guarded(http, lambda: self._serve(http, prefix, operation), "json", operation)
        how = answers.dialect(http.headers, service_of(http))
        return await guarded(http, lambda: self._pass_on(http, operation), how, operation or http.method)

    async def caller(self, http: web.Request, body: bytes | None) -> tuple[Credential, signature.Signed]:
        """Return who signed a request in the ordinary way.

        Raises:
            AwsError: MissingAuthenticationTokenException, or what ``signature.authenticate`` raises.
        """
        message = message_of(http, body)
        signed = signature.parse(message)
        if signed is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
        known = await self._known(signed.access_key)
        return signature.authenticate(self._store, message, signed, foreign=known), signed

    async def _known(self, access_key: str) -> Credential | None:
        return self._store.credentials.get(access_key) or await self._moto.find_key(access_key)

    async def _serve(self, http: web.Request, prefix: str, operation: str) -> web.StreamResponse:
        handler = self._operations.get(f"{prefix}.{operation}")
        if http.method != "POST" or not (handler or validation.is_operation(prefix, operation)):
            raise AwsError("UnknownOperationException", "")
        body = await _read(http)
        caller, region = await self._admit(http, body, prefix, operation)
        await self._store.faults.strike(operation)
        params = validation.parse(body)
        if handler is not None:
            validation.check(prefix, operation, params)
            request = Request(
                operation=operation,
                params={name: value for name, value in params.items() if value is not None},
                region=region,
                access_key=caller.access_key,
                scheme=http.scheme,
                host=http.host,
                headers=http.headers,
                body=body,
                caller=caller,
            )
            try:
                return answers.ok(await handler(self._store, request))
            except NotOurs:
                LOG.debug("%s is moto's here", operation)
        if validation.has_model(prefix) and not (prefix == "AmazonSSM" and await self._moto.serves(operation)):
            raise AwsError("UnknownOperationException", "")
        return await self._moto.relay(http, body)

    async def _admit(self, http: web.Request, body: bytes, prefix: str, operation: str) -> tuple[Caller, str]:
        if operation in UNSIGNED:
            # The region is the activation's: an anonymous call has no scope that could name one.
            return ANONYMOUS, ""
        message = message_of(http, body)
        signed = signature.parse(message)
        if signed is not None and signed.service != PREFIXES[prefix]:
            raise AwsError(
                "InvalidSignatureException", f"Credential should be scoped to correct service: '{PREFIXES[prefix]}'."
            )
        if operation in NODE_SIGNED and signed is not None:
            return signature.authenticate_node(self._store, message, signed)[1], signed.region
        credential, signed = await self.caller(http, body)
        require_allowed(self._store, credential, signed, f"{PREFIXES[prefix]}:{operation}")
        return credential.caller, signed.region

    async def _pass_on(self, http: web.Request, operation: str) -> web.StreamResponse:
        body = None if _streams(http) else await _read(http)
        action = operation or _form_action(http, body)
        if signature.parse(message_of(http, body)) is None:
            if action not in _STS_UNSIGNED and not await self._is_old_presigned(http):
                raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
        else:
            credential, signed = await self.caller(http, body)
            require_allowed(self._store, credential, signed, f"{signed.service}:{action or http.method}")
            await self._store.faults.strike(action or http.method)
            if action == "GetCallerIdentity" and self._store.credentials.get(credential.access_key) is not None:
                # moto does not know our keys; and a container asks this at its start, which need not wait for moto.
                return answers.caller_identity(credential.caller)
            if action == simulate_policy.OPERATION and body is not None:
                return await simulate_policy.answer(self._store, body)
            handler = self._operations.get(http.headers.get("X-Amz-Target", ""))
            if handler is not None and body is not None:
                request = Request(operation, validation.parse(body), signed.region, caller=credential.caller)
                try:
                    return answers.ok(await handler(self._store, request))
                except NotOurs:
                    LOG.debug("%s is moto's here", operation)
        return await self._moto.relay(http, body)

    async def _is_old_presigned(self, http: web.Request) -> bool:
        """Say whether this is a presigned S3 URL of Signature Version 2, which SDKs still make for some Regions.

        moto does not check its signature and neither do we, but the key must be one we know and the time not over.
        """
        access_key, expires = http.query.get("AWSAccessKeyId", ""), http.query.get("Expires", "")
        known = await self._known(access_key)
        if known is None or not http.query.get("Signature") or not (expires.isdecimal() and len(expires) < 20):
            return False
        token = http.query.get("x-amz-security-token", "")
        return signature.same(known.token, token) and int(expires) > self._store.clock()


async def guarded(
    http: web.Request, serve: Callable[[], Awaitable[web.StreamResponse]], how: str, what: str
) -> web.StreamResponse:
    """Await an answer and turn every exception into one: AWS's errors as they are, all else as InternalServerError.

    Args:
        http: the request.
        serve: makes the answer.
        how: the caller's dialect.
        what: name of the operation, for the log.
    """
    try:
        return await serve()
    except AwsError as error:
        return answers.failure(error, how)
    except web.HTTPRequestEntityTooLarge:
        return answers.failure(_TOO_LARGE, how)
    except ConnectionError:
        # The caller went away in the middle; there is nobody to answer.
        return web.Response(status=499)
    except Exception as error:
        # The plane lives on, whatever a handler did.
        LOG.error("%s failed: %s: %s", what, type(error).__name__, error)  # noqa: TRY400 - one line; the trace is debug
        LOG.debug("%s %s", http.method, http.path, exc_info=True)
        return answers.failure(AwsError("InternalServerError", "An error occurred on the server side.", 500), how)


def message_of(http: web.Request, body: bytes | None) -> signature.Message:
    """Return the parts of a request that its signature covers."""
    return signature.Message(http.method, http.raw_path, http.headers, body)


def service_of(http: web.Request) -> str:
    """Return the service that a request says it was signed for; ``""``: none."""
    try:
        signed = signature.parse(message_of(http, b""))
    except AwsError:
        return ""
    return signed.service if signed else ""


def require_allowed(store: Store, credential: Credential, signed: signature.Signed, action: str) -> None:
    """Refuse what a restricted key may not do.

    Raises:
        AwsError: AccessDeniedException.
    """
    if not credential.denies(action):
        return
    resource = f"arn:{partition_of(signed.region)}:{signed.service}:{signed.region}:{store.account}:*"
    raise AwsError(
        "AccessDeniedException",
        f"User: {credential.caller.arn} is not authorized to perform: {action} on resource: {resource} because no "
        f"identity-based policy allows the {action} action",
    )


async def _read(http: web.Request) -> bytes:
    if (http.content_length or 0) > MAX_BODY:
        # Now, not after the last byte that fits.
        raise _TOO_LARGE
    return await http.read()


def _streams(http: web.Request) -> bool:
    """Say whether the body need not be read to check the signature: S3 states its hash, and bodies may be large."""
    return "X-Amz-Content-SHA256" in http.headers and service_of(http) == "s3"


def _form_action(http: web.Request, body: bytes | None) -> str:
    """Return the Action of a query-protocol call."""
    form = http.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    if not form or not body or len(body) > _READ_FORM_BYTES:
        return http.query.get("Action", "")
    try:
        return parse_qs(body.decode()).get("Action", [""])[0]
    except ValueError:
        return ""
