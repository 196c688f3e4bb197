"""A tuning job: training jobs by the plane's own API, as many at once as it may run, until its limits are reached."""

from __future__ import annotations

import contextlib
import queue
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane.execution import tuning_search
from sm_ssh_entry.plane.execution.tuning_search import Trial
from sm_ssh_entry.plane.execution.work import GONE, OVERTIME, Failed, Stopped, Work
from sm_ssh_entry.plane.tuning_records import OBJECTIVE_PARAMETER

# How often the training jobs are looked at, in seconds.
_LOOK = 0.2
# Where neither the request nor a grid says how many: something that ends.
_MOST = 100
# After so many ended training jobs without a single success the service gives up.
_ATTEMPTS = 5
# A trial is better when it is better by one percent (BestObjectiveNotImproving).
_BETTER = 0.01
_RUNNING = ("InProgress", "Stopping")
# Members of a definition that CreateTrainingJob takes by the same name.
_PASSED_ON = (
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)
_SEE = (
    "For additional details, please take a look at the training job failures by listing training jobs for the "
    "hyperparameter tuning job."
)

Summary = Mapping[str, Any]


def run(work: Work) -> None:
    """Run a tuning job to its end.

    Args:
        work: its order.

    Raises:
        Failed: no trial succeeded, or one could not be started.
        Stopped: it was stopped.
    """
    strategy = work.order.request["HyperParameterTuningJobConfig"]["Strategy"]
    if strategy in ("Bayesian", "Hyperband"):
        work.say(f"strategy {strategy} draws here as Random does")
    _Tuning(work).to_the_end()


