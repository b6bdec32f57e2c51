"""Which causes the laboratory values and medicines fit although no Condition names them.

Knows: the pattern and exposure forms of section 4 (CL-62 to CL-76). A pattern is given only when every part of it is
known and met; an exposure is a fitting active medicine with an abnormal value and nothing that contradicts it.
Must not know: tiers, words. Longer than 300 lines because the thirteen patterns stand in the order of section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from cds_service.calcinosis.assessment import Basis, CauseFound, Dialysis
from cds_service.calcinosis.causes import Levels, found
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Measurement, Position, Route
from cds_service.calcinosis.names import CauseId, Concept, Group, Input
from cds_service.calcinosis.product import phosphate_exposures
from cds_service.calcinosis.turnover import CANCERS, lysis_items, muscle_breakdown

HPT = (CauseId.PRIMARY_HPT, CauseId.SECONDARY_HPT, CauseId.TERTIARY_HPT)
NOT_HIGH = (Position.LOW, Position.NORMAL)


@dataclass(frozen=True)
class Evidence:
    """The levels in force and the results they were read from; unusual letters of a pattern, read once.

    calcium, phosphate: the results behind the levels, None when unknown.
    """

    chart: Chart
    levels: Levels
    calcium: Measurement | None
    phosphate: Measurement | None
    recorded: frozenset[str]

    @property
    def pth(self) -> Measurement | None:
        """The newest PTH within the context window."""
        return self.chart.latest(Input.PTH)

    @property
    def pth_position(self) -> Position:
        """PTH low (below range or < 20 pg/mL), normal, high or unknown (section 4)."""
        pth = self.pth
        if pth is None or pth.value is None:
            return self.chart.latest_position(Input.PTH)
        if pth.value < self.chart.knowledge.criteria.pth_low_pg_ml and pth.comparator not in (">", ">="):
            return Position.LOW
        return self.chart.position(pth)

    def pth_multiple(self) -> Decimal | None:
        """PTH as a multiple of the upper limit of its range; None when either is unknown."""
        pth = self.pth
        limits = None if pth is None else self.chart.range_for(pth)
        if pth is None or pth.value is None or limits is None or not limits.high:
            return None
        return pth.value / limits.high

    @property
    def calcium_high(self) -> bool:
        """Calcium is above range."""
        return self.levels.calcium is Position.HIGH

    def refs(self, *inputs: str) -> list[str]:
        """References of calcium, phosphate and the newest results of these inputs."""
        results = [self.calcium, self.phosphate, *(self.chart.latest(name) for name in inputs)]
        return [m.reference for m in results if m is not None]


def patterns(evidence: Evidence) -> list[CauseFound]:
    """Return the causes that the values fit and the record does not name, in the order of section 4."""
    rules: tuple[Callable[[Evidence], CauseFound | None], ...] = (
        kidney_disease,
        kidney_injury,
        primary_hyperparathyroidism,
        secondary_hyperparathyroidism,
        tertiary_hyperparathyroidism,
        paraneoplastic,
        milk_alkali,
        vitamin_d_excess,
        granulomatous,
        tumour_lysis,
        phosphate_load,
        rhabdomyolysis,
        familial_tumoral_calcinosis,
    )
    fitting = (rule(evidence) for rule in rules)
    return [cause for cause in fitting if cause is not None and cause.id not in evidence.recorded]


def kidney_disease(e: Evidence) -> CauseFound | None:
    """eGFR below 60 for more than three months (CL-62)."""
    proof = e.chart.lasting_low_egfr
    if proof is None or e.chart.ckd is not None or proof[0].value is None:
        return None
    stage = {3: CauseId.CKD_3, 4: CauseId.CKD_4, 5: CauseId.CKD_5}[e.chart.grade_of(proof[0].value)]
    return found(e.chart, stage, Basis.PATTERN, [m.reference for m in proof])


def kidney_injury(e: Evidence) -> CauseFound | None:
    """Creatinine 1.5 x baseline within 7 days, or +0.3 mg/dL within 48 h (CL-63); not where kidneys have failed."""
    criteria = e.chart.knowledge.criteria
    if e.chart.kidney_grade == 5 or e.chart.dialysis is Dialysis.MAINTENANCE:
        return None
    results = [m for m in e.chart.results(Input.CREATININE) if m.value is not None and m.comparator is None]
    if not results or e.chart.now - results[0].taken.at > criteria.aki_ratio_window or results[0].value is None:
        return None
    newest, level = results[0], results[0].value
    for earlier in results[1:]:
        span = newest.taken.at - earlier.taken.at
        if span > criteria.aki_ratio_window or not earlier.value:
            break
        rose = level - earlier.value >= criteria.aki_rise_mg_dl and span <= criteria.aki_rise_window
        if rose or level >= criteria.aki_ratio * earlier.value:
            return found(e.chart, CauseId.AKI, Basis.PATTERN, [newest.reference, earlier.reference])
    return None


def primary_hyperparathyroidism(e: Evidence) -> CauseFound | None:
    """Calcium high, PTH high or inappropriately normal, phosphate low or low-normal, no kidney failure (CL-64).

    An eGFR below 30, or recorded kidney failure, rules it out; an eGFR that was not measured does not.
    """
    egfr = e.chart.latest(Input.EGFR)
    measured_failure = (
        egfr is not None and egfr.value is not None and egfr.value < e.chart.knowledge.criteria.egfr_severe
    )
    recorded_failure = (
        e.chart.kidney_grade in (4, 5) or e.chart.dialysis is not Dialysis.NONE or e.chart.has(CauseId.AKI)
    )
    kidneys_work = not measured_failure and not recorded_failure
    fits = e.calcium_high and e.pth_position in (Position.NORMAL, Position.HIGH) and _low_normal(e) and kidneys_work
    if not fits or CauseId.KIDNEY_TRANSPLANT in e.chart.transplants or e.recorded & set(HPT):
        return None
    return found(e.chart, CauseId.PRIMARY_HPT, Basis.PATTERN, e.refs(Input.PTH, Input.EGFR))


def _low_normal(e: Evidence) -> bool:
    if e.levels.phosphate is Position.LOW:
        return True
    if e.phosphate is None or e.phosphate.value is None or e.levels.phosphate is not Position.NORMAL:
        return False
    limits = e.chart.range_for(e.phosphate)
    return (
        limits is not None
        and limits.low is not None
        and limits.high is not None
        and (e.phosphate.value <= (limits.low + limits.high) / 2)
    )


def secondary_hyperparathyroidism(e: Evidence) -> CauseFound | None:
    """PTH high, calcium not high, with CKD and high phosphate or with low vitamin D (CL-65); on dialysis only > 9 x."""
    if e.levels.calcium not in NOT_HIGH or e.pth_position is not Position.HIGH or e.recorded & set(HPT):
        return None
    multiple = e.pth_multiple()
    kidney = e.chart.kidney_grade is not None and e.chart.kidney_grade >= 3
    if kidney and e.levels.phosphate is Position.HIGH:
        failed = e.chart.kidney_grade == 5
        if failed and (multiple is None or multiple <= e.chart.knowledge.criteria.hpt_ckd_pth_multiple):
            return None
        return found(e.chart, CauseId.SECONDARY_HPT, Basis.PATTERN, e.refs(Input.PTH))
    low_d = e.chart.latest_position(Input.VITAMIN_D_25, Input.VITAMIN_D_25_D3) is Position.LOW
    if low_d and e.levels.phosphate in NOT_HIGH:
        return found(e.chart, CauseId.SECONDARY_HPT, Basis.PATTERN, e.refs(Input.PTH, Input.VITAMIN_D_25))
    return None


def tertiary_hyperparathyroidism(e: Evidence) -> CauseFound | None:
    """PTH markedly high, calcium high, on dialysis with high phosphate or after a kidney transplant (CL-66)."""
    multiple = e.pth_multiple()
    if not e.calcium_high or multiple is None or e.recorded & set(HPT):
        return None
    if multiple < e.chart.knowledge.criteria.tertiary_pth_multiple:
        return None
    dialysis = e.chart.dialysis is Dialysis.MAINTENANCE and e.levels.phosphate is Position.HIGH
    graft = CauseId.KIDNEY_TRANSPLANT in e.chart.transplants and e.levels.phosphate in NOT_HIGH
    return found(e.chart, CauseId.TERTIARY_HPT, Basis.PATTERN, e.refs(Input.PTH)) if dialysis or graft else None


def paraneoplastic(e: Evidence) -> CauseFound | None:
    """Calcium high, with an active cancer and a PTH that is low or not measured, or PTHrP high and PTH low (CL-67)."""
    cancer = e.chart.active(*CANCERS)
    known_high = e.calcium_high or (
        e.levels.calcium is Position.UNKNOWN and bool(e.chart.stated(CauseId.HYPERCALCAEMIA))
    )
    hormone = e.chart.latest_position(Input.PTHRP) is Position.HIGH and e.pth_position is Position.LOW
    if not known_high or not (hormone or (cancer and e.pth_position in (Position.LOW, Position.UNKNOWN))):
        return None
    evidence = [f.reference for f in cancer] + e.refs(Input.PTH, Input.PTHRP)
    return found(e.chart, CauseId.PARANEOPLASTIC, Basis.PATTERN, evidence)


def milk_alkali(e: Evidence) -> CauseFound | None:
    """Calcium high, alkalosis, creatinine raised, PTH low and a calcium or alkali product in use (CL-69)."""
    products = tuple(
        x
        for x in e.chart.medicines(Group.ORAL_CALCIUM, Group.ALKALI, Group.IV_CALCIUM)
        if x.route is not Route.INTRAVENOUS
    )
    if not e.calcium_high or not products or e.pth_position in (Position.NORMAL, Position.HIGH):
        return None
    bicarbonate = e.chart.latest(Input.BICARBONATE, Input.TOTAL_CO2)
    alkalosis = (
        bicarbonate is not None
        and bicarbonate.value is not None
        and bicarbonate.value > e.chart.knowledge.criteria.bicarbonate_high_mmol_l
    )
    evidence = [x.reference for x in products] + e.refs(Input.PTH, Input.CREATININE)
    evidence += [bicarbonate.reference] if bicarbonate is not None else []
    kidney = creatinine_raised(e.chart)
    if alkalosis and kidney and e.pth_position is Position.LOW:
        return found(e.chart, CauseId.MILK_ALKALI, Basis.PATTERN, evidence)
    contradicted = bicarbonate is not None and not alkalosis
    if (alkalosis or kidney) and not contradicted and e.chart.dialysis is Dialysis.NONE:
        return found(e.chart, CauseId.MILK_ALKALI, Basis.EXPOSURE, evidence)
    return None


def creatinine_raised(chart: Chart) -> bool:
    """Tell whether creatinine is above its baseline, or above range when no baseline is known (CL-69)."""
    results = [m for m in chart.results(Input.CREATININE) if m.value is not None]
    newest = chart.latest(Input.CREATININE)
    if newest is None or newest.value is None:
        return False
    baseline = [m.value for m in results if m.value is not None and m.taken.at < newest.taken.at]
    if baseline:
        return newest.value >= chart.knowledge.criteria.aki_ratio * min(baseline)
    return chart.position(newest) is Position.HIGH


def vitamin_d_excess(e: Evidence) -> CauseFound | None:
    """25-OH vitamin D above the toxic limit, or active vitamin D in use, with calcium high and PTH low (CL-70)."""
    if not e.calcium_high or e.pth_position in (Position.NORMAL, Position.HIGH):
        return None
    criteria = e.chart.knowledge.criteria
    stored = e.chart.latest(Input.VITAMIN_D_25, Input.VITAMIN_D_25_D3)
    level = stored.value if stored is not None and stored.value is not None else Decimal(0)
    active = e.chart.medicines(Group.ACTIVE_VITAMIN_D)
    plain = e.chart.medicines(Group.NUTRITIONAL_VITAMIN_D)
    evidence = [x.reference for x in (*active, *plain)] + e.refs(Input.VITAMIN_D_25, Input.VITAMIN_D_25_D3, Input.PTH)
    if e.pth_position is Position.LOW and (level > criteria.vitamin_d_toxic_ng_ml or active):
        return found(e.chart, CauseId.VITAMIN_D_EXCESS, Basis.PATTERN, evidence)
    if level > criteria.vitamin_d_possible_ng_ml or active:
        return found(e.chart, CauseId.VITAMIN_D_EXCESS, Basis.EXPOSURE, evidence)
    return None


def granulomatous(e: Evidence) -> CauseFound | None:
    """Calcium high, PTH low, 1,25-(OH)2 vitamin D not low, 25-OH vitamin D not high (CL-71).

    Not where a cancer on the record explains the same values (CL-67).
    """
    if not e.calcium_high or e.recorded & {CauseId.SARCOIDOSIS, CauseId.GRANULOMA_OTHER, CauseId.INFECTIOUS_GRANULOMA}:
        return None
    infection = e.chart.active(Concept.TUBERCULOSIS, Concept.MYCOSIS, CauseId.HISTOPLASMOSIS, CauseId.CRYPTOCOCCOSIS)
    active_d = e.chart.latest_position(Input.VITAMIN_D_125)
    stored_d = e.chart.latest_position(Input.VITAMIN_D_25, Input.VITAMIN_D_25_D3)
    complete = e.pth_position is Position.LOW and active_d in (Position.NORMAL, Position.HIGH) and stored_d in NOT_HIGH
    if infection and e.pth_position in (Position.LOW, Position.UNKNOWN):
        evidence = [f.reference for f in infection] + e.refs(Input.PTH, Input.VITAMIN_D_125)
        return found(e.chart, CauseId.INFECTIOUS_GRANULOMA, Basis.PATTERN, evidence)
    if complete and not e.chart.medicines(Group.ACTIVE_VITAMIN_D) and not e.chart.has(*CANCERS):
        evidence = e.refs(Input.PTH, Input.VITAMIN_D_125, Input.VITAMIN_D_25)
        return found(e.chart, CauseId.GRANULOMA_OTHER, Basis.PATTERN, evidence)
    return None


def tumour_lysis(e: Evidence) -> CauseFound | None:
    """Two of urate, potassium, phosphate high, calcium low within one day, with a cancer on the record (CL-72).

    Source: howard-2011 (one day, no 25 % clause), limits of cairo-bishop-2004; urate or potassium must be among them.
    """
    cancer, met = e.chart.active(*CANCERS), lysis_items(e.chart)
    if not met or e.calcium_high or e.calcium is None:
        return None
    evidence = [f.reference for f in cancer] + [m.reference for m in met.values()]
    return found(e.chart, CauseId.TUMOUR_LYSIS, Basis.PATTERN, evidence)


def phosphate_load(e: Evidence) -> CauseFound | None:
    """Phosphate above 6.5 mg/dL within 72 h of a phosphate preparation (CL-73)."""
    if e.phosphate is None or e.phosphate.value is None:
        return None
    exposures = phosphate_exposures(e.chart, e.phosphate)
    if not exposures or e.levels.phosphate is not Position.HIGH:
        return None
    marked = e.phosphate.value > e.chart.knowledge.criteria.phosphate_load_mg_dl
    basis = Basis.PATTERN if marked and e.levels.calcium is not Position.HIGH else Basis.EXPOSURE
    intravenous = all(x.route is Route.INTRAVENOUS for x in e.chart.facts.exposures if x.reference in exposures)
    cause = CauseId.PARENTERAL_PHOSPHATE if intravenous else CauseId.PHOSPHATE_LOAD
    return found(e.chart, cause, basis, [*exposures, e.phosphate.reference])


def rhabdomyolysis(e: Evidence) -> CauseFound | None:
    """Creatine kinase above five times its upper limit with high phosphate (CL-74)."""
    if not muscle_breakdown(e.chart) or e.levels.phosphate is not Position.HIGH:
        return None
    return found(e.chart, CauseId.RHABDOMYOLYSIS, Basis.PATTERN, e.refs(Input.CK))


def familial_tumoral_calcinosis(e: Evidence) -> CauseFound | None:
    """Phosphate high, calcium normal, PTH not high, kidneys normal, and calcinosis on the record (CL-76).

    Without documented calcinosis a slightly high phosphate alone would be given this rare name.
    """
    egfr = e.chart.latest(Input.EGFR)
    kidneys = egfr is not None and egfr.value is not None and egfr.value >= e.chart.knowledge.criteria.egfr_ckd
    values = e.levels.phosphate is Position.HIGH and e.levels.calcium is Position.NORMAL and e.pth_position in NOT_HIGH
    calcinosis = e.chart.stated(CauseId.CALCINOSIS_CUTIS) or e.chart.active(CauseId.TUMORAL_CALCINOSIS)
    if not (values and kidneys and calcinosis) or e.chart.ckd is not None:
        return None
    return found(e.chart, CauseId.TUMORAL_CALCINOSIS, Basis.PATTERN, e.refs(Input.PTH, Input.EGFR))
