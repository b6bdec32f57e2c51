"""The goals of docs/performance.md, each with how its figure is read from the results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table: what, its limit, whether the figure must stay below it or above it."""

    what: str
    limit: float
    figure: Callable[[Results], float]
    below: bool = True
    unit: str = "x"

    def judge(self, results: Results) -> tuple[str, str, str]:
        """Limit, figure and verdict as words; "not measured" when the run left it out."""
        sign, unit = ("<=" if self.below else ">="), f" {self.unit}" if self.unit != "x" else " x"
        limit = f"{sign} {self.limit:g}{unit}"
        try:
            figure = self.figure(results)
        except KeyError:
            return limit, "-", "not measured"
        met = figure <= self.limit if self.below else figure >= self.limit
        return limit, f"{figure:.3g}{unit}", "met" if met else "NOT MET"


def worst_ratio(size: str, key: str) -> Callable[[Results], float]:
    """The less good of the two ratios to the floor, with and without a card."""

    def read(results: Results) -> float:
        both = [results["sizes"][size][kind]["ratio"][key] for kind in ("card", "none")]
        return max(both) if key.startswith("p") and key.endswith("_ms") else min(both)

    return read


def worst(size: str, key: str, pick: Callable[..., float] = max) -> Callable[[Results], float]:
    """The less good of the two own figures, with and without a card."""
    return lambda results: pick(results["sizes"][size][kind]["service"][key] for kind in ("card", "none"))


def tail(results: Results) -> float:
    rows = [results["sizes"]["medium"][kind]["service"] for kind in ("card", "none")]
    return max(row["p99_ms"] / row["p50_ms"] for row in rows)


def beside_healthchain(results: Results) -> float:
    row = results["peers"]["medium"]
    return float(row["service"]["per_second"] / row["healthchain"]["per_second"])


def growth(results: Results) -> float:
    """Cost of an Observation at the largest chart over the cost at 1,000, both without the fixed part of a call."""
    rows = {row["observations"]: row["p50_ms"] for row in results["linearity"]}
    fixed, largest = rows[10], max(rows)
    return ((rows[largest] - fixed) / largest) / ((rows[1000] - fixed) / 1000)


GOALS = (
    Goal("small: p50 to floor", 3, worst_ratio("small", "p50_ms")),
    Goal("small: throughput at 8 to floor", 0.35, worst_ratio("small", "per_second"), below=False),
    Goal("medium: p50 to floor", 2, worst_ratio("medium", "p50_ms")),
    Goal("medium: throughput at 8 to floor", 0.5, worst_ratio("medium", "per_second"), below=False),
    Goal("medium: throughput to HealthChain", 6, beside_healthchain, below=False),
    Goal("medium: p99 to own p50", 3, tail),
    Goal("medium: p50 to floor, evidence validated", 8, lambda results: results["validating"]["ratio"]),
    Goal("large: p50 to floor", 1.5, worst_ratio("large", "p50_ms")),
    Goal("large: throughput at 8 to floor", 0.65, worst_ratio("large", "per_second"), below=False),
    Goal("large: peak memory of a worker", 150, worst("large", "peak_worker_mb"), unit="MB"),
    Goal("large: least-served connection", 0.6, worst("large", "least_served", min), below=False, unit="of the mean"),
    Goal("hostile: p50", 500, worst("hostile", "p50_ms"), unit="ms"),
    Goal("hostile: two workers at 8", 400, worst("hostile", "peak_workers_mb"), unit="MB"),
    Goal("hostile: small beside it, worst", 3000, lambda results: results["neighbour"]["worst_ms"], unit="ms"),
    Goal("start: CPU of the import", 1.5, lambda results: results["start"]["import_cpu_s"], unit="s"),
    Goal("start: memory after the import", 100, lambda results: results["start"]["import_mb"], unit="MB"),
    Goal("start: first answer", 3, lambda results: results["start"]["first_answer_s"], unit="s"),
    Goal("start: first request to later p50", 5, lambda results: results["start"]["first_request_ratio"]),
    Goal("growth: 20,000 to 1,000 Observations, each", 1.5, growth),
)
