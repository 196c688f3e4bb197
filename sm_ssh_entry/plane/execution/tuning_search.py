"""Which hyperparameters a tuning job tries, by its strategy. No I/O here.

Random and Grid are the service's own: values drawn from the ranges, and every combination of categorical values. What
Bayesian and Hyperband do is the service's secret: here they draw as Random does.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.api import AwsError

# So many draws in a row that gave nothing new: a search space of few values is used up.
_DRAWS = 1000
_LOGARITHMIC, _REVERSE = "Logarithmic", "ReverseLogarithmic"


@dataclass(frozen=True)
class Trial:
    """One training job to start.

    Args:
        definition: what it is made of, one of the request's.
        tuned: the hyperparameters that were chosen.
    """

    definition: Mapping[str, Any]
    tuned: Mapping[str, str]


def definitions(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the training job definitions of a tuning job's request, each with its ranges and objective in it.

    Args:
        request: CreateHyperParameterTuningJob's.
    """
    config = request["HyperParameterTuningJobConfig"]
    if "TrainingJobDefinition" not in request:
        return list(request.get("TrainingJobDefinitions") or ())
    one = request["TrainingJobDefinition"]
    shared = {"HyperParameterRanges": config.get("ParameterRanges") or {}}
    if "HyperParameterTuningJobObjective" in config:
        shared["TuningObjective"] = config["HyperParameterTuningJobObjective"]
    return [{**shared, **one}]


def trials(request: Mapping[str, Any]) -> Iterator[Trial]:
    """Give what a tuning job tries, in order and nothing twice; where there are several definitions, in turn.

    Args:
        request: CreateHyperParameterTuningJob's; its RandomSeed makes the order the same each time.
    """
    config = request["HyperParameterTuningJobConfig"]
    dice = random.Random(config.get("RandomSeed"))  # noqa: S311 - nothing secret is drawn
    ways = []
    for definition in definitions(request):
        ranges = definition.get("HyperParameterRanges") or {}
        values = _every(ranges) if config["Strategy"] == "Grid" else _drawn(ranges, dice)
        ways.append(map(Trial, itertools.repeat(definition), values))
    while ways:
        for way in list(ways):
            found = next(way, None)
            if found is None:
                ways.remove(way)
            else:
                yield found


def combinations(request: Mapping[str, Any]) -> int:
    """Return how many trials a Grid has.

    Args:
        request: CreateHyperParameterTuningJob's.
    """
    grids = (_listed(one.get("HyperParameterRanges") or {}, "Categorical") for one in definitions(request))
    return sum(math.prod(len(each["Values"]) for each in grid) for grid in grids)


