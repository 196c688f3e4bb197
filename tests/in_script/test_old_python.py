"""What a script imports in a container must run on Python 3.8, wherever the tests themselves run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.contract import Paths
from sm_ssh_entry.images import imports
from sm_ssh_entry.in_script import staging

OLDEST = (3, 8)
PACKAGE = imports.PACKAGE
# These run on an interpreter of the distribution, or where jobs are submitted.
LATER = {"staging.py", "obtaining.py"}
ENTERING = [
    PACKAGE / "__init__.py",
    *(path for path in imports.room("in_script") if path.name not in LATER),
    *(PACKAGE / f"{leaf}.py" for leaf in ("aws", "command", "contract", "errors")),
    PACKAGE / "compat" / "sagemaker_ssh_helper" / "__init__.py",
]
# Of the standard library, later than 3.8.
NEW_MODULES = {"graphlib", "tomllib", "zoneinfo"}
NEW_NAMES = {
    *("removeprefix", "removesuffix", "is_relative_to", "with_stem", "readlink", "hardlink_to", "walk"),
    *("pidfd_open", "waitstatus_to_exitcode", "to_thread", "cache", "pairwise", "batched", "nullcontext_async"),
    *("TypeAlias", "ParamSpec", "Self", "StrEnum", "UTC", "file_digest", "randbytes", "aclosing", "chdir"),
}
GENERIC = {"list", "dict", "set", "tuple", "type", "frozenset", "Callable", "Mapping", "Sequence", "Iterator"}


def evaluated(tree: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes that run: annotations do not, with ``from __future__ import annotations``."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        skipped = {id(getattr(node, name, None)) for name in ("annotation", "returns")}
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in skipped]


@pytest.mark.parametrize("path", ENTERING, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_entering_modules_run_on_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST)
    names = imports.imported(path)
    body = [node for node in tree.body if not isinstance(node, ast.Expr)]
    assert not body or "__future__.annotations" in names or not any(map(annotated, ast.walk(tree)))
    assert not {name.split(".")[0] for name in names} & NEW_MODULES
    for node in evaluated(tree):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in NEW_NAMES, f"{where}: {node.attr}"
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            assert node.value.id not in GENERIC, f"{where}: {node.value.id}[...] is evaluated"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            # Flags of os are numbers; dictionaries and types cannot be joined so.
            assert all(isinstance(side, (ast.Attribute, ast.BinOp)) for side in (node.left, node.right)), where
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            assert not node.keywords, f"{where}: zip(strict=)"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("dataclass"):
            assert not {word.arg for word in node.keywords} & {"slots", "kw_only"}, where
    assert not imports.imported(path) & {f"typing.{name}" for name in NEW_NAMES}


def annotated(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AnnAssign))


def test_layers_folder_is_the_contracts() -> None:
    face = PACKAGE / "compat" / "sagemaker_ssh_helper" / "__init__.py"
    assert f'"{Paths().compat}"' in face.read_text(encoding="utf-8")


def test_whatever_a_script_imports_is_among_these(cache: Path) -> None:
    """Import all faces, call nothing: what is loaded of ours is checked above, the rest is stdlib."""
    code = """
import sys
import sagemaker_ssh_helper
from sm_ssh_entry.in_script import entering, installation, profiler, sessions, telling
for name, module in sorted(sys.modules.items()):
    if name.startswith(("sm_ssh_entry", "sagemaker_ssh_helper")):
        print(module.__file__)
    elif name != "__main__" and name.split(".")[0] not in sys.stdlib_module_names:
        print("foreign", name)
"""
    folder = staging.stage(staging.OLD, cache=cache)
    words = [sys.executable, "-S", "-B", "-I", "-c", f"import sys; sys.path.append({str(folder.parent)!r}){code}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    kit = folder / "sm_ssh_entry"
    loaded = {str(Path(line).relative_to(kit)) for line in done.stdout.split() if line != str(folder / "__init__.py")}
    assert loaded <= {str(path.relative_to(PACKAGE)) for path in ENTERING}
