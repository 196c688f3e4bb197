"""The node's side of the way through a bucket: a loop of its shell that fetches and sends what addresses say.

The node needs no credentials and no AWS CLI: our layer's Python, another Python, curl or wget does it. An address is a
secret, so it comes by standard input and goes on by a pipe: it is in no process's arguments, no file and no log.
"""

from __future__ import annotations

import asyncio
import itertools
import shlex

from sm_ssh_entry.connect.copy.checksum import escaped
from sm_ssh_entry.connect.copy.dial import Child, Route
from sm_ssh_entry.connect.copy.shown import shown
from sm_ssh_entry.errors import SmSshError, ToolMissing

# what path first count, the address on standard input -> one line: the ETag, or nothing and a status.
_PYTHON = """
import shutil, sys, urllib.error, urllib.request
what, path, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
address = sys.stdin.readline().strip()
class Part:
    def __init__(self, file, left):
        self.file, self.left = file, left
    def read(self, most=-1):
        data = self.file.read(self.left if most < 0 else min(most, self.left))
        self.left -= len(data)
        return data
try:
    if what == "get":
        with urllib.request.urlopen(address, timeout=60) as answer, open(path, "wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
        print("ok -")
    else:
        with open(path, "rb") as file:
            file.seek(first)
            headers = {"Content-Length": str(count), "Content-Type": "application/octet-stream"}
            request = urllib.request.Request(address, data=Part(file, count), headers=headers, method="PUT")
            with urllib.request.urlopen(request, timeout=60) as answer:
                print("ok", answer.headers.get("ETag", "-"))
except urllib.error.HTTPError as error:
    print("failed", "the bucket answers", error.code)
except Exception as error:
    print("failed", type(error).__name__, getattr(error, "strerror", None) or getattr(error, "reason", ""))
"""
_SCRIPT = """
umask 077
ours="${SM_SSH_ROOT:-}/opt/sm-ssh/bin/python"
py=
for one in "${SM_SSH_PYTHON:-}" "$ours" python3 python; do
[ -n "$one" ] && "$one" -I -c 'import urllib.request, ssl' >/dev/null 2>&1 && py=$one && break
done
if [ -n "$py" ]; then way=python
move() { "$py" -I -c "$code" "$@"; }
elif command -v curl >/dev/null 2>&1; then way=curl
move() { IFS= read -r address
if [ "$1" = get ]; then set -- -o "$2"; else set -- -T "$2"; fi
{ printf 'url = "%s"\\n' "$address" | curl -sS -f --retry 3 -K - "$@" >/dev/null; } 2>/dev/null \\
&& echo 'ok -' || echo 'failed curl'; }
elif command -v wget >/dev/null 2>&1; then way=wget
move() { IFS= read -r address
[ "$1" = get ] || { echo 'failed wget cannot send'; return; }
{ printf '%s\\n' "$address" | wget -q -i - -O "$2"; } 2>/dev/null && echo 'ok -' || echo 'failed wget'; }
else echo none; exit 0
fi
echo "ready $way"
while read -r number what first count line && IFS= read -r address; do
path=$(printf '%b_' "$line"); path=${path%_}
{ said=$(printf '%s\\n' "$address" | move "$what" "$path" "$first" "$count" 2>/dev/null | tail -n 1)
echo "$number ${said:-failed}"; } &
done
wait
"""
_AT_ONCE = 4


class BucketNode:
    """The loop on the node.

    Args:
        route: the way to it.
    """

    def __init__(self, route: Route) -> None:
        #: Whether parts of a file can be sent: only Python can.
        self.knows_parts = False
        self._route = route
        self._child: Child | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self._numbers = itertools.count(1)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def begin(self) -> None:
        """Start it.

        Raises:
            ToolMissing: the node has none of the programs.
            SmSshError: the node cannot be reached.
        """
        self._child = child = await self._route.shell(
            f"exec env code={shlex.quote(_PYTHON)} sh -c {shlex.quote(_SCRIPT)}"
        )
        said = (await child.incoming.readline()).split()
        if said[:1] == [b"none"]:
            raise ToolMissing("the node has neither Python nor curl nor wget", hint="copy without --via s3")
        if said[:1] != [b"ready"]:
            raise await child.failure()
        self.knows_parts = said[1:] == [b"python"]
        self._reading = asyncio.create_task(self._read(child))

    async def move(self, what: str, path: str, first: int, count: int, address: str) -> str:
        """Fetch a file to the node, or send a part of one; return the ETag of what was sent.

        Args:
            what: ``get`` or ``put``.
            path: on the node.
            first: first byte to send.
            count: bytes to send.
            address: presigned.

        Raises:
            SmSshError: why not, without the address.
        """
        child = self._child
        assert child is not None  # noqa: S101 - begun before
        async with self._room:
            number = next(self._numbers)
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._waiting[number] = future
            line = f"{number} {what} {first} {count} ".encode() + escaped(path)
            child.outgoing.write(line + address.encode() + b"\n")
            try:
                await child.outgoing.drain()
                answer = await future
            except OSError:
                raise await child.failure() from None
        state, _, rest = answer.partition(" ")
        if state != "ok":
            verb = "fetch from" if what == "get" else "send to"
            raise SmSshError(f"the node could not {verb} the bucket: {shown(rest) or 'no reason given'}")
        return rest

    async def end(self) -> None:
        """End it."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._child is not None:
            await self._child.end()

    async def _read(self, child: Child) -> None:
        while line := await child.incoming.readline():
            number, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            future = self._waiting.pop(int(number), None) if number.isdigit() else None
            if future is not None and not future.done():
                future.set_result(rest)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the session has ended"))
