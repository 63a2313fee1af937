"""Settings to plan: what stands at the stage in the config, with which weight, protected or not.

The plan is a value: the arguments of every component and the record that the guard compares. Pure; everyone reads the same.
"""

from inference_rollouts.plan.build import plan_for
from inference_rollouts.plan.values import ModelServiceArgs, Plan, ServedVersionArgs

__all__ = ["ModelServiceArgs", "Plan", "ServedVersionArgs", "plan_for"]
