"""What KubeRay's operator refuses of a RayJob's `deletionStrategy`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from tests.cluster.kubernetes.operator.schema import Object, Problems
from tuner.spec.space import shown

_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")
"""What goes earlier must not be kept for longer."""
_ENDS = ("onSuccess", "onFailure")


def deletion_problems(spec: Object) -> Problems:
    """Of a job's `spec`, as (path in it, rule)."""
    strategy = spec.get("deletionStrategy")
    if strategy is None:
        return
    rules, ends = strategy.get("deletionRules", []), {end: strategy[end] for end in _ENDS if end in strategy}
    if not rules and not ends:
        yield "deletionStrategy", "must have deletionRules, or onSuccess and onFailure"
    if rules and ends:
        yield "deletionStrategy.deletionRules", "must not be given beside onSuccess and onFailure"
    if rules and spec.get("shutdownAfterJobFinishes"):
        yield "deletionStrategy.deletionRules", "must not be given beside shutdownAfterJobFinishes: true"
    if ends:
        yield from _end_problems(spec, ends)
    for index, rule in enumerate(rules):
        path = f"deletionStrategy.deletionRules[{index}]"
        yield from _policy_problems(spec, f"{path}.policy", rule["policy"])
        yield from _condition_problems(f"{path}.condition", rule["condition"])
    yield from _order_problems(rules)


def _end_problems(spec: Object, ends: Mapping[str, Object]) -> Problems:
    for end in _ENDS:
        path = f"deletionStrategy.{end}"
        policy = ends.get(end, {}).get("policy")
        if policy is None:
            yield path, "must have a policy, as both ends must have one"
            continue
        yield from _policy_problems(spec, f"{path}.policy", policy)
        if policy == "DeleteNone" and spec.get("shutdownAfterJobFinishes"):
            yield f"{path}.policy", "must not be DeleteNone beside shutdownAfterJobFinishes: true"


def _policy_problems(spec: Object, path: str, policy: str) -> Problems:
    if spec.get("clusterSelector") and policy in ("DeleteCluster", "DeleteWorkers"):
        yield path, f"must not be {policy} with a clusterSelector"
    elif policy == "DeleteWorkers" and spec.get("rayClusterSpec", {}).get("enableInTreeAutoscaling"):
        yield path, "must not be DeleteWorkers with enableInTreeAutoscaling: true"


def _condition_problems(path: str, condition: Object) -> Problems:
    if len({"jobStatus", "jobDeploymentStatus"} & condition.keys()) != 1:
        yield path, "must have one of jobStatus and jobDeploymentStatus"


def _order_problems(rules: Sequence[Object]) -> Problems:
    """Between the rules of one way to end."""
    kept_s: dict[str, dict[str, int]] = {}
    for index, rule in enumerate(rules):
        condition = rule["condition"]
        status = str(condition.get("jobStatus", condition.get("jobDeploymentStatus")))
        of_status = kept_s.setdefault(status, {})
        if rule["policy"] in of_status:
            yield f"deletionStrategy.deletionRules[{index}]", f"must not repeat {rule['policy']} for {shown(status)}"
        of_status[rule["policy"]] = condition.get("ttlSeconds", 0)
    for status, of_status in kept_s.items():
        ordered = [policy for policy in _ORDER if policy in of_status]
        for earlier, later in itertools.pairwise(ordered):
            if of_status[later] < of_status[earlier]:
                order = f"{later} must not come before {earlier} for {shown(status)}"
                yield "deletionStrategy.deletionRules", f"{order}, but got {of_status[later]} s, {of_status[earlier]} s"