def resources(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a training job's ResourceConfig as the member of a definition; ``{}``: it names none.

    Args:
        definition: whose HyperParameterTuningResourceConfig, of several configurations the first and so the preferred
            one, takes the place of a ResourceConfig.
    """
    given = definition.get("HyperParameterTuningResourceConfig")
    if not given:
        return {"ResourceConfig": definition["ResourceConfig"]} if "ResourceConfig" in definition else {}
    chosen = (given.get("InstanceConfigs") or [given])[0]
    members = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    return {"ResourceConfig": {one: source[one] for source in (given, chosen) for one in members if one in source}}


def check(request: Mapping[str, Any]) -> None:
    """Refuse a request that the service would refuse.

    Args:
        request: CreateHyperParameterTuningJob's, of the right shape.

    Raises:
        AwsError: ValidationException.
    """
    if ("TrainingJobDefinition" in request) == bool(request.get("TrainingJobDefinitions")):
        raise _invalid("Provide either TrainingJobDefinition or TrainingJobDefinitions.")
    for definition in definitions(request):
        if "TrainingJobDefinition" not in request and "DefinitionName" not in definition:
            raise _invalid("Each of TrainingJobDefinitions needs a DefinitionName.")
        _check_definition(definition, request["HyperParameterTuningJobConfig"]["Strategy"])
    config = request["HyperParameterTuningJobConfig"]
    most = config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    if config["Strategy"] == "Grid" and most not in (None, combinations(request)):
        raise _invalid(f"Grid search has {combinations(request)} combinations: MaxNumberOfTrainingJobs must say so.")


def _check_definition(definition: Mapping[str, Any], strategy: str) -> None:
    algorithm, objective = definition["AlgorithmSpecification"], definition.get("TuningObjective")
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        raise _invalid("Provide either TrainingImage or AlgorithmName.")
    metrics = {one["Name"] for one in algorithm.get("MetricDefinitions") or ()}
    # An algorithm by name, or one of AWS's own images, brings its metrics; no other image does.
    if objective is None or ("TrainingImage" in algorithm and objective["MetricName"] not in metrics):
        raise _invalid(
            "A metric is required for this hyperparameter tuning job objective. "
            "Provide a metric in the metric definitions."
        )
    ranges = definition.get("HyperParameterRanges") or {}
    names = [one["Name"] for kind in ("Integer", "Continuous", "Categorical") for one in _listed(ranges, kind)]
    twice = {name for name in names if names.count(name) > 1 or name in (definition.get("StaticHyperParameters") or {})}
    if twice:
        raise _invalid(f"The hyperparameter {min(twice)} is defined more than once.")
    if not names:
        raise _invalid("At least one hyperparameter range is required.")
    numbers = [*_listed(ranges, "Integer"), *_listed(ranges, "Continuous")]
    if strategy == "Grid" and numbers:
        raise _invalid("Grid search supports categorical parameters only.")
    for one in _listed(ranges, "Integer"):
        _check_range(one, int)
    for one in _listed(ranges, "Continuous"):
        _check_range(one, float)


def _check_range(one: Mapping[str, Any], number: Callable[[str], float]) -> None:
    try:
        low, high = number(one["MinValue"]), number(one["MaxValue"])
    except ValueError:
        raise _invalid(f"The range of {one['Name']} is not of numbers of its type.") from None
    scale = one.get("ScalingType")
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise _invalid(f"The MinValue of {one['Name']} is greater than its MaxValue.")
    if scale == _LOGARITHMIC and low <= 0:
        raise _invalid(f"Logarithmic scaling of {one['Name']} needs values greater than 0.")
    if scale == _REVERSE and (number is int or low < 0 or high >= 1):
        raise _invalid(f"ReverseLogarithmic scaling of {one['Name']} needs continuous values of 0 <= x < 1.")


def _every(ranges: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    listed = _listed(ranges, "Categorical")
    for values in itertools.product(*(one["Values"] for one in listed)):
        yield {one["Name"]: value for one, value in zip(listed, values, strict=True)}


def _drawn(ranges: Mapping[str, Any], dice: random.Random) -> Iterator[Mapping[str, str]]:
    seen = set()
    failed = 0
    while failed < _DRAWS:
        found = {one["Name"]: str(_integer(one, dice)) for one in _listed(ranges, "Integer")}
        found |= {one["Name"]: repr(_continuous(one, dice)) for one in _listed(ranges, "Continuous")}
        found |= {one["Name"]: dice.choice(one["Values"]) for one in _listed(ranges, "Categorical")}
        key = tuple(sorted(found.items()))
        failed = failed + 1 if key in seen else 0
        if key not in seen:
            seen.add(key)
            yield found


def _integer(one: Mapping[str, Any], dice: random.Random) -> int:
    low, high = int(one["MinValue"]), int(one["MaxValue"])
    if one.get("ScalingType") == _LOGARITHMIC:
        # Each number owns the part of the scale up to the next one.
        return min(int(math.exp(dice.uniform(math.log(low), math.log(high + 1)))), high)
    return dice.randint(low, high)


def _continuous(one: Mapping[str, Any], dice: random.Random) -> float:
    low, high = float(one["MinValue"]), float(one["MaxValue"])
    scale = one.get("ScalingType")
    if scale == _LOGARITHMIC:
        found = math.exp(dice.uniform(math.log(low), math.log(high)))
    elif scale == _REVERSE:
        found = 1 - math.exp(dice.uniform(math.log(1 - high), math.log(1 - low)))
    else:
        found = dice.uniform(low, high)
    return min(max(found, low), high)


def _listed(ranges: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    return ranges.get(f"{kind}ParameterRanges") or ()


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
