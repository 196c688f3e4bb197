"""What a transform job does while its containers serve: objects shared out, split, sent, and put together again.

Each object's answers keep the order of its records. An object that fails has no output, and the others go on; the job
has failed then. What happened to which object is in the log stream ``data-log`` of its instance, as on the service.
"""

from __future__ import annotations

import gzip
import tempfile
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from sm_ssh_entry import aws
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane import kinds
from sm_ssh_entry.plane.execution import record_splitting, sources, storage
from sm_ssh_entry.plane.execution.invoking import Client, Interrupted, Refused, Unanswered
from sm_ssh_entry.plane.execution.record_joining import CannotJoin, Joining
from sm_ssh_entry.plane.execution.record_splitting import Malformed, TooLarge
from sm_ssh_entry.plane.execution.sources import Item
from sm_ssh_entry.plane.execution.work import Failed, Work
from sm_ssh_entry.plane.local_job import Place
from sm_ssh_entry.plane.log_shipping import Shipper

# Why the job's containers are stopped when all is done.
DONE = "done"
# The service has been seen to ask for half an hour.
_START_SECONDS = 1800.0
# The service's own limit of requests at a time times their size.
_MOST_MEGABYTES = 100
_MEGABYTE = 1024 * 1024
# How long containers have to end when all is done; half a minute it is for a job that is stopped.
_LAST_SECONDS = 5.0
_CLIENT_ERROR = "ClientError: See job logs for more information"
_ALGORITHM_ERROR = "AlgorithmError: See job logs for more information"


@dataclass(frozen=True)
class Settings:
    """What a request says of its data.

    Args:
        split: SplitType.
        gzip: whether objects are compressed.
        lines: whether each answer ends with the end of a line.
        target: S3OutputPath.
        headers: of each invocation.
        joining: what DataProcessing asks for.
        seconds: how long an invocation may take.
        retries: how often one is tried again.
        requested: MaxConcurrentTransforms, MaxPayloadInMB and BatchStrategy, as far as the request has them.
    """

    split: str
    gzip: bool
    lines: bool
    target: str
    headers: Mapping[str, str]
    joining: Joining
    seconds: float
    retries: int
    requested: Mapping[str, Any]


@dataclass(frozen=True)
class Agreed:
    """What request and container agree on.

    Args:
        requests: invocations at a time.
        payload: bytes of one; 0: any number.
        several: whether one takes as many records as fit.
    """

    requests: int
    payload: int
    several: bool


def agreed(requested: Mapping[str, Any], offered: Mapping[str, Any]) -> Agreed:
    """Return what holds: the request's word, else the container's, else the service's own.

    Args:
        requested: see ``Settings``.
        offered: what ``/execution-parameters`` answered.
    """
    numbers = {}
    for name, own in (("MaxConcurrentTransforms", 1), ("MaxPayloadInMB", 6)):
        said = requested.get(name, offered.get(name, own))
        if name == "MaxConcurrentTransforms" and said == 0:
            # To the request it means that the container may say.
            said = offered.get(name, own)
        numbers[name] = said if isinstance(said, int) and said >= 0 else own
    strategy = str(requested.get("BatchStrategy") or offered.get("BatchStrategy") or "MultiRecord")
    several = strategy.replace("_", "").lower() == "multirecord"
    requests = min(numbers["MaxConcurrentTransforms"] or 1, _MOST_MEGABYTES)
    return Agreed(requests, numbers["MaxPayloadInMB"] * _MEGABYTE, several)


# What is wrong with an object, and not with the model.
_BAD_DATA = (CannotJoin, Malformed, TooLarge, Failed, SmSshError, EOFError, zlib.error, gzip.BadGzipFile)


