"""What a tuning job tries, and which requests are refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.execution import tuning, tuning_search

METRIC = {"Name": "loss", "Regex": "loss=(.*)"}
OBJECTIVE = {"Type": "Minimize", "MetricName": "loss"}


def definition(**members: Any) -> dict[str, Any]:
    algorithm = {"TrainingImage": "image", "TrainingInputMode": "File", "MetricDefinitions": [METRIC]}
    return {"AlgorithmSpecification": algorithm, **members}


def request(ranges: dict[str, Any], strategy: str = "Random", **config: Any) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": OBJECTIVE,
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            "ParameterRanges": ranges,
            **config,
        },
        "TrainingJobDefinition": definition(),
    }


def number(kind: str, low: object, high: object, scale: str = "Auto", name: str = "x") -> dict[str, Any]:
    return {
        f"{kind}ParameterRanges": [{"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scale}]
    }


def tuned(asked: dict[str, Any], count: int) -> list[dict[str, str]]:
    tuning_search.check(asked)
    return [dict(one.tuned) for one in itertools.islice(tuning_search.trials(asked), count)]


WORDS = {"CategoricalParameterRanges": [{"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y", "z"]}]}


def test_a_grid_is_every_combination_once() -> None:
    found = tuned(request(WORDS, "Grid"), 100)
    assert [(one["a"], one["b"]) for one in found] == list(itertools.product("12", "xyz"))


def test_a_small_space_is_used_up_and_nothing_is_tried_twice() -> None:
    found = tuned(request(WORDS | number("Integer", 0, 1), RandomSeed=7), 1000)
    assert len(found) == len({tuple(sorted(one.items())) for one in found}) == 12


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Hyperband"])
def test_a_seed_gives_the_same_again_and_another_gives_another(strategy: str) -> None:
    first, again, other = (tuned(request(number("Continuous", 0, 1), strategy, RandomSeed=n), 20) for n in (1, 1, 2))
    assert first == again != other


@given(
    low=st.floats(1e-9, 1e9),
    width=st.floats(0, 1e9),
    scale=st.sampled_from(["Auto", "Linear", "Logarithmic"]),
)
def test_continuous_values_stay_in_their_range(low: float, width: float, scale: str) -> None:
    for one in tuned(request(number("Continuous", low, low + width, scale)), 5):
        assert low <= float(one["x"]) <= low + width


@given(low=st.integers(1, 10**6), width=st.integers(0, 10**6), scale=st.sampled_from(["Auto", "Linear", "Logarithmic"]))
def test_integers_stay_in_their_range(low: int, width: int, scale: str) -> None:
    for one in tuned(request(number("Integer", low, low + width, scale)), 5):
        assert low <= int(one["x"]) <= low + width


def test_a_scale_says_where_most_values_lie() -> None:
    def median(kind: str, low: object, high: object, scale: str) -> float:
        found = sorted(float(one["x"]) for one in tuned(request(number(kind, low, high, scale), RandomSeed=1), 201))
        return found[len(found) // 2]

    assert 300 < median("Continuous", 0, 1000, "Linear") < 700
    assert 0.003 < median("Continuous", 1e-5, 1, "Logarithmic") < 0.003 * 4
    assert 30 < median("Integer", 1, 1_000_000, "Logarithmic") < 30_000
    assert 0.9 < median("Continuous", 0, 0.9999, "ReverseLogarithmic") < 0.999


def test_definitions_take_turns_until_each_has_nothing_left() -> None:
    asked = request({})
    del asked["TrainingJobDefinition"], asked["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    asked["HyperParameterTuningJobConfig"]["Strategy"] = "Grid"
    ranges = {"CategoricalParameterRanges": [{"Name": "c", "Values": ["1"]}]}
    asked["TrainingJobDefinitions"] = [
        definition(DefinitionName="one", TuningObjective=OBJECTIVE, HyperParameterRanges=WORDS),
        definition(DefinitionName="two", TuningObjective=OBJECTIVE, HyperParameterRanges=ranges),
    ]
    tuning_search.check(asked)
    names = [one.definition["DefinitionName"] for one in tuning_search.trials(asked)]
    assert names == ["one", "two", *["one"] * 5]


def refused(asked: dict[str, Any]) -> str:
    with pytest.raises(AwsError) as error:
        tuning_search.check(asked)
    assert error.value.code == "ValidationException"
    return error.value.message


def test_what_cannot_be_searched_is_refused() -> None:
    assert "0 <= x < 1" in refused(request(number("Continuous", 0, 1, "ReverseLogarithmic")))
    assert "0 <= x < 1" in refused(request(number("Integer", 0, 0, "ReverseLogarithmic")))
    assert "greater than 0" in refused(request(number("Integer", 0, 10, "Logarithmic")))
    assert "greater than its MaxValue" in refused(request(number("Integer", 2, 1)))
    assert "greater than its MaxValue" in refused(request(number("Continuous", 0, "inf")))
    assert "not of numbers" in refused(request(number("Integer", 1.5, 2)))
    assert "categorical parameters only" in refused(request(number("Integer", 1, 2), "Grid"))
    assert "has 6 combinations" in refused(
        request(WORDS, "Grid", ResourceLimits={"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 5})
    )
    assert "At least one" in refused(request({}))
    assert "more than once" in refused(request(number("Integer", 1, 2) | number("Continuous", 1, 2)))


def test_a_definition_that_cannot_be_is_refused() -> None:
    asked = request(number("Integer", 1, 2))
    asked["TrainingJobDefinition"]["StaticHyperParameters"] = {"x": "1"}
    assert "x is defined more than once" in refused(asked)
    asked = request(number("Integer", 1, 2))
    asked["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"] = OBJECTIVE | {"MetricName": "other"}
    assert refused(asked).startswith("A metric is required for this hyperparameter tuning job objective.")
    asked = request(number("Integer", 1, 2))
    asked["TrainingJobDefinitions"] = [asked["TrainingJobDefinition"]]
    assert "either TrainingJobDefinition or" in refused(asked)
    del asked["TrainingJobDefinition"]
    assert "needs a DefinitionName" in refused(asked)


def test_a_trials_request_is_its_definition_with_what_was_chosen() -> None:
    resources = {"VolumeSizeInGB": 5, "InstanceConfigs": [{"InstanceType": "ml.c5.large", "InstanceCount": 1}] * 2}
    made = definition(
        TuningObjective=OBJECTIVE,
        StaticHyperParameters={"epochs": "3"},
        HyperParameterTuningResourceConfig=resources,
        Environment={"A": "b"},
        HyperParameterRanges=WORDS,
    )
    found = tuning.training_request(tuning_search.Trial(made, {"a": "1"}), [{"Key": "k", "Value": "v"}])
    assert found == {
        "AlgorithmSpecification": made["AlgorithmSpecification"],
        "HyperParameters": {"epochs": "3", "a": "1", "_tuning_objective_metric": "loss"},
        "ResourceConfig": {"InstanceType": "ml.c5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "Environment": {"A": "b"},
        "Tags": [{"Key": "k", "Value": "v"}],
    }


def test_one_percent_is_an_improvement_and_less_is_not() -> None:
    assert tuning.not_improving([1.0, 1.005, 1.009], maximize=True) == 2
    assert tuning.not_improving([1.0, 1.01, 1.005], maximize=True) == 1
    assert tuning.not_improving([1.0, 0.5, 0.6], maximize=False) == 1
    assert tuning.not_improving([0.0, 0.0], maximize=True) == 1