class _Tuning:
    """One tuning job under way."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.name, self.request = work.order.name, work.order.request
        self.config = self.request["HyperParameterTuningJobConfig"]
        self.sagemaker = work.client("sagemaker")
        self.started: dict[str, Trial] = {}
        limits = self.config["ResourceLimits"]
        self.parallel: int = limits["MaxParallelTrainingJobs"]
        grid = self.config["Strategy"] == "Grid"
        self.most: float = limits.get("MaxNumberOfTrainingJobs", float("inf") if grid else _MOST)

    def to_the_end(self) -> None:
        """Start trials and wait for them; whatever ends it, no trial of it goes on running."""
        if "MaxRuntimeInSeconds" in self.config["ResourceLimits"]:
            self.work.limit(self.config["ResourceLimits"]["MaxRuntimeInSeconds"])
        left = tuning_search.trials(self.request)
        failure, over, stopped = "", False, set[str]()
        while self.work.stopping != GONE:
            found = self._children()
            running = [one["TrainingJobName"] for one in found if one["TrainingJobStatus"] in _RUNNING]
            count = len(running)
            failure = failure or self._hopeless(found)
            over = over or bool(failure or self.work.stopping) or self._satisfied(found)
            if over:
                self._stop(set(running) - stopped)
                stopped.update(running)
            while not over and count < self.parallel:
                trial = next(left, None) if len(self.started) < self.most else None
                if trial is None:
                    break
                failure = self._start(trial)
                over = bool(failure)
                count += 1
            if not count:
                break
            self._wait()
        self._close(failure)

    def _start(self, trial: Trial) -> str:
        """Start one; return why it could not be."""
        name = f"{self.name}-{len(self.started) + 1:03}-{secrets.token_hex(4)}"
        self.started[name] = trial
        # Before the job is there: who lists it then sees what it tries.
        self._note("InProgress")
        self.work.say(f"starting {name}: {', '.join(f'{key}={value}' for key, value in trial.tuned.items())}")
        wanted = training_request(trial, self.request.get("Tags"))
        try:
            with aws.errors_of(region=self.work.order.region):
                self.sagemaker.create_training_job(TrainingJobName=name, **wanted)
        except SmSshError as error:
            return f"ClientError: {error.message}"
        self._note("InProgress")
        return ""

    def _stop(self, names: Iterable[str]) -> None:
        for name in names:
            # It may have ended meanwhile.
            with contextlib.suppress(SmSshError), aws.errors_of():
                self.sagemaker.stop_training_job(TrainingJobName=name)

    def _children(self) -> list[Summary]:
        pages = self.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=self.name, SortBy="CreationTime", PaginationConfig={"PageSize": 100}
        )
        return [one for page in pages for one in page["TrainingJobSummaries"] if one["TrainingJobName"] in self.started]

    def _hopeless(self, found: Sequence[Summary]) -> str:
        """Return why the tuning job fails, as the service words it; ``""``: it does not."""
        ended = [one for one in found if one["TrainingJobStatus"] in ("Completed", "Failed")]
        if len(ended) < _ATTEMPTS or any(one["ObjectiveStatus"] == "Succeeded" for one in ended):
            return ""
        if any(one["TrainingJobStatus"] == "Completed" for one in ended):
            return (
                f"No objective metrics found after running {len(ended)} training jobs. Please ensure that the custom "
                "algorithm is emitting the objective metric as defined by the regular expression provided."
            )
        return f"No training job succeeded after {len(ended)} attempts. {_SEE}"

    def _satisfied(self, found: Sequence[Summary]) -> bool:
        """Whether the request's completion criteria are met; ConvergenceDetected never is."""
        criteria = self.config.get("TuningJobCompletionCriteria") or {}
        values = [
            one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
            for one in sorted(found, key=lambda one: one.get("TrainingEndTime", one["CreationTime"]))
            if one["ObjectiveStatus"] == "Succeeded"
        ]
        if not criteria or not values:
            return False
        maximize = tuning_search.definitions(self.request)[0]["TuningObjective"]["Type"] == "Maximize"
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and (max(values) >= target if maximize else min(values) <= target):
            return True
        patience = (criteria.get("BestObjectiveNotImproving") or {}).get("MaxNumberOfTrainingJobsNotImproving")
        return patience is not None and not_improving(values, maximize=maximize) >= patience

    def _wait(self) -> None:
        """Wait a moment, or until a stop is asked for."""
        with contextlib.suppress(queue.Empty):
            self.work.happened.get(timeout=_LOOK)

    def _close(self, failure: str) -> None:
        if failure:
            raise Failed(failure)
        if self.work.stopping == OVERTIME:
            self.work.say("MaxRuntimeInSeconds is over")
        if self.work.stopping:
            raise Stopped(self.work.stopping)
        found = self._children()
        if all(one["TrainingJobStatus"] == "Failed" for one in found):
            raise Failed(f"All training jobs failed. {_SEE}")
        self._note("Completed")

    def _note(self, status: str) -> None:
        tried = {
            name: {"definition": trial.definition.get("DefinitionName", ""), "tuned": trial.tuned}
            for name, trial in self.started.items()
        }
        self.work.note(status, Trials=tried)


def training_request(trial: Trial, tags: Sequence[Mapping[str, str]] | None) -> dict[str, Any]:
    """Return what CreateTrainingJob is asked for a trial, but for its name.

    Args:
        trial: what is tried.
        tags: the tuning job's, which its training jobs get too.
    """
    definition = trial.definition
    fixed = {**(definition.get("StaticHyperParameters") or {})}
    if definition.get("TuningObjective"):
        fixed[OBJECTIVE_PARAMETER] = definition["TuningObjective"]["MetricName"]
    found = {member: definition[member] for member in _PASSED_ON if member in definition}
    found |= tuning_search.resources(definition)
    found["AlgorithmSpecification"] = dict(definition["AlgorithmSpecification"])
    found["HyperParameters"] = {**fixed, **trial.tuned}
    return found | ({"Tags": list(tags)} if tags else {})


def not_improving(values: Sequence[float], *, maximize: bool) -> int:
    """Return how many of the last values were no better than the best one before them by one percent.

    Args:
        values: objective values in order of their end, at least one.
        maximize: whether more is better.
    """
    best, count = values[0], 0
    for value in values[1:]:
        gain = value - best if maximize else best - value
        if gain > 0 and gain >= abs(best) * _BETTER:
            best, count = value, 0
        else:
            count += 1
    return count
