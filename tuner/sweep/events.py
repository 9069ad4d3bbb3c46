"""The events of a sweep, and their JSON form: one object a line, with the event's type in the field `event`.

These events define a sweep completely. Types and fields may be added, never changed. Floats that JSON cannot represent
(NaN, infinities) are written as null; `metric_value` reads null as NaN.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from tuner.base.outcomes import EndState, FailureCause, Outcome
from tuner.base.words import Params

Metrics = dict[str, float | None]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="event"):
    """The fields of every event: `at`, Unix seconds, and `seq`, its index in the journal. The journal sets both.

    Within one driver `at` never decreases, even if the clock is set back. The next driver reads the clock again, so its
    events may have an earlier `at`.

    Events hold plain values and never each other, so the garbage collector need not track half a million of them.
    """

    at: float = 0.0
    seq: int = -1


def epochs_max(params: Params) -> int:
    """The epochs of a trial's whole training; the parameters in a journal always include them as `epochs`."""
    return int(params["epochs"] or 0)  # type: ignore[arg-type]


class SweepStarted(Event, frozen=True, kw_only=True, gc=False, tag="sweep_started"):
    """The first event of a journal.

    Attributes:
        spec: the resolved spec.
        sweep_id: unique among all sweeps, whatever their names.
        root_id: the id of the storage root.
        url: the sweep's folder.
        copied_from: for a copy, the original's `sweep`, `sweep_id` and `url`, and the number of copied `events`.
        code: the manifest of the trainable's code (see `tuner.inspection.provenance.code.Code`); empty if unknown.
        data: the spec's data as `source`, the arrays that the trainable loads as `arrays`, and what they are,
            without their rows, as `described`; empty if unknown.
        learned: what `load_data` left in the trainable (see `tuner.inspection.provenance.learned`); empty if unknown.
        work_folder: the folder in which the trainable's code runs; empty if unknown, or if it differs between nodes.
        started_by: NAME@HOST of whoever started the sweep; empty if unknown.
        policy: the version of the policy that decides (`tuner.policy.VERSION`); 0 in older journals.
        script: whether trials are processes of a script, a loop of the user's own or a command.
        git: `commit`, `branch`, `url` and `dirty` of the code's repository, each if it is known.
        names: the version of the rules by which MLflow's keys are made (`tuner.recording.names.RULES`).
    """

    spec: dict[str, Any]
    versions: dict[str, str]
    seed: int
    sweep_id: str = ""
    root_id: str = ""
    url: str = ""
    copied_from: dict[str, Any] = {}
    code: dict[str, Any] = {}
    data: dict[str, Any] = {}
    learned: dict[str, Any] = {}
    work_folder: str = ""
    started_by: str = ""
    policy: int = 0
    script: bool = False
    git: dict[str, Any] = {}
    names: int = 0


class WarmStarted(Event, frozen=True, kw_only=True, gc=False, tag="warm_started"):
    """What the policy learns from one earlier sweep, experiment or probe; written together with `sweep_started`.

    Each item of `trials` has `trial`, `params`, `epoch`, `epochs_max`, `value` and `bad` (see `tuner.policy.earlier`).
    They are not trials of this sweep and count in none of its figures. `points` are configurations of a probe, which
    the sweep trains first, after those of its spec.
    """

    source: str
    trials: list[dict[str, Any]]
    points: list[Params] = []


class SlotsChanged(Event, frozen=True, kw_only=True, gc=False, tag="slots_changed"):
    """From now on the cluster can train this many trials at the same time."""

    slots: int


class TrialSuggested(Event, frozen=True, kw_only=True, gc=False, tag="trial_suggested"):
    """The policy suggested a trial. `origin` says how it was drawn: point, random, broad, tpe or grid."""

    trial: int
    params: Params
    origin: str

    @property
    def epochs_max(self) -> int:
        """Epochs of its whole training."""
        return epochs_max(self.params)


class TrialStarted(Event, frozen=True, kw_only=True, gc=False, tag="trial_started"):
    """A worker started an attempt (from 1) at a trial, and continues from `epoch` (0: from the start).

    `passed_over` lists newer checkpoints that could not be read. `used` holds learning_rate, batch_size and epochs as
    the training really uses them, for a model that compiles itself, where they may differ from the trial's parameters.
    `jit_compile` says whether XLA compiles the trial's steps; null where that was never a question.
    `gpu_names` says what cards `gpus` are, and `examples` how many training examples an epoch has; 0 if unknown.
    """

    trial: int
    attempt: int
    node: str
    pid: int
    gpus: list[str]
    epoch: int = 0
    passed_over: list[str] = []
    used: dict[str, int | float] = {}
    jit_compile: bool | None = None
    gpu_names: list[str] = []
    examples: int = 0


class EpochReported(Event, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="epoch_reported"):
    """One validated epoch (from 1), and the policy's decision after it: continue or stop.

    `outcome` is what the trial ends as by a decision to stop; earlier versions did not write it.
    """

    trial: int
    attempt: int
    epoch: int
    metrics: Metrics
    epoch_s: float
    decision: str
    reason: str
    outcome: Outcome | None = None


