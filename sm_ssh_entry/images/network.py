"""How a URL is opened: proxies, certificates and mirrors. TLS is always checked.

Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). Certificates are the system's (SSL_CERT_FILE,
SSL_CERT_DIR), and beside them those of REQUESTS_CA_BUNDLE and AWS_CA_BUNDLE, which companies set for pip and AWS tools.
"""

from __future__ import annotations

import http.client
import os
import random
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from sm_ssh_entry import __version__
from sm_ssh_entry.errors import BadInput, NotFound, SmSshError, Unreachable

T = TypeVar("T")
_SCHEMES = {"http", "https", "file"}
_BUNDLES = ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
_SECONDS = 30.0
TRIES = 5
_FIRST_PAUSE = 0.5
# Answers after which the same question may well be answered: time-outs, too many requests, and what busy servers say.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Broken(Unreachable):
    """It broke off, or the server is busy: trying again may help."""


@dataclass(frozen=True)
class Mirrors:
    """Where to fetch what a public address names.

    Args:
        table: prefix of public addresses → prefix to use instead.
    """

    table: Mapping[str, str]

    @classmethod
    def parse(cls, words: Sequence[str]) -> Mirrors:
        """Read PREFIX=URL words.

        Args:
            words: as given.

        Raises:
            BadInput: one has another form.
        """
        table = {}
        for word in words:
            # A prefix has no "=" of its own; what is used instead may have one.
            prefix, _, instead = word.partition("=")
            if urlsplit(prefix).scheme not in _SCHEMES or urlsplit(instead).scheme not in _SCHEMES:
                raise BadInput(f"not a mirror: {word}", hint="--mirror https://pypi.org/=https://mirror.example/pypi/")
            table[prefix] = instead
        return cls(table)

    def towards(self, url: str) -> str:
        """Return the address to fetch from; the longest prefix counts.

        Args:
            url: the public address.
        """
        prefix = max((one for one in self.table if url.startswith(one)), key=len, default=None)
        return url if prefix is None else self.table[prefix] + url[len(prefix) :]

    def back(self, url: str) -> str:
        """Return the public address of one that a mirror gave.

        Args:
            url: an address below a mirror, or a public one.
        """
        prefix = max((one for one, to in self.table.items() if url.startswith(to)), key=len, default=None)
        return url if prefix is None else prefix + url[len(self.table[prefix]) :]


class Network:
    """Opens URLs.

    Args:
        mirrors: what is fetched from elsewhere.
        say: is told of another try.
        environment: variables.
    """

    def __init__(
        self, mirrors: Mirrors, *, say: Callable[[str], None], environment: Mapping[str, str] = os.environ
    ) -> None:
        self.mirrors = mirrors
        self._say = say
        self._bundles = [environment[name] for name in _BUNDLES if environment.get(name)]
        self._opener: urllib.request.OpenerDirector | None = None

    def open(self, url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Any:
        """Open a URL, or what a mirror has of it.

        Args:
            url: its public address.
            headers: to add.
            method: GET or HEAD.

        Returns:
            The response: ``read``, ``status`` (None for a file), ``headers``, ``close``.

        Raises:
            BadInput: its scheme is none that we speak.
            NotFound: the server has no such file, or does not give it to us.
            Broken: trying again may help.
            Unreachable: the server cannot be reached, or its certificate does not hold.
        """
        address = self.mirrors.towards(url)
        if urlsplit(address).scheme not in _SCHEMES:
            raise BadInput(f"not an address to fetch from: {address}", hint="http, https and file are")
        agent = {"User-Agent": f"sm-ssh/{__version__}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(address, headers={**agent, **(headers or {})}, method=method)  # noqa: S310 - checked above
        with failures(address):
            return self._get_opener().open(request, timeout=_SECONDS)

    def read(self, url: str, limit: int) -> bytes:
        """Return what lies at a URL; tries again where that may help.

        Args:
            url: its public address.
            limit: bytes; no more are taken.

        Raises:
            SmSshError: as open; or there is more.
        """
        return self.persistently(lambda: self._read(url, limit))

    def size(self, url: str, *, tries: int = TRIES) -> int:
        """Return how long the file at a URL is, without fetching it; -1: the server does not say.

        Args:
            url: its public address.
            tries: how often to ask.

        Raises:
            SmSshError: as open.
        """
        return self.persistently(lambda: self._size(url), tries=tries)

    def persistently(
        self, action: Callable[[], T], *, tries: int = TRIES, pause: Callable[[float], object] = time.sleep
    ) -> T:
        """Do something again while it is Broken, with longer and longer pauses.

        Args:
            action: what.
            tries: how often at most.
            pause: waits that many seconds.

        Raises:
            Broken: it was the last time, too.
        """
        for number in range(tries - 1):
            try:
                return action()
            except Broken as error:
                seconds = _FIRST_PAUSE * 2**number * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
                self._say(f"{error.message}; trying again in {seconds:.1f} s")
                pause(seconds)
        return action()

    def _read(self, url: str, limit: int) -> bytes:
        with self.open(url) as response, failures(url):
            content: bytes = response.read(limit + 1)
            expected = response.headers.get("Content-Length")
            if expected is not None and len(content) < min(int(expected), limit + 1):
                raise Broken(f"the connection broke off at {len(content)} of {expected} bytes: {url}")
        if len(content) > limit:
            raise Unreachable(f"more than {limit} bytes at {url}: that is not what we asked for")
        return content

    def _size(self, url: str) -> int:
        with self.open(url, method="HEAD") as response:
            return int(response.headers.get("Content-Length") or -1)

    def _get_opener(self) -> urllib.request.OpenerDirector:
        if self._opener is None:
            context = ssl.create_default_context()
            for bundle in self._bundles:
                try:
                    context.load_verify_locations(
                        **({"capath": bundle} if Path(bundle).is_dir() else {"cafile": bundle})
                    )
                except (OSError, ssl.SSLError) as error:
                    raise BadInput(f"cannot read the certificates of {bundle}: {error}") from error
            self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoDowngrade())
        return self._opener


class failures:  # noqa: N801 - a context manager that reads as a word
    """Turn what goes wrong on the way into its error.

    Args:
        url: what the message names.

    Raises:
        NotFound: the server has no such file.
        Broken: trying again may help.
        Unreachable: the server cannot be reached, or its certificate does not hold.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise its error instead."""
        if isinstance(error, (OSError, http.client.HTTPException)):
            raise _named(self.url, error) from error


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """What was asked for over TLS is never taken from where there is none."""

    def redirect_request(  # noqa: PLR0917 - the library's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise Unreachable(f"{req.full_url} leads to an address without TLS: {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _named(url: str, error: OSError | http.client.HTTPException) -> SmSshError:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code in _PASSING:
            return Broken(f"{url}: the server answered {error.code} {error.reason}")
        return NotFound(
            f"{url}: the server answered {error.code} {error.reason}",
            hint="is that version still published? sm-ssh image lock resolves anew; --mirror names another place",
        )
    cause = error.reason if isinstance(error, urllib.error.URLError) and error.reason else error
    if isinstance(cause, FileNotFoundError):
        return NotFound(f"there is no file at {url}")
    host = urlsplit(url).netloc or url
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"{host}: its certificate is not trusted: {cause.verify_message}",
            hint="set SSL_CERT_FILE or REQUESTS_CA_BUNDLE to your company's certificates",
        )
    why = getattr(cause, "strerror", None) or cause
    return Broken(f"{host} cannot be reached: {why}", hint="HTTPS_PROXY sets a proxy, --mirror names another place")