class Transforming:
    """The work on a job's data.

    Args:
        work: the order.
        place: where the job runs.
        settings: what its request says.
        found: the objects.
        shipper: takes what is logged.

    Attributes:
        problem: the first failure's reason; ``""``: none.
        finished: whether all objects have been dealt with.
    """

    def __init__(self, work: Work, place: Place, settings: Settings, found: Sequence[Item], shipper: Shipper) -> None:
        self.problem = ""
        self.finished = False
        self._work, self._place, self._settings, self._found, self._shipper = work, place, settings, found, shipper
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Transforming:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def begin(self, where: Mapping[str, str]) -> None:
        """Begin, in a thread; the job's containers are stopped when it is done.

        Args:
            where: where each instance serves, by node.
        """
        self._thread = threading.Thread(target=self._run, args=(dict(where),), name="transforming", daemon=True)
        self._thread.start()

    def _run(self, where: Mapping[str, str]) -> None:
        try:
            with ThreadPoolExecutor(len(where)) as pool:
                parts = sources.share(self._found, list(where))
                shares = [pool.submit(self._instance, node, where[node], part) for node, part in parts.items()]
            self.finished = all(one.exception() is None for one in shares)
            for error in (one.exception() for one in shares):
                if error is not None and not isinstance(error, Interrupted):
                    # Ours: it is in the runner's log, and the job has not failed by its own fault.
                    self._work.say(f"{type(error).__name__}: {error}")
                    self.problem = self.problem or f"InternalServerError: {type(error).__name__}: {error}"
        finally:
            self._work.stop(DONE)
            # Nobody waits for anything of theirs any more: a second request to stop kills what is left.
            if not self._over.wait(_LAST_SECONDS):
                self._work.happened.put(None)

    def _instance(self, node: str, where: str, share: Sequence[Item]) -> None:
        settings, log = self._settings, self._log(node)
        client = Client(where, self._over, settings.headers, settings.seconds, settings.retries)
        try:
            client.wait(_START_SECONDS)
        except Unanswered as error:
            log(str(error))
            self._fail(_ALGORITHM_ERROR)
            return
        terms = agreed(settings.requested, client.parameters())
        strategy = "MULTI_RECORD" if terms.several else "SINGLE_RECORD"
        payload = terms.payload // _MEGABYTE
        log(f"MaxConcurrentTransforms={terms.requests}, MaxPayloadInMB={payload}, BatchStrategy={strategy}")
        # Objects that are not split go side by side, the records of those that are do.
        lanes = terms.requests if settings.split == "None" else 1
        with ThreadPoolExecutor(lanes) as files, ThreadPoolExecutor(terms.requests) as requests:
            for one in [files.submit(self._object, client, terms, requests, source, log) for source in share]:
                one.result()

    def _object(
        self,
        client: Client,
        terms: Agreed,
        requests: ThreadPoolExecutor,
        source: Item,
        log: Callable[[str], None],
    ) -> None:
        if self._over.is_set():
            raise Interrupted
        try:
            with aws.errors_of(), tempfile.TemporaryDirectory(dir=self._place.job.folder) as scratch:
                given, made = Path(scratch) / "in", Path(scratch) / "out"
                storage.fetch(self._work.s3, source.bucket, source.key, given)
                with made.open("wb") as out:
                    self._transform(client, terms, requests, given, out)
                bucket, prefix = storage.parse(self._settings.target)
                key = "/".join(part for part in (prefix.rstrip("/"), f"{source.path}.out") if part)
                storage.put(self._work.s3, made, bucket, key)
        except Refused as error:
            for line in (f"ClientError: {error.status}", "", "Message:", *error.message.splitlines()):
                log(f"{source}: {line}")
            self._fail(_CLIENT_ERROR)
        except Unanswered as error:
            log(f"{source}: Unable to get response from algorithm: {error}")
            self._fail(_ALGORITHM_ERROR)
        except _BAD_DATA as error:
            log(f"{source}: ClientError: {error}")
            self._fail(_CLIENT_ERROR)

    def _transform(
        self, client: Client, terms: Agreed, requests: ThreadPoolExecutor, given: Path, out: IO[bytes]
    ) -> None:
        settings = self._settings
        if settings.split == "None" and not terms.payload and not settings.gzip and not settings.joining.form:
            out.write(self._ended(client.invoke(given)))
            return
        with _opened(given, compressed=settings.gzip) as stream:
            if settings.split == "None":
                whole = stream.read(terms.payload + 1 if terms.payload else -1)
                payload = settings.joining.for_model(whole)
                if terms.payload and len(payload) > terms.payload:
                    raise TooLarge("the object is larger than MaxPayloadInMB, and SplitType is None")
                out.write(self._ended(settings.joining.to_keep([whole], client.invoke(payload))))
                return
            self._records(client, terms, requests, stream, out)

    def _records(
        self, client: Client, terms: Agreed, requests: ThreadPoolExecutor, stream: IO[bytes], out: IO[bytes]
    ) -> None:
        joining = self._settings.joining
        records = record_splitting.split(stream, self._settings.split, framed=terms.several)
        pairs = ((joining.for_model(record), record) for record in records)
        most = terms.payload or _MOST_MEGABYTES * _MEGABYTE
        under_way: deque[tuple[Future[bytes], list[bytes]]] = deque()

        def next_answer() -> None:
            answer, asked = under_way.popleft()
            out.write(self._ended(joining.to_keep(asked, answer.result())))

        try:
            for batch in record_splitting.batches(pairs, most, several=terms.several):
                if len(under_way) >= terms.requests:
                    next_answer()
                payload = b"".join(given for given, _ in batch)
                under_way.append((requests.submit(client.invoke, payload), [record for _, record in batch]))
            while under_way:
                next_answer()
        finally:
            for answer, _ in under_way:
                answer.cancel()

    def _ended(self, answer: bytes) -> bytes:
        return answer + b"\n" if self._settings.lines and not answer.endswith(b"\n") else answer

    def _fail(self, reason: str) -> None:
        self.problem = self.problem or reason

    def _log(self, node: str) -> Callable[[str], None]:
        place = self._place
        group, stream = kinds.log_stream(
            place.job, node, arn=place.arn, instance=place.instances[node], began=place.began
        )
        take = self._shipper.stream(group, f"{stream}/data-log")

        def log(line: str) -> None:
            now = time.time()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
            take(f"{stamp}.{int(now * 1000) % 1000:03}:[sagemaker logs]: {line}".encode())

        return log


def _opened(path: Path, *, compressed: bool) -> IO[bytes]:
    # A gzip file is all of IO[bytes] that is used here, and no more.
    return cast("IO[bytes]", gzip.open(path)) if compressed else path.open("rb")
