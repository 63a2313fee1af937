"""The program: the stack config becomes a plan, the plan becomes resources."""

import pulumi

from components import ClusterAccess, ClusterAccessArgs, Gateway, LiveChecks, ModelService, stack_config
from inference_rollouts import plan, settings
from inference_rollouts.errors import InputError

try:
    stack = settings.load(stack_config())
    wanted = plan.plan_for(stack)
except InputError as e:
    raise pulumi.RunError(f"the config of stack {pulumi.get_stack()} has {len(e.problems)} problem(s):\n{e}") from None

access = ClusterAccess("cluster", ClusterAccessArgs(**stack.cluster.model_dump()))
inside = pulumi.ResourceOptions(providers={"kubernetes": access.provider})
if wanted.gateway:
    Gateway("gateway", wanted.gateway, inside)
for service in wanted.services:
    ModelService(service.name, service, inside, live=LiveChecks(access, service))
    pulumi.export(service.name, service.outputs)
