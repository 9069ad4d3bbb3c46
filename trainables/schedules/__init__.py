"""Learning-rate schedules: any kind with any parameters in one graph, so that a change of schedule never retraces.

`formulas` has the rate of each kind at a step, `variable` the Keras schedule that takes any of them, and `plateau` the
rule of the one that depends on the validation loss.
"""

from trainables.schedules.variable import VariableSchedule as VariableSchedule
