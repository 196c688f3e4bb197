"""What is to be forwarded: ``[[BIND:]LOCAL:][HOST:]PORT``, taken apart.

    8888                        127.0.0.1:8888 here is port 8888 of the node
    9000:8888                   port 9000 here
    0:8888                      a free port here, which is printed
    db.internal:5432            port 5432 here is port 5432 of a host that the node reaches
    9000:db.internal:5432       the same at port 9000
    0.0.0.0:9000:8888           for every machine that reaches this one; * is the same with IPv6
    [::1]:9000:[fd00::5]:5432   IPv6 addresses stand in brackets

A word of digits is a port, any other a host. Three words are BIND:LOCAL:PORT if the first is no number, and
LOCAL:HOST:PORT if it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sm_ssh_entry.errors import BadInput

LOOPBACK = "127.0.0.1"
#: What the node calls itself.
NODE = "localhost"
EVERYWHERE = "*"
_FORM = "write [[BIND:]LOCAL:][HOST:]PORT, such as 8888, 9000:8888 or 9000:db.internal:5432; IPv6 in brackets"
_WORD = re.compile(r"\[([^\[\]]*)\]|([^:\[\]]*)")
# What a host name may consist of; the agent resolves it.
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?")


@dataclass(frozen=True)
class Spec:
    """One forwarded port.

    Attributes:
        bind: address to listen on; ``*``: every one.
        local: port to listen on; 0: a free one.
        host: whom the node connects to; ``localhost``: itself.
        port: where.
    """

    bind: str
    local: int
    host: str
    port: int

    @property
    def is_remote(self) -> bool:
        """Whether the node is only the way to another host."""
        return self.host != NODE

    @property
    def is_open(self) -> bool:
        """Whether other machines can connect."""
        if self.bind == EVERYWHERE:
            return True
        try:
            return not ipaddress.ip_address(self.bind).is_loopback
        except ValueError:
            return self.bind.lower() != NODE

    def there(self, name: str) -> str:
        """Return where the port leads, for people: ``NAME:8888``, or ``db.internal:5432 by NAME``."""
        return f"{address(self.host, self.port)} by {name}" if self.is_remote else f"{name}:{self.port}"


def parse(text: str) -> Spec:
    """Take one specification apart.

    Args:
        text: what the user typed.

    Raises:
        BadInput: it is not of the form above.
    """
    words = _split(text)
    if len(words) == 1:
        words = ["", "", "", *words]
    elif len(words) == 2:
        words = ["", words[0], "", words[1]] if words[0].isdigit() else ["", "", *words]
    elif len(words) == 3:
        words = ["", *words] if words[0].isdigit() else [words[0], words[1], "", words[2]]
    if len(words) != 4:
        raise _wrong(text, "it has too many parts")
    bind, local, host, port = words
    if not bind and host and _is_unspecified(host):
        hint = f"to listen on every address write {address(host, int(port) if port.isdigit() else 8888)}:PORT"
        raise BadInput(f"cannot forward {text!r}: {host} is no host to connect to", hint=hint)
    there = _port(text, port)
    return Spec(
        _bind(text, bind) if bind else LOOPBACK,
        _port(text, local, least=0) if local else there,
        _host(text, host) if host else NODE,
        there,
    )


def parse_all(texts: Sequence[str]) -> tuple[Spec, ...]:
    """Take several specifications apart.

    Raises:
        BadInput: one is not of the form above, or two want the same port here.
    """
    found: list[Spec] = []
    for text in texts:
        spec = parse(text)
        if spec.local and any((other.bind, other.local) == (spec.bind, spec.local) for other in found):
            where = address(spec.bind, spec.local)
            raise BadInput(f"{where} is wanted twice", hint=f"give one of them another port: 0:{spec.port} takes any")
        found.append(spec)
    return tuple(found)


def address(host: str, port: int) -> str:
    """Write host and port as one word, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(text: str) -> list[str]:
    words: list[str] = []
    at = 0
    while True:
        found = _WORD.match(text, at)
        assert found is not None  # noqa: S101 - the second half matches nothing, too
        words.append(found.group(2) if found.group(1) is None else found.group(1))
        if not words[-1]:
            raise _wrong(text, "a part of it is empty")
        if found.group(1) and ":" not in found.group(1):
            raise _wrong(text, "brackets are for IPv6 addresses")
        at = found.end()
        if at == len(text):
            return words
        if text[at] != ":":
            raise _wrong(text, "brackets enclose a whole address")
        at += 1


def _port(text: str, word: str, *, least: int = 1) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and least <= int(word) <= 65535):
        raise _wrong(text, f"{word!r} is not a port")
    return int(word)


def _host(text: str, word: str) -> str:
    if ":" not in word and not word.isdigit() and _HOST.fullmatch(word):
        return NODE if word.lower() == NODE else word
    try:
        return str(ipaddress.IPv6Address(word))
    except ValueError:
        raise _wrong(text, f"{word!r} is not a host") from None


def _bind(text: str, word: str) -> str:
    if word == EVERYWHERE or word.lower() == NODE:
        return word.lower()
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        raise _wrong(text, f"{word!r} is not an address to listen on") from None


def _is_unspecified(word: str) -> bool:
    try:
        return word == EVERYWHERE or ipaddress.ip_address(word).is_unspecified
    except ValueError:
        return False


def _wrong(text: str, why: str) -> BadInput:
    return BadInput(f"cannot forward {text!r}: {why}", hint=_FORM)
