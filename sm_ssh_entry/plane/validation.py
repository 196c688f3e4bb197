"""Does a JSON body satisfy an operation's shape? The answer in AWS's own words, from botocore's service model.

The one module of the plane that imports botocore.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sm_ssh_entry.plane import shapes
from sm_ssh_entry.plane.api import AwsError

# Deeper nesting than any shape has; a body beyond it is refused before Python's own limit of recursion is near.
MAX_DEPTH = 64
_MAX_REPORTED = 10
_MAX_ECHO = 256

# Java's Unicode classes inside a character class, which Python's re lacks. \w covers letters and digits of every script
# (and the underscore, which each of SSM's patterns with these classes allows anyway).
_UNICODE_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
# A $ that ends the pattern or one of its alternatives.
_END = re.compile(r"(?<!\\)\$(?=\)|\||\Z)")
_JSON_NAMES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}
_SCALARS: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("String", (str,)),
    "character": ("String", (str,)),
    "blob": ("String", (str,)),
    "integer": ("Integer", (int,)),
    "long": ("Long", (int,)),
    "float": ("Float", (int, float)),
    "double": ("Double", (int, float)),
    "boolean": ("Boolean", (bool,)),
    "timestamp": ("Date", (int, float, str)),
}


@lru_cache(maxsize=1)
def _models() -> dict[str, Any]:
    """Return the models of what is ours alone, whose other operations are nobody's."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    ssm = Loader().load_service_model("ssm", "service-2")
    return {
        "AmazonSSM": ServiceModel(shapes.extend(ssm), "ssm"),
        "EC2WindowsMessageDeliveryService": ServiceModel(shapes.message_delivery(), "ec2messages"),
    }


@lru_cache(maxsize=1)
def _sagemaker() -> Any:
    """Return SageMaker's model, of which most operations are moto's; reading it takes a twentieth of a second.

    Its patterns are those of whole values, written without the anchors that SSM's have.
    """
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    model = Loader().load_service_model("sagemaker", "service-2")
    whole = {
        name: {**shape, "pattern": f"^(?:{shape['pattern']})$"} if "pattern" in shape else shape
        for name, shape in model["shapes"].items()
    }
    return ServiceModel({**model, "shapes": whole}, "sagemaker")


def load() -> None:
    """Read the models now rather than on the first call."""
    _models()


def is_operation(prefix: str, operation: str) -> bool:
    """Say whether an operation exists, by its target's two halves."""
    model = _models().get(prefix)
    return model is not None and operation in model.operation_names


def has_model(prefix: str) -> bool:
    """Say whether the shapes of a service are known here, by its target's first half."""
    return prefix in _models()


def parse(body: bytes) -> dict[str, Any]:
    """Parse a JSON 1.1 body; an empty one is an empty object.

    Raises:
        AwsError: SerializationException.
    """
    if not body.strip():
        return {}
    try:
        # Strictly UTF-8: json's own decoder would guess UTF-16 and let half a surrogate pair pass.
        found = json.loads(body.decode(), parse_constant=_no_constant)
        if b"\\u" in body:
            # Half a surrogate pair is legal JSON and no text: nothing behind this gate could encode it again.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", "The request body is not valid JSON.") from error
    if not isinstance(found, dict):
        raise AwsError("SerializationException", "Start of structure or map found where not expected.")
    return found


def check(prefix: str, operation: str, params: dict[str, Any]) -> None:
    """Check a body against the shape of an operation, where its service's model is used here.

    Args:
        prefix: first half of X-Amz-Target.
        operation: the second half.
        params: the parsed body.

    Raises:
        AwsError: SerializationException for a wrong JSON type, ValidationException for a constraint.
    """
    model = _sagemaker() if prefix == "SageMaker" else _models().get(prefix)
    shape = model.operation_model(operation).input_shape if model is not None else None
    if shape is None:
        return
    found = [text for _, text in zip(range(_MAX_REPORTED), _problems(shape, params, "", 0), strict=False)]
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
        raise AwsError("ValidationException", f"{count}: {'; '.join(found)}")


def _problems(shape: Any, value: Any, path: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise AwsError("SerializationException", "The request body is nested too deeply.")
    if shape.type_name == "structure":
        yield from _structure(shape, _typed(value, dict, "Structure"), path, depth)
    elif shape.type_name == "list":
        items = _typed(value, list, "List")
        yield from _length(shape, len(items), value, path)
        for number, item in enumerate(items, 1):
            yield from _problems(shape.member, item, f"{path}.{number}.member", depth + 1)
    elif shape.type_name == "map":
        entries = _typed(value, dict, "Map")
        yield from _length(shape, len(entries), value, path)
        for key, item in entries.items():
            yield from _problems(shape.key, key, f"{path}.key", depth + 1)
            yield from _problems(shape.value, item, f"{path}.{key}.member", depth + 1)
    else:
        yield from _scalar(shape, value, path)


def _structure(shape: Any, value: dict[str, Any], path: str, depth: int) -> Iterator[str]:
    given = {name for name, member in value.items() if member is not None}
    for name, member in shape.members.items():
        spelled = name[:1].lower() + name[1:]
        where = f"{path}.{spelled}" if path else spelled
        if name in given:
            yield from _problems(member, value[name], where, depth + 1)
        elif name in shape.required_members:
            yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"


def _scalar(shape: Any, value: Any, path: str) -> Iterator[str]:
    name, types = _SCALARS.get(shape.type_name, ("String", (str,)))
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise AwsError("SerializationException", f"{_json_name(value)} can not be converted to a {name}")
    if isinstance(value, float) and not math.isfinite(value):
        raise AwsError("SerializationException", f"a number out of range can not be converted to a {name}")
    if isinstance(value, str):
        yield from _length(shape, len(value), value, path)
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).search(value):
            yield _problem(shape, value, path, f"Member must satisfy regular expression pattern: {pattern}")
        enum = shape.metadata.get("enum")
        if enum and value not in enum:
            yield _problem(shape, value, path, f"Member must satisfy enum value set: [{', '.join(enum)}]")
    elif shape.type_name in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and value < low:
            yield _problem(shape, value, path, f"Member must have value greater than or equal to {low}")
        if high is not None and value > high:
            yield _problem(shape, value, path, f"Member must have value less than or equal to {high}")


def _length(shape: Any, length: int, value: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and length < low:
        yield _problem(shape, value, path, f"Member must have length greater than or equal to {low}")
    if high is not None and length > high:
        yield _problem(shape, value, path, f"Member must have length less than or equal to {high}")


def _problem(shape: Any, value: Any, path: str, constraint: str) -> str:
    echo = "" if shape.metadata.get("sensitive") else f" '{_short(value)}'"
    return f"Value{echo} at '{path}' failed to satisfy constraint: {constraint}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_ECHO else text[:_MAX_ECHO] + "..."


def _typed(value: Any, wanted: type, name: str) -> Any:
    if not isinstance(value, wanted):
        raise AwsError("SerializationException", f"{_json_name(value)} can not be converted to a {name}")
    return value


def _json_name(value: Any) -> str:
    if isinstance(value, dict):
        return "START_OBJECT"
    if isinstance(value, list):
        return "START_ARRAY"
    return _JSON_NAMES.get(type(value), "NULL_VALUE")


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _UNICODE_CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        # Python's $ would let a newline stand at the end.
        return re.compile(_END.sub(r"\\Z", pattern))
    except re.error:
        # Patterns with \p{P} or \p{M}: display names of other clouds' accounts, in operations that are not ours.
        return re.compile("")
