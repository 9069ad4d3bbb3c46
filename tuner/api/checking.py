"""What a spec would do: `tuner check`, and `tuner.check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.spec import SweepSpec

if TYPE_CHECKING:
    from tuner.inspection import Inspected

FIELDS = tuple(SweepSpec.model_fields)


def check_spec(
    spec: SweepSpec, source: str, address: str | None, *, is_strict: bool = False
) -> tuple[SweepSpec, dict[str, Any]]:
    """The spec, completed from its trainable, and what `tuner check --json` prints of it.

    Raises:
        SpecError: it does not match its trainable; one line for each problem.
        ServiceError: the cluster at `address` does not answer.
    """
    from tuner.backend.session import nodes_of
    from tuner.engine.slots import Slot
    from tuner.inspection import Inspection
    from tuner.inspection.work_folder import work_folder

    works_in = work_folder(spec.trainable, source)
    inspected = Inspection(
        spec, is_tried=address is None, works_in=works_in
    ).result()  # elsewhere it may need what is there
    inspected = inspected.of_new().strictly(is_strict)
    resolved = inspected.resolve(spec, source)
    slots = Slot.of(resolved.resources).count(nodes_of(address))
    warnings = [] if slots else ["resources: no node has room for one trial"]
    return resolved, findings(resolved, inspected, slots, warnings)


def findings(spec: SweepSpec, inspected: Inspected, slots: int | None, warnings: list[str]) -> dict[str, Any]:
    """What `tuner check --json` prints of a spec."""
    from tuner.base.secrets import unused_address
    from tuner.inspection.preview import preview
    from tuner.spec.sharing import artifact_warning

    found = preview(spec, inspected.num_train)
    told = [unused_address(spec.tracking.uri)]
    if (text := artifact_warning(spec.tracking.uri, spec.storage)) not in warnings:
        told.append(text)
    warnings = [*warnings, *filter(None, told)]
    return {
        "spec": spec.resolved(),
        "samples": found.samples,
        "slots": slots,
        "num_trials": found.num_trials,
        "epochs": {"without_early_stopping": found.epochs_full, "with_early_stopping": found.epochs_expected},
        "training_examples": inspected.num_train,
        "folds": inspected.num_folds or None,
        "data": inspected.digests.get("described") or {},
        "metrics": inspected.metrics,
        "path": inspected.path or None,
        "path_reason": inspected.why or None,
        "without_effect": sorted(inspected.without_effect),
        "effect_not_looked_at": inspected.not_looked_at,
        "warnings": [*inspected.all_warnings, *found.warnings, *warnings],
    }
