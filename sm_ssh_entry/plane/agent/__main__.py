"""The agent's command line, with the flags of the official agent's registration.

    sm-ssh-standin-agent -register -code CODE -id ID -region REGION [-y] [-disableSimilarityCheck]
    sm-ssh-standin-agent -register -clear [-y]
    sm-ssh-standin-agent -version
    sm-ssh-standin-agent                          runs until SIGTERM

Exit status 0 on success, 1 on any failure, as the official agent's.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput, NotRegistered, SmSshError
from sm_ssh_entry.plane.agent import settings

log = logging.getLogger("sm_ssh_entry.plane.agent")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: arguments without the program's name; None: this process's.
    """
    try:
        flags = _parser().parse_args(argv)
        if flags.version:
            print(settings.TITLE)
            return 0
        if flags.register:
            return _clear(flags) if flags.clear else _register(flags)
        if flags.clear or flags.code or flags.id or flags.region:
            raise BadInput("-code, -id, -region and -clear go with -register")
        return _run()
    except SmSshError as error:
        print(f"{contract.LOG_PREFIX} stand-in agent: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"{contract.LOG_PREFIX} stand-in agent: hint: {error.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(message, hint="-help lists the flags")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="sm-ssh-standin-agent", description=settings.TITLE, allow_abbrev=False, add_help=False)

    def flag(name: str, text: str, *, value: bool = False) -> None:
        # The official agent is written in Go, where one dash and two mean the same.
        if value:
            parser.add_argument(f"-{name}", f"--{name}", default="", metavar="X", help=text)
        else:
            parser.add_argument(f"-{name}", f"--{name}", action="store_true", help=text)

    parser.add_argument("-help", "--help", "-h", action="help", help="show this and exit")
    flag("version", "say what this is")
    flag("register", "register this node with a hybrid activation")
    flag("code", "activation code", value=True)
    flag("id", "activation id", value=True)
    flag("region", "region", value=True)
    flag("y", "answer yes: replace a registration that is there")
    flag("disableSimilarityCheck", "never compare hardware with that of the registration")
    flag("clear", "with -register: forget the registration")
    return parser


def _register(flags: argparse.Namespace) -> int:
    from sm_ssh_entry.plane.agent import register
    from sm_ssh_entry.plane.agent.identity import Vault

    activation = register.Activation(flags.id, flags.code, flags.region)
    register.check(activation)
    found = settings.from_environment(os.environ)
    with contextlib.suppress(NotRegistered):
        node_id = Vault(found.paths).load().node_id
        if not _agreed(flags, f"this node is already registered as {node_id}. Replace that registration?"):
            raise BadInput(f"already registered as {node_id}", hint="-y replaces the registration")
    identity = register.register(found, activation, similarity_check=not flags.disableSimilarityCheck)
    print(contract.LINE_REGISTERED.format(node_id=identity.node_id))
    return 0


def _clear(flags: argparse.Namespace) -> int:
    from sm_ssh_entry.plane.agent.identity import Vault

    if flags.code or flags.id or flags.region:
        raise BadInput("-clear takes no -code, -id or -region")
    vault = Vault(contract.Paths(os.environ.get(contract.ROOT, "")))
    with contextlib.suppress(NotRegistered):
        node_id = vault.load().node_id
        if not _agreed(flags, f"forget the registration as {node_id}?"):
            raise BadInput(f"kept the registration as {node_id}", hint="-y forgets it without asking")
    print("registration cleared" if vault.clear() else "there was no registration")
    return 0


def _agreed(flags: argparse.Namespace, question: str) -> bool:
    if flags.y:
        return True
    print(f"{question} (y/N) ", end="", file=sys.stderr, flush=True)
    return sys.stdin is not None and sys.stdin.readline().strip().lower() in {"y", "yes"}


def _run() -> int:
    from sm_ssh_entry.plane.agent import core, worker
    from sm_ssh_entry.plane.agent.identity import Vault

    _start_logging()
    found = settings.from_environment(os.environ)
    identity = Vault(found.paths).load()
    log.info("%s, node %s in %s, service %s", settings.TITLE, identity.node_id, identity.region, found.ssm_url)
    worker.preload()
    return core.Core(lambda lifeline: worker.run(found, lifeline)).run()


def _start_logging() -> None:
    """Log our own lines to stderr. Only ours: a library's debug lines may hold a request's signature."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"{contract.LOG_PREFIX} stand-in agent: %(levelname)s %(message)s"))
    ours = logging.getLogger("sm_ssh_entry")
    ours.addHandler(handler)
    ours.propagate = False
    ours.setLevel(logging.DEBUG if os.environ.get(contract.DEBUG) else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
