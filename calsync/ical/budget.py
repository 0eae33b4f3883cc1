"""How much one object may cost, and all objects of one request: occurrences, steps, processor time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import thread_time

_STRIDE = 1024  # steps between two looks at the clock
_FREE = 0.005  # seconds that an object may take without being counted: what calendars are made of takes less than one


class BudgetExceeded(Exception):
    """An object's recurrence costs more than the budget given; what is known of it then is its rule, not its dates."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`instances`: occurrences. `steps`: candidate dates. `seconds`: CPU time of this thread. `octets`: of output."""

    instances: int = 10_000
    steps: int = 500_000
    seconds: float = 0.05
    octets: int = 20_000_000

    def up_to(self, instances: int) -> Budget:
        """The same for fewer occurrences."""
        return replace(self, instances=min(instances, self.instances))


class Meter:
    """What is left of a budget while it is spent."""

    __slots__ = ("_deadline", "_instances", "_octets", "_steps", "_stride", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._steps = budget.steps
        self._instances = budget.instances
        self._octets = budget.octets
        self._stride = _STRIDE
        self._deadline = 0.0  # the clock starts with the first look at it: cheap objects never look

    def spend(self, steps: int) -> None:
        """Ask before doing. Raises BudgetExceeded."""
        self._stride -= steps
        if self._stride < 0:
            self._settle()

    def instance(self) -> None:
        """One more occurrence. Raises BudgetExceeded."""
        self._instances -= 1
        if self._instances < 0:
            raise BudgetExceeded(f"more than {self.budget.instances} occurrences")

    def output(self, octets: int) -> None:
        """So much more text: a large event, many times. Raises BudgetExceeded."""
        self._octets -= octets
        if self._octets < 0:
            raise BudgetExceeded(f"more than {self.budget.octets} octets")

    def _settle(self) -> None:
        self._steps -= _STRIDE - self._stride
        self._stride = 0  # once spent, it stays spent
        if self._steps < 0:
            raise BudgetExceeded(f"more than {self.budget.steps} candidate dates")
        now = thread_time()
        if not self._deadline:
            self._deadline = now + self.budget.seconds
        elif now > self._deadline:
            raise BudgetExceeded(f"more than {self.budget.seconds} s of CPU time")
        self._stride = _STRIDE


class Purse:
    """What the dear objects of one request may cost together, in seconds of processor time.

    A budget bounds each object; a thousand of them would still hold a worker for a minute. Ordinary objects cost
    nothing here, however many they are.
    """

    __slots__ = ("_left", "_ordinary")

    def __init__(self, seconds: float = 2.0, ordinary: Budget = Budget()) -> None:
        self._left = seconds
        self._ordinary = ordinary

    @property
    def empty(self) -> bool:
        return self._left <= 0

    def pay(self, begun: float) -> None:
        """For one object, looked at since `begun` (`thread_time` then, in this thread)."""
        spent = thread_time() - begun
        if spent > _FREE:
            self._left -= spent

    def budget(self) -> Budget:
        """For the next object: the ordinary one, or next to nothing where nothing is left."""
        return self._ordinary if self._left > 0 else _SPENT


_SPENT = Budget(instances=100, steps=1000, seconds=0.001)
