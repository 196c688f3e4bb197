"""Runs a build and says how far it is; what makes it fail ends in one line."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from sm_ssh_entry import contract, engine
from sm_ssh_entry.errors import ArtifactRefused, BuildFailed, NoSpace, SmSshError

# Lines of buildx's plain progress: "#7 [installed 2/6] RUN ...", "#7 1.234 what the step says", "#7 ERROR: why".
_LINE = re.compile(
    r"#(?P<step>\d+) (?:\[(?P<stage>[^\]]*)\] (?P<what>.*)|(?P<seconds>\d+\.\d+) (?P<said>.*)|(?P<end>.*))"
)
_LAYER_STEP = re.compile(r'layers/step", "(?P<name>[a-z-]+)')
# What the steps of images/layers do, for people.
_PHASES = {
    "check": "checking the artifacts",
    "packages": "looking for what the image has and lacks",
    "environment": "making a Python environment of the layer's own",
    "aws-cli": "adding the AWS CLI",
    "agent": "adding the SSM agent",
    "finish": "adding sm-ssh",
    "delta": "gathering the layer",
}
# What the scripts of our layer say: a phase, or the cause of a failure with what to do.
_OURS = contract.LAYER_LINE
_ERROR = re.compile(contract.LAYER_ERROR_PATTERN)
_CHECKSUM = re.compile(r"checksum", re.IGNORECASE)
_KEPT_LINES = 20
_FOREIGN = re.compile(r"exec format error", re.IGNORECASE)


def build(words: Iterable[str], tell: Callable[[str], None]) -> None:
    """Build an image.

    Args:
        words: options and context of ``docker buildx build``.
        tell: gets a line for each phase.

    Raises:
        BuildFailed: a step failed; its last lines have been told.
        ArtifactRefused: a file among the artifacts is not what SHA256SUMS says.
        NoSpace: the engine's disk is full.
        ToolMissing: there is no client.
    """
    child, said = engine.spawn("buildx", "build", "--progress", "plain", *words)
    log = Log(tell)
    try:
        for raw in said:
            log.feed(raw.decode(errors="replace").rstrip())
        status = child.wait()
    finally:
        # Ctrl-C reaches us alone; the builder stops when its client does.
        if child.poll() is None:
            child.terminate()
        child.wait()
        said.close()
    if status:
        for line in log.last():
            tell(f"  {line}")
        raise log.failure()


class Log:
    """What a build says, line by line.

    Args:
        tell: gets a line for each phase.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._steps: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_KEPT_LINES))
        self._all: deque[str] = deque(maxlen=200)
        self._failed = ""
        self._cause: re.Match[str] | None = None

    def feed(self, line: str) -> None:
        """Take the next line."""
        self._all.append(line)
        found = _LINE.fullmatch(line)
        if found is None:
            return
        if found["said"] is not None:
            self._said(found["step"], found["said"])
        elif found["stage"] is not None:
            if step := _LAYER_STEP.search(found["what"]):
                self._tell(_PHASES.get(step["name"], step["name"]))
        elif found["end"].startswith("ERROR"):
            self._failed = self._failed or found["step"]
        elif found["end"] == "exporting to image":
            self._tell("writing the image")

    def last(self) -> list[str]:
        """Return the last lines of the step that failed, without the cause; of the whole build where no step did."""
        lines = self._steps[self._failed] if self._failed else [line for line in self._all if line][-_KEPT_LINES:]
        return [line for line in lines if not _ERROR.search(line)]

    def failure(self) -> SmSshError:
        """Return what ended the build, as an error."""
        whole = "\n".join(self._all)
        if self._cause:
            kind = ArtifactRefused if _CHECKSUM.search(self._cause["text"]) else BuildFailed
            return kind(self._cause["text"], hint=self._cause["hint"] or "")
        error = engine.failure("docker buildx build", whole)
        if isinstance(error, NoSpace):
            return error
        hint = ""
        if _FOREIGN.search(whole):
            hint = (
                "the engine cannot run that processor's programs: install QEMU for binfmt, or build on such a machine"
            )
        return BuildFailed(error.message, hint=hint)

    def _said(self, step: str, text: str) -> None:
        self._steps[step].append(text)
        if cause := _ERROR.search(text):
            self._cause = cause
        elif text.startswith(_OURS):
            self._tell(text.removeprefix(_OURS))
