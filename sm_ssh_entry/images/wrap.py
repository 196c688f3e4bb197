"""``sm-ssh image wrap``: the layer on an image that is there, with the same command, user, folder and variables."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sm_ssh_entry import __version__, engine
from sm_ssh_entry.errors import BadInput, NotFound, SmSshError
from sm_ssh_entry.images import building, checks, dockerfile, facts, files, sums
from sm_ssh_entry.images.facts import Facts
from sm_ssh_entry.images.fetch import ABOUT

FULL = "full"
INTERNET_FREE = "Dockerfile.internet_free"
# A name as the engine takes it, with its tag or digest; nothing that a Dockerfile could read as more than one word.
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        image: what is wrapped.
        tag: what the result is called; empty: it is only printed.
        artifacts: folder of fetched artifacts.
        internet_free: whether the build may use these alone.
        variant: ``full`` or ``thin``.
        ca: a file of certificates that the package sources are signed by, in PEM; None: the usual ones.
        push: whether the result goes to its registry instead of the engine.
        platform: ``linux/arm64`` for one; empty: the image's own.
    """

    image: str
    tag: str
    artifacts: Path
    internet_free: bool = False
    variant: str = FULL
    ca: Path | None = None
    push: bool = False
    platform: str = ""


@dataclass(frozen=True)
class Plan:
    """What is going to be built: the image that was read, and the Dockerfile."""

    request: Request
    known: Facts
    text: str


def plan(request: Request, tell: Callable[[str], None]) -> Plan:
    """Read the image, make sure that the layer can be added, and write the Dockerfile.

    Args:
        request: what the user asked for.
        tell: gets a line for each phase.

    Raises:
        ToolMissing: no engine, or no buildx.
        NotFound: no such image, or no artifacts for it.
        BadInput: the image cannot have the layer.
    """
    for name in filter(None, (request.image, request.tag)):
        if not _REFERENCE.fullmatch(name):
            raise BadInput(f"{name} is no name of an image", hint="repository:tag, in lower case")
    engine.require(hint="start Docker, or give DOCKER_HOST", buildx=True)
    _bring(request, tell)
    tell(f"reading {request.image}")
    known = facts.gather(request.image)
    _check_platform(request, known)
    for obstacle in checks.obstacles(known):
        raise BadInput(f"{request.image}: {obstacle.text}", hint=obstacle.fix)
    request = replace(request, image=_name(request.image, known), artifacts=request.artifacts.resolve())
    source, version = _artifacts(request, known)
    arguments = {
        "VARIANT": request.variant,
        "VERSION": __version__,
        "AGENT_SOURCE": source,
        "AGENT_VERSION": version,
        # Not by its name, which may be another one with each build: each would leave a cache of packages behind.
        "SM_SSH_CACHE": known.release or request.image,
    }
    labels = {
        "sm-ssh.version": __version__,
        "sm-ssh.variant": request.variant,
        "sm-ssh.agent": f"{source} {version}",
    }
    layer = files.source() / (INTERNET_FREE if request.internet_free else files.DOCKERFILE)
    text = dockerfile.wrapped(layer.read_text(encoding="utf-8"), request.image, known.config, arguments, labels)
    return Plan(request, known, text)


def printed(made: Plan) -> str:
    """Return the Dockerfile with a line that says how it is built."""
    request = made.request
    return dockerfile.instructions(request.image, request.tag, request.artifacts, files.source()) + "\n" + made.text


def build(made: Plan, tell: Callable[[str], None]) -> None:
    """Build the wrapped image.

    Args:
        made: what to build.
        tell: gets a line for each phase.

    Raises:
        BuildFailed: a step failed.
        ArtifactRefused: an artifact is not what SHA256SUMS says.
        NoSpace: the engine's disk is full.
    """
    request = made.request
    words = ["--tag", request.tag, "--push" if request.push else "--load"]
    # The image's own processor, not the engine's; and the engine's own builder, which alone sees images on the engine.
    words += ["--platform", f"{made.known.os}/{made.known.arch}", "--builder", engine.docker("context", "show").strip()]
    words += ["--build-context", f"artifacts={request.artifacts}"]
    if request.ca:
        words += ["--secret", f"id=ca,src={request.ca}"]
    if request.internet_free:
        words += ["--network", "none"]
    with tempfile.TemporaryDirectory(prefix="sm-ssh-wrap-") as folder:
        file = Path(folder, "Dockerfile")
        file.write_text(made.text, encoding="utf-8")
        building.build([*words, "--file", str(file), str(files.source())], tell)


def _bring(request: Request, tell: Callable[[str], None]) -> None:
    """Pull the image where the engine does not have it, as a build would."""
    try:
        engine.inspect(request.image)
    except NotFound as missing:
        tell(f"pulling {request.image}")
        platform = ("--platform", request.platform) if request.platform else ()
        try:
            engine.docker("pull", "--quiet", *platform, request.image)
        except engine.EngineFailed as error:
            hint = "check its name; docker login, where its registry wants it"
            raise NotFound(f"{missing.message}, and cannot pull it: {error.message}", hint=hint) from error


def _check_platform(request: Request, known: Facts) -> None:
    own = f"{known.os}/{known.arch}"
    if request.platform and request.platform != own:
        hint = f"docker pull --platform {request.platform} {request.image}"
        raise BadInput(f"{request.image} is here for {own}, not for {request.platform}", hint=hint)


def _name(image: str, known: Facts) -> str:
    """Return a name that a Dockerfile can have: it takes no ids."""
    digest = known.id.removeprefix("sha256:")
    if not digest.startswith(image.removeprefix("sha256:")):
        return image
    names: list[str] = engine.inspect(image).get("RepoTags") or []
    if image in names or f"{image}:latest" in names:
        return image
    if not names:
        raise BadInput(f"the image {image} has no name, and a build needs one", hint=f"docker tag {image} NAME:TAG")
    return names[0]


def _artifacts(request: Request, known: Facts) -> tuple[str, str]:
    """Make sure that what the layer is made of has been fetched for this image; return its agent: source, version."""
    folder, arch, release = request.artifacts, known.arch, known.release
    fetch = f"sm-ssh image fetch --arch {arch}" + (f" --for {release}" if release else "")
    if not (folder / sums.NAME).is_file():
        raise NotFound(f"no artifacts in {folder}", hint=f"{fetch}, or --artifacts DIR")
    agent = folder / "agent" / arch
    packages = [folder / "packages" / release / arch] if request.internet_free else []
    for part in (folder / "wheels", folder / "wheel", folder / "programs" / arch, agent, *packages):
        if not part.is_dir():
            raise NotFound(f"the artifacts in {folder} have no {part.relative_to(folder)}", hint=fetch)
    clis = (folder / "aws-cli" / arch, folder / "aws-cli" / release / arch)
    if request.variant == FULL and not any(cli.is_dir() for cli in clis):
        raise NotFound(f"the artifacts in {folder} have no AWS CLI for {arch}", hint=f"{fetch}, or --variant thin")
    try:
        about = json.loads((agent / ABOUT).read_bytes())
        return str(about["source"]), str(about["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SmSshError(f"cannot read {agent / ABOUT}: {error}", hint=fetch) from error
