"""Which moves are asked about live: raises of a weight, and `retire`. A fall, and what an override allows, never is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from inference_rollouts import stages
from inference_rollouts.record import Record, Split


@dataclass(frozen=True)
class Raise:
    """What has to be asked about live in a move: whose canary gets more weight, and what gives up the quick way back.

    A fall, and creation, is neither.

    Attributes:
        pools: whether the pools' canary gets more weight.
        adapters: the adapters whose canary does.
        retired: what goes from 100 to `retire`: the empty name for the pools, or adapters. No weight rises there.
    """

    pools: bool
    adapters: tuple[str, ...]
    retired: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What is raised: the empty name for the pools, then the adapters."""
        return (("",) if self.pools else ()) + self.adapters

    @property
    def touched(self) -> tuple[str, ...]:
        """The adapters in question: those that rise, and those that retire."""
        return (*self.adapters, *(name for name in self.retired if name))

    def __bool__(self) -> bool:
        return bool(self.names or self.retired)


def raised(old: Record, new: Record) -> Raise:
    """What an allowed move has to be asked about; not what an override allows."""
    pairs = {"": (old.pools, new.pools)}
    pairs |= {name: (split, new.adapters[name]) for name, split in sorted(old.adapters.items()) if name in new.adapters}
    asked = {name: pair for name, pair in pairs.items() if not overridden(*pair)}
    rising = [name for name, pair in asked.items() if gains_weight(*pair)]
    return Raise(
        pools="" in rising,
        adapters=tuple(name for name in rising if name),
        retired=tuple(name for name, (before, after) in asked.items() if (before.stage, after.stage) == (100, "retire")),
    )


def gains_weight(old: Split, new: Split) -> bool:
    """Whether the canary gets more weight."""
    return stages.canary_weight(new.stage) > stages.canary_weight(old.stage)


def overridden(old: Split, new: Split) -> bool:
    """Whether an override allows exactly this move. One that is recorded already is spent."""
    override = new.override
    return override is not None and override != old.override and (override.origin, override.to) == (old.stage, new.stage)
