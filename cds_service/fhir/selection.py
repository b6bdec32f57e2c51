"""Which of many results must be read so that the judgement is the same as if all were read.

Knows: how far back the rules look for each input. Reading a result in full costs ten times as much as telling its input
and its time, and of a long chart the rules look at little.
Must not know: Observations, units, values other than through the measurements that were read.

The reason, and the guarantee. Results of one input are read from the newest backwards, all of one instant together:
- any input: until one has a number. Rules ask for the newest result, or the newest with a number; a gap counts only
  when it is newer than the newest number. So what lies behind cannot be asked for.
- eGFR: until one is 60 or more, or until they have been lower for 90 days (CL-62); creatinine: a week before the newest
  (CL-63), all where calcium or alkali is taken, for then the lowest of all times counts (CL-69).
- total calcium, adjusted calcium and phosphate: back to a time T that lies well behind the third pair. A pair is made
  from its newer member backwards and depends on results at most `reach` older, and on which results newer pairs used.
  So pairs whose newer member lies at least twice that after T are the same whatever lies before T. Whether three pairs
  gave products, or the newest pair is stale, and whether calcium and phosphate can be judged alone, is asked of the
  rules themselves (is_complete); if not, T moves back, in the end to the beginning.
- what is used beside a calcium or phosphate (albumin, protein, ionised calcium, pH, potassium, ALP): also all that lie
  within ten days of a calcium or phosphate that was read.
tests/fhir/test_selection.py holds the judgement from selected results against that from all results.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Exposure, Measurement
from cds_service.calcinosis.knowledge import Criteria
from cds_service.calcinosis.names import Group, Input
from cds_service.calcinosis.present import judge_pairs
from cds_service.calcinosis.product import LOWER_BOUND, UPPER_BOUND

_CALCIUM: Final = (Input.CALCIUM, Input.ADJUSTED_CALCIUM)
_PAIRED: Final = frozenset({*_CALCIUM, Input.PHOSPHATE})
_USED_BESIDE: Final = frozenset(
    {
        *(Input.ALBUMIN, Input.TOTAL_PROTEIN, Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74),
        *(Input.PH, Input.POTASSIUM, Input.ALP),
    }
)
_EGFR: Final = Input.EGFR
_CREATININE: Final = Input.CREATININE
_MILK_ALKALI: Final = frozenset({Group.ORAL_CALCIUM, Group.ALKALI, Group.IV_CALCIUM})
# Results of one calendar date without time are not apart (CL-33); across zones such two lie up to 50 h apart.
_ONE_DATE: Final = timedelta(days=3)
# With so few there is nothing to win.
_FEW: Final = 24
_PAIRS: Final = 3
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


class Selection:
    """Reads results until enough are read.

    found: by input, places of results; instants: when those of all places were taken; read: reads one in full.
    """

    def __init__(
        self,
        found: Mapping[str, list[int]],
        instants: Sequence[datetime],
        read: Callable[[int], Sequence[Measurement]],
        measurements: Sequence[Measurement],
        criteria: Criteria,
    ) -> None:
        self._left = found
        self._instants = instants
        self._read = read
        self._measurements = measurements
        self._criteria = criteria
        c = criteria
        beside = max(c.albumin_window_acute, c.albumin_window_outpatient, c.ionized_window, c.same_draw_window)
        self._beside = beside + _ONE_DATE
        self._reach = max(c.pair_far_window, c.pair_near_window, c.same_draw_window) + _ONE_DATE
        self._pairs = _PAIRS
        self._from: datetime | None = None
        for results in found.values():
            results.sort(key=instants.__getitem__, reverse=True)

    def start(self, known: frozenset[str]) -> None:
        """Read what is most likely enough. known: the inputs that a rule or a gap can speak of; others are left."""
        for name, queue in self._left.items():
            if name == _EGFR:
                self._until(queue, self._has_settled_egfr)
            elif name == _CREATININE:
                self._until(queue, self._has_settled_creatinine)
            elif name in known:
                self._until(queue, _has_number)
        self._go_back()

    def heed(self, exposures: Iterable[Exposure]) -> None:
        """Read what the medicines ask for."""
        queue = self._left.get(_CREATININE)
        if queue and any(each.active and each.group in _MILK_ALKALI for each in exposures):
            self._take(queue, len(queue))

    def left(self) -> list[int]:
        """What was not read."""
        return [place for queue in self._left.values() for place in queue]

    def is_cut_off(self) -> bool:
        """Whether calcium or phosphate was left out."""
        return self._from is not None and any(self._left.get(name) for name in _PAIRED)

    def is_complete(self, chart: Chart) -> bool:
        """Whether what was left out of calcium and phosphate cannot change what the rules see in the chart."""
        since = (self._from or _BEGINNING) + 2 * self._reach
        if not self._is_spoken_for(chart.calcium, _CALCIUM, since):
            return False
        if not self._is_spoken_for(chart.phosphate, (Input.PHOSPHATE,), since):
            return False
        judged = judge_pairs(chart)
        products = judged.products
        if judged.result is None:
            products = products[:1]
        elif len(products) < _PAIRS:
            return False
        return bool(products) and all(each.pair.later.taken.at >= since for each in products)

    def read_further(self) -> None:
        """Move further back."""
        self._pairs *= 4
        self._go_back()

    def _is_spoken_for(self, results: Sequence[Measurement], names: Sequence[str], since: datetime) -> bool:
        """Whether one of the results may be judged alone, or there are no others to find."""
        return not any(self._left.get(name) for name in names) or any(
            m.taken.at >= since and m.comparator not in UPPER_BOUND for m in results
        )

    # ---- reading

    def _until(self, queue: list[int], is_enough: Callable[[list[Measurement]], bool]) -> None:
        """Read from the newest backwards, results of one instant together."""
        read: list[Measurement] = []
        instants, end = self._instants, 0
        while end < len(queue):
            at = instants[queue[end]]
            read += self._read(queue[end])
            end += 1
            if is_enough(read) and (end == len(queue) or instants[queue[end]] != at):
                break
        del queue[:end]

    def _take(self, queue: list[int], count: int) -> None:
        for place in queue[:count]:
            self._read(place)
        del queue[:count]

    def _go_back(self) -> None:
        """Read calcium and phosphate back to the time in question, then what is used beside them."""
        queues = [queue for name in _PAIRED if (queue := self._left.get(name))]
        start = self._from = self._start() if sum(map(len, queues)) > _FEW else None
        for queue in queues:
            self._take(queue, len(queue) if start is None else sum(self._instants[place] >= start for place in queue))
        anchors = sorted(m.taken.at for m in self._measurements if m.input in _PAIRED)
        for name in _USED_BESIDE:
            queue = self._left.get(name)
            if queue and anchors:
                far = []
                for place in queue:
                    at = self._instants[place]
                    after = bisect_left(anchors, at - self._beside)
                    if after < len(anchors) and anchors[after] <= at + self._beside:
                        self._read(place)
                    else:
                        far.append(place)
                queue[:] = far

    def _start(self) -> datetime | None:
        """A time that lies well behind the oldest pair that is wanted, by the times alone; None: the beginning."""
        calcium = [self._instants[place] for name in _CALCIUM for place in self._left.get(name, ())]
        phosphate = [self._instants[place] for place in self._left.get(Input.PHOSPHATE, ())]
        for measurement in self._measurements:
            if measurement.input in _PAIRED:
                (calcium if measurement.input in _CALCIUM else phosphate).append(measurement.taken.at)
        calcium.sort()
        phosphate.sort()
        wanted = self._pairs
        while calcium and phosphate:
            one, other = calcium[-1], phosphate[-1]
            if abs(one - other) <= self._criteria.pair_far_window:
                wanted -= 1
                if not wanted:
                    return min(one, other) - 2 * self._reach
                calcium.pop()
                phosphate.pop()
            else:
                (calcium if one > other else phosphate).pop()
        return None

    def _has_settled_egfr(self, read: list[Measurement]) -> bool:
        """Whether older results can no longer prove, nor disprove, a lasting low eGFR."""
        c = self._criteria
        counted = [m for m in read if m.value is not None and m.comparator not in LOWER_BOUND]
        return any(
            (m.value is not None and m.value >= c.egfr_ckd) or counted[0].taken.at - m.taken.at >= c.ckd_duration_window
            for m in counted
        )

    def _has_settled_creatinine(self, read: list[Measurement]) -> bool:
        """Whether older results lie beyond the week in which creatinine may have risen."""
        counted = [m for m in read if m.value is not None and m.comparator is None]
        return bool(counted) and counted[0].taken.at - counted[-1].taken.at > self._criteria.aki_ratio_window


def _has_number(read: list[Measurement]) -> bool:
    return any(m.value is not None for m in read)
