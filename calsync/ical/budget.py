"""How much one object may cost: a bound on occurrences, on steps and on processor time."""

from __future__ import annotations

from dataclasses import dataclass
from time import thread_time

_STRIDE = 1024  # steps between two looks at the clock


class BudgetExceeded(Exception):
    """An object's recurrence costs more than the budget given; what is known of it then is its rule, not its dates."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`instances`: occurrences. `steps`: candidate dates. `seconds`: CPU time of this thread. `octets`: of output."""

    instances: int = 10_000
    steps: int = 500_000
    seconds: float = 0.05
    octets: int = 20_000_000


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
