"""Figures as Prometheus reads them. Its library is loaded when somebody asks for the first time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calsync.counters import families, sums
from calsync.counters.families import Family
from calsync.counters.page import Page
from calsync.counters.sums import Sums
from calsync.metrics.gauges import Gauges

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Figures:
    """`page`: of this process. `folder`: where those of all processes of the server are, None where it is alone."""

    page: Page
    gauges: Gauges
    folder: Path | None = None

    def sums(self) -> Sums:
        """What was counted by all, and what stands in the store."""
        try:
            counted = sums.of_page(self.page) if self.folder is None else sums.of_folder(self.folder)
        except OSError:
            counted = sums.of_page(self.page)
        return counted | self.gauges.sums()

    def text(self) -> bytes:
        """All of it for Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self.sums()))
        return generate_latest(registry)


class _Collected:
    def __init__(self, found: Sums) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        by_name: dict[str, list[tuple[tuple[str, ...], list[float]]]] = {}
        for (name, labels), numbers in sorted(self._found.items()):
            by_name.setdefault(name, []).append((labels, numbers))
        for name, family in families.ALL.items():
            samples = by_name.get(name, [])
            if not samples and not family.labels and not family.of_store:
                samples = [((), [0.0] * (len(family.buckets) + 2))]  # nothing yet is a figure, too
            if samples:
                yield _metric(family, samples)


def _metric(family: Family, samples: list[tuple[tuple[str, ...], list[float]]]) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
        bounds = [*map(str, family.buckets), "+Inf"]
        for labels, numbers in samples:
            histogram.add_metric(labels, list(zip(bounds, accumulate(numbers[:-1]), strict=True)), numbers[-1])
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = kind(family.name, family.text, labels=family.labels)
    for labels, numbers in samples:
        plain.add_metric(labels, numbers[0])
    return plain
