"""The ids of the clinical content that rules speak of; a test holds them against mappings/.

Knows: ids of inputs, causes, concepts, groups of medicines and kinds of events that a rule names.
Must not know: codes. A cause that no rule names singly has no entry here; it is handled by its type alone.
"""

from enum import StrEnum


class Input(StrEnum):
    """Ids of mappings/inputs.csv."""

    CALCIUM = "ca_total"
    ADJUSTED_CALCIUM = "ca_corrected_albumin"
    IONIZED_CALCIUM = "ca_ionized"
    IONIZED_CALCIUM_PH74 = "ca_ionized_ph74"
    PHOSPHATE = "phosphate"
    ALBUMIN = "albumin"
    TOTAL_PROTEIN = "protein_total"
    PTH = "pth_intact"
    PTHRP = "pthrp"
    VITAMIN_D_25 = "vitd_25oh_total"
    VITAMIN_D_25_D3 = "vitd_25oh_d3"
    VITAMIN_D_125 = "vitd_125oh2"
    CREATININE = "creatinine"
    EGFR = "egfr"
    ALP = "alp_total"
    BICARBONATE = "hco3"
    TOTAL_CO2 = "co2_total"
    PH = "ph_arterial"
    URATE = "urate"
    POTASSIUM = "potassium"
    CK = "ck"
    BMI = "bmi"


class CauseId(StrEnum):
    """Ids of mappings/causes.csv."""

    CKD = "chronic-renal-failure"
    CKD_1 = "ckd-stage-1"
    CKD_2 = "ckd-stage-2"
    CKD_3 = "ckd-stage-3"
    CKD_4 = "ckd-stage-4"
    CKD_5 = "ckd-stage-5"
    ESRD = "esrd-dialysis"
    AKI = "acute-kidney-injury"
    PRIMARY_HPT = "primary-hyperparathyroidism"
    SECONDARY_HPT = "secondary-hyperparathyroidism"
    TERTIARY_HPT = "tertiary-hyperparathyroidism"
    HPT_UNSPECIFIED = "hyperparathyroidism-unspecified"
    PARANEOPLASTIC = "paraneoplastic-hypercalcaemia"
    BONE_METASTASES = "bone-metastases"
    BONE_MALIGNANCY = "destructive-bone-malignancy"
    PAGET = "paget-disease-bone"
    OSTEOLYSIS = "osteolysis-other"
    IMMOBILISATION = "immobilisation"
    MILK_ALKALI = "milk-alkali-syndrome"
    VITAMIN_D_EXCESS = "vitamin-d-excess"
    SARCOIDOSIS = "sarcoidosis"
    INFECTIOUS_GRANULOMA = "infectious-granuloma-vitamin-d"
    HISTOPLASMOSIS = "histoplasmosis"
    CRYPTOCOCCOSIS = "cryptococcosis"
    GRANULOMA_OTHER = "granulomatous-disease-other"
    TUMOUR_LYSIS = "tumour-lysis-syndrome"
    PHOSPHATE_LOAD = "phosphate-load"
    PARENTERAL_PHOSPHATE = "parenteral-phosphate"
    PARENTERAL_CALCIUM = "parenteral-calcium"
    HEEL_STICKS = "heel-sticks-newborn"
    ELECTRODE_PASTE = "calcium-electrode-paste"
    RHABDOMYOLYSIS = "rhabdomyolysis"
    TREATED_HYPOPARATHYROIDISM = "hypoparathyroidism-treated"
    TUMORAL_CALCINOSIS = "tumoral-calcinosis"
    CALCIPHYLAXIS = "calciphylaxis"
    KIDNEY_TRANSPLANT = "transplant-kidney"
    LIVER_TRANSPLANT = "transplant-liver"
    HEART_TRANSPLANT = "transplant-heart"
    LUNG_TRANSPLANT = "transplant-lung"
    CALCINOSIS_CUTIS = "calcinosis-cutis"
    DYSTROPHIC_CALCIFICATION = "dystrophic-calcification"
    METASTATIC_CALCIFICATION = "metastatic-calcification"
    HYPERCALCAEMIA = "hypercalcaemia"
    MELANOMA = "malignant-melanoma"
    VITAMIN_D_DEFICIENCY = "vitamin-d-deficiency"
    DOWN_SYNDROME = "down-syndrome"
    TRAUMA = "trauma"
    FOREIGN_BODY = "foreign-body-reaction"


class Concept(StrEnum):
    """Ids of mappings/concepts.csv: what the rules need beside causes."""

    DIALYSIS = "dialysis-dependence"
    MALIGNANCY = "active-malignancy"
    GAMMOPATHY = "monoclonal-gammopathy"
    TUBERCULOSIS = "tuberculosis"
    MYCOSIS = "mycosis"
    PREGNANCY = "pregnancy"
    PALLIATIVE = "palliative"
    DIABETES = "diabetes"
    OBESITY = "obesity"
    SKIN_FINDING = "skin-finding"
    DRUG_INTERFERENCE = "drug-interference"
    OTHER_CALCIFICATION = "other-calcification"
    BOWEL_OBSTRUCTION = "bowel-obstruction"
    CALCIUM_CHANNEL_BLOCKER_POISONING = "calcium-channel-blocker-poisoning"
    CARDIAC_ARREST = "cardiac-arrest"
    HYPERKALAEMIA = "hyperkalaemia"
    HYPOCALCAEMIA = "hypocalcaemia"


class Group(StrEnum):
    """Groups of mappings/medications.csv."""

    ORAL_CALCIUM = "oral_calcium"
    IV_CALCIUM = "iv_calcium"
    PHOSPHATE_SALT = "phosphate_salt"
    ALKALI = "alkali"
    NUTRITIONAL_VITAMIN_D = "nutritional_vitamin_d"
    ACTIVE_VITAMIN_D = "active_vitamin_d"
    VKA = "vka"
    THIAZIDE = "thiazide"
    LITHIUM = "lithium"
    RETINOID = "retinoid"
    PTH_ANALOGUE = "pth_analogue"


class Drug(StrEnum):
    """Ids of mappings/medications.csv that a rule names singly."""

    SODIUM_PHOSPHATE = "sodium-phosphate"
    POTASSIUM_PHOSPHATE = "potassium-phosphate"


class EventKind(StrEnum):
    """Kinds of mappings/procedures.*.csv."""

    HAEMODIALYSIS = "haemodialysis"
    DIALYSIS = "dialysis_any"
    PERITONEAL_DIALYSIS = "peritoneal_dialysis"
    KIDNEY_TRANSPLANT = "kidney_transplant"
    LIVER_TRANSPLANT = "liver_transplant"
    HEART_TRANSPLANT = "heart_transplant"
    LUNG_TRANSPLANT = "lung_transplant"
    HEART_LUNG_TRANSPLANT = "heart_lung_transplant"
    PARATHYROIDECTOMY = "parathyroidectomy"
    EEG = "eeg"
    EMG = "emg"
    EVOKED_POTENTIALS = "evoked_potentials"
    HEEL_STICK = "heel_stick"
