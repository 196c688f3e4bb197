"""Images as users have them, and ``sm-ssh image wrap`` of them, as a user runs it."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from tests.end_to_end.machine import SM_SSH
from tests.images.built import builder, engine

_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")

# A program that tells all that it can see of how it was started, and ends with 3.
SHOW = """\
COPY --chmod=755 <<'SHOW' /usr/local/bin/show
#!/bin/sh
echo "$([ $$ = 1 ] && echo process 1 || echo a child): $0 $*"
for word; do printf '<%s>' "$word"; done; echo
echo "first: $(tr '\\0' '|' </proc/1/cmdline)"
env -0 | sort -z | tr '\\0' '\\n'
pwd; id; umask
echo "a word on the other stream" >&2
sleep "${SHOW_SECONDS:-0}"
exit 3
SHOW
RUN ln -s show /usr/local/bin/train && ln -s show /usr/local/bin/serve && ln -s show /usr/local/bin/start
"""
EXEC_FORM = (
    SHOW
    + """\
RUN useradd --uid 1000 --create-home --shell /bin/sh trainer
ENV SPACES="two  words" QUOTES="a \\"double\\" and a 'single'" DOLLAR="\\$HOME" EMPTY=""
ENV PYTHONHOME=/nowhere PYTHONPATH=/nowhere LD_LIBRARY_PATH=/nowhere/lib
ENV VERSION=9.9 VARIANT=theirs PACKAGES=theirs TARGETARCH=theirs AGENT_SOURCE=theirs SOURCE_DATE_EPOCH=theirs
WORKDIR "/srv/my work"
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
LABEL org.opencontainers.image.title="theirs"
HEALTHCHECK --interval=7s CMD ["show", "health"]
EXPOSE 8080
STOPSIGNAL SIGINT
USER 1000:1000
ENTRYPOINT ["show", "a b", "$HOME", "q\\"'", "ü"]
CMD ["c", "d e"]
"""
)
SHELL_FORM = (
    SHOW
    + """\
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
HEALTHCHECK NONE
ENTRYPOINT show "$HOME" 'a b' | cat
"""
)
COMMAND = (
    SHOW
    + """\
CMD ["show", "a b"]
"""
)


def wrap(image: str, *words: str, tag: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``sm-ssh image wrap``; thin, as no test here needs the AWS CLI."""
    ca = ["--ca", str(_TRUSTED)] if _TRUSTED.is_file() else []
    given = ["--artifacts", str(folder or builder.ARTIFACTS), "--variant", "thin", *ca, *(("-t", tag) if tag else ())]
    argv = [*SM_SSH, "image", "wrap", image, *given, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)


def wrapped(image: str, *words: str) -> str:
    """Wrap an image; return the name of the new one."""
    tag = fresh()
    done = wrap(image, *words, tag=tag)
    assert done.returncode == 0, done.stderr
    return tag


def with_lines(image: str) -> str:
    """Give an image a variable of several lines, which no Dockerfile can write; return the name of the new one."""
    tag = fresh()
    options = ("--label", engine.LABEL, "--env", "LINES=one\n  two\n")
    container = engine.docker("create", *options, image).stdout.strip()
    try:
        engine.docker("commit", container, tag)
    finally:
        engine.docker("rm", "--force", container)
    return tag


def fresh() -> str:
    """Return a name that no image has."""
    return f"{engine.LABEL}/wrapped:{uuid.uuid4().hex[:12]}"