class TrialLogged(Event, frozen=True, kw_only=True, gc=False, tag="trial_logged"):
    """Parameters and tags that a trial's script has logged to MLflow itself. Of a name's values the first one stays."""

    trial: int
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class SystemSampled(Event, frozen=True, kw_only=True, gc=False, tag="system_sampled"):
    """What the node of a trial did: samples with `ago_s`, the seconds before this event, and figures by the names that
    MLflow's system metrics have after `system/`. Nothing follows from it.
    """

    trial: int
    samples: list[dict[str, float]]


class CheckpointSaved(Event, frozen=True, kw_only=True, gc=False, tag="checkpoint_saved"):
    """A checkpoint after `epoch` was written to `path`, relative to the sweep's folder.

    A `full` checkpoint holds everything that training needs to continue, including the best epoch's weights. A `best`
    checkpoint holds only those weights. `test` holds their test metrics if the trainable has test data; the policy
    never sees them. `write_s` is the seconds that writing took, in parallel with training.
    """

    trial: int
    epoch: int
    path: str
    best_epoch: int = 0
    test: Metrics = {}
    kind: str = "full"
    write_s: float = 0.0


class CheckpointsDeleted(Event, frozen=True, kw_only=True, gc=False, tag="checkpoints_deleted"):
    """An ended trial's checkpoints were deleted: all of them, or all but its newest best weights (`keeps_best`)."""

    trial: int
    keeps_best: bool = False


class AttemptFailed(Event, frozen=True, kw_only=True, gc=False, tag="attempt_failed"):
    """An attempt failed. `counts`: whether it uses up one of the trial's retries.

    `micro_batch_size`: memory ran out, and the trial's next attempts train at most so many examples of a batch at once;
    0 for whole batches again, as the model cannot be trained in parts.
    """

    trial: int
    attempt: int
    cause: FailureCause
    reason: str
    counts: bool = True
    micro_batch_size: int | None = None


class TrialEnded(Event, frozen=True, kw_only=True, gc=False, tag="trial_ended"):
    """The trial has ended for good."""

    trial: int
    outcome: Outcome
    reason: str


class ClockJumped(Event, frozen=True, kw_only=True, gc=False, tag="clock_jumped"):
    """The clock of the driver's machine jumped by `by_s` seconds (negative: back): it was set, or the machine slept.

    The `at` of later events ignores the jump, so that differences stay correct. As times of day they are off by it.
    """

    by_s: float


class SweepInterruptedEvent(Event, frozen=True, kw_only=True, gc=False, tag="sweep_interrupted"):
    """The driver stopped in an orderly way before the sweep ended."""

    reason: str


class SweepResumed(Event, frozen=True, kw_only=True, gc=False, tag="sweep_resumed"):
    """Another driver continues the sweep; `changes` maps paths in the spec to their new values.

    The other fields are as in `sweep_started`. `root_id` and `url` may differ, because a storage root may be moved
    together with its sweeps. `code`, `data`, `learned` and `versions` are empty if they did not change. `git` is of
    today's files, which are trained with only if `code` is there. From now on the policy of this version decides.
    """

    changes: dict[str, Any]
    root_id: str = ""
    url: str = ""
    code: dict[str, Any] = {}
    data: dict[str, Any] = {}
    learned: dict[str, Any] = {}
    versions: dict[str, str] = {}
    policy: int = 0
    git: dict[str, Any] = {}


class SweepEnded(Event, frozen=True, kw_only=True, gc=False, tag="sweep_ended"):
    """The sweep has ended."""

    reason: str
    state: EndState = "finished"


AnyEvent = (
    SweepStarted
    | WarmStarted
    | SlotsChanged
    | TrialSuggested
    | TrialStarted
    | EpochReported
    | TrialLogged
    | SystemSampled
    | CheckpointSaved
    | CheckpointsDeleted
    | AttemptFailed
    | TrialEnded
    | ClockJumped
    | SweepInterruptedEvent
    | SweepResumed
    | SweepEnded
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: AnyEvent) -> bytes:
    """The event as one line of JSON, including the newline.

    Text from user code, such as a file name, may hold lone surrogates, which UTF-8 cannot: they are written as
    `\\udce9`.
    """
    try:
        return _encoder.encode(event) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_encodable(msgspec.to_builtins(event))) + b"\n"


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_encodable(name): _encodable(item) for name, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
    return value


def decode(line: bytes) -> AnyEvent:
    """The event of one line of JSON.

    Raises:
        msgspec.DecodeError: the line is not JSON.
        msgspec.ValidationError: it is JSON, but not an event that this version knows.
    """
    return _decoder.decode(line)


def metric_value(value: float | None) -> float:
    """A metric's value as a float; null in JSON is NaN."""
    return math.nan if value is None else value
