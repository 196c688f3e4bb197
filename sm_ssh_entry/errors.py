"""One tree of errors. Each leaf has one exit code, which the README lists and which never changes meaning.

    SmSshError                      1   anything expected that has no code of its own
    ├── BadInput                    2   an argument, name or value that cannot be right
    ├── NotFound                   10   no such job, endpoint, app or managed node
    ├── NotRegistered              11   it exists, but no managed node has registered for it (yet)
    ├── ConnectionLost             12   the node was there and its agent is gone
    ├── Ambiguous                  13   one name, several nodes
    ├── CredentialsMissing         14   no credentials, or the profile has none
    ├── CredentialsExpired         15   credentials that have run out
    ├── AccessDenied               16   the identity may not do this
    ├── WrongRegion                17   no region, an unknown one, or the job lives in another one
    ├── AdvancedTierOff            18   Session Manager to hybrid nodes needs the advanced-instances tier
    ├── Throttled                  19   the service asked us to slow down, and kept asking
    ├── Unreachable                20   the endpoint does not answer
    ├── SessionFailed              21   the session could not be opened, or broke
    ├── KeyRefused                 22   no usable key, or the node did not take it
    ├── ToolMissing                23   a program that this machine needs is not there
    ├── PlaneDown                  24   the local control plane does not run
    ├── SetupFailed                25   the container could not be made reachable
    ├── TimedOut                   26   a deadline passed
    ├── ServiceError               27   AWS answered with an error that has no better name
    ├── BuildFailed                28   an image could not be built
    ├── ArtifactRefused            29   a checksum or signature of a file does not match
    └── NoSpace                    30   a disk is full

An interrupt (Ctrl-C) ends with 130. ``sm-ssh run`` ends with the remote status instead; where ``ssh`` runs us as its
ProxyCommand the user sees ``ssh``'s own 255 after our line.
"""

from __future__ import annotations


class SmSshError(Exception):
    """An expected failure: one line that says what is wrong, a hint that says what to do.

    Args:
        message: one line, no full stop needed, no secret in it.
        hint: what the reader can do next; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInput(SmSshError):
    """An argument, name or value that cannot be right."""

    exit_code = 2


class NotFound(SmSshError):
    """No such job, endpoint, app or managed node."""

    exit_code = 10


class NotRegistered(SmSshError):
    """The job exists, but no managed node has registered for it (yet)."""

    exit_code = 11


class ConnectionLost(SmSshError):
    """The node was there and its agent is gone."""

    exit_code = 12


class Ambiguous(SmSshError):
    """One name, several nodes."""

    exit_code = 13


class CredentialsMissing(SmSshError):
    """No credentials, or the profile has none."""

    exit_code = 14


class CredentialsExpired(SmSshError):
    """Credentials that have run out."""

    exit_code = 15


class AccessDenied(SmSshError):
    """The identity may not do this."""

    exit_code = 16


class WrongRegion(SmSshError):
    """No region, an unknown one, or the job lives in another one."""

    exit_code = 17


class AdvancedTierOff(SmSshError):
    """Session Manager to hybrid nodes needs the advanced-instances tier."""

    exit_code = 18


class Throttled(SmSshError):
    """The service asked us to slow down, and kept asking."""

    exit_code = 19


class Unreachable(SmSshError):
    """The endpoint does not answer."""

    exit_code = 20


class SessionFailed(SmSshError):
    """The session could not be opened, or broke."""

    exit_code = 21


class KeyRefused(SmSshError):
    """No usable key, or the node did not take it."""

    exit_code = 22


class ToolMissing(SmSshError):
    """A program that this machine needs is not there."""

    exit_code = 23


class PlaneDown(SmSshError):
    """The local control plane does not run."""

    exit_code = 24


class SetupFailed(SmSshError):
    """The container could not be made reachable."""

    exit_code = 25


class TimedOut(SmSshError):
    """A deadline passed."""

    exit_code = 26


class ServiceError(SmSshError):
    """AWS answered with an error that has no better name.

    Args:
        message: one line.
        code: AWS's own error code, ``InvalidTarget`` for one.
        hint: what the reader can do next.
    """

    exit_code = 27

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class BuildFailed(SmSshError):
    """An image could not be built."""

    exit_code = 28


class ArtifactRefused(SmSshError):
    """A checksum or signature of a file does not match."""

    exit_code = 29


class NoSpace(SmSshError):
    """A disk is full."""

    exit_code = 30


INTERRUPTED = 130
