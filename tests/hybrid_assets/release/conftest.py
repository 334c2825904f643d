"""A release of a small trial, made as the asset makes it."""

import io
from datetime import date

import numpy as np
import pytest

from hybrid_assets.approval import Approval, Signed
from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators.inference import inference_factor
from hybrid_assets.gates import (
    GATE_REPORT,
    GateReport,
    GateResult,
    Gates,
    GateVerdict,
    Override,
    ReleaseFacts,
)
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import W, evaluate_privacy
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.release.bundle import ENVIRONMENT, GATES, LINEAGE, bundle_files, write_rows
from hybrid_assets.release.card import (
    AuditHead,
    EffectFidelity,
    Origin,
    ReleaseCard,
    SeedEffect,
)
from hybrid_assets.release.dictionary import data_dictionary, released_schema
from hybrid_assets.release.limits import limits
from hybrid_assets.release.measured_coverage import MEASURED_COVERAGE
from hybrid_assets.release.public_settings import public_settings
from hybrid_assets.release.table_effects import AnalysisPlan, table_effects
from hybrid_assets.release.verify import Surroundings
from hybrid_assets.schema import TableSchema
from hybrid_assets.study import Study
from warehouse import data_version_of, storable_table

STUDY = {
    "name": "small",
    "title": "A small trial",
    "description": "Three binary and three Gaussian covariates.",
    "treatment": "A",
    "outcome": "Y",
    "identifiers": ["patient"],
    "design": {"kind": "trial", "probability": 0.5},
    "assignment": "randomised",
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "generators": {"cart": {}, "llm": {"model": "hf:/secret/place"}},
    "release": {"license": "CC-BY-4.0", "descriptions": {"W4": "age, standardised"}},
    "random_seed": 712345,
}


def version_of(blocks):
    return data_version_of(map(storable_table, blocks))


def released(card, table, others):
    """Write every file of a release of a frame; give their bytes."""
    with io.BytesIO() as parquet, io.BytesIO() as csv:
        rows = write_rows([storable_table(table)], card.columns, parquet, csv)
        made = bundle_files(card, rows, others)
        return {name: file.read() for name, file in made.items()}


@pytest.fixture(scope="session")
def around():
    return Surroundings(data_version=version_of, code_version="c0de")


@pytest.fixture(scope="session")
def study():
    return Study.model_validate(STUDY)


@pytest.fixture(scope="session")
def schema():
    """Paper 1's trial with two decimals and a covariate of words."""
    columns = DESIGNS["paper1_trial"].schema().columns
    return TableSchema(
        study="small",
        columns=tuple(
            c.model_copy(update={"decimals": 2}) if c.kind == "continuous" else c for c in columns
        ),
    )


@pytest.fixture(scope="session")
def table(schema):
    """Rows that would leave."""
    return schema.stored(schema.rounded(DESIGNS["paper1_trial"](400, 1)))


@pytest.fixture(scope="session")
def privacy(schema, table):
    train, holdout = (schema.rounded(DESIGNS["paper1_trial"](n, n)) for n in (300, 100))
    return evaluate_privacy(
        Attacked.of(table, train, holdout, schema),
        shares={W: evaluate_dcr(table, train, holdout, schema.covariates).share},
        policy=PrivacyPolicy(),
        rng=np.random.default_rng(0),
    )


@pytest.fixture(scope="session")
def gates(privacy):
    override = Override(
        gate="privacy_verdict", generator="cart", person="Ada L.", reason="<b>teaching</b> only"
    )
    facts = ReleaseFacts(
        generator_kind="cart",
        label="",
        assignment="randomised",
        treated_probability=0.5,
        n_seed=400,
        extreme_share="< 10/400",
        n_rows=400,
        n_rows_released_before=0,
        n_members=300,
        n_holdout=100,
        psi_exact=0.41,
        seed_estimate=0.4075,
        seed_standard_error=0.05,
        privacy_verdict=privacy.verdict.value,
        privacy_policy="1",
    )
    return GateReport(
        "small",
        "cart",
        facts,
        Gates(overrides=(override,)),
        (
            GateResult("recipe", GateVerdict.OPEN, "generator cart", "", None),
            GateResult("privacy_verdict", GateVerdict.OVERRIDDEN, "4 FAIL", "Look.", override),
        ),
    )


@pytest.fixture(scope="session")
def card(study, schema, table, privacy, gates):
    columns = data_dictionary([table], schema, study.release.descriptions)
    plan = AnalysisPlan(nuisance=study.nuisance, known_propensity=0.5, n_people=400)
    candidate, evidence = version_of([table]), GATE_REPORT.dump_json(gates, indent=1)
    return ReleaseCard(
        study=study.name,
        title=study.title,
        description=study.description,
        generator="cart",
        number=3,
        released_on=date(2026, 3, 1),
        n_rows=400,
        design="trial",
        assignment="randomised",
        columns=columns,
        effect=EffectFidelity(
            seed=SeedEffect(
                estimate=0.4075,
                standard_error=0.05,
                ci_low=0.3095,
                ci_high=0.5055,
                n_people=400,
                clipped_share=None,
                ess_treated=198.5,
                ess_control=201.5,
            ),
            exact=0.41,
            drift_in_standard_errors=0.05,
            inference_factor=inference_factor(400, 400),
            plan=plan,
            estimates=table_effects([table], len(table), released_schema(columns, "small"), plan),
            measured_coverage=MEASURED_COVERAGE,
        ),
        privacy=privacy,
        gates=gates,
        approval=Approval(
            study="small",
            generator="cart",
            reviewer="Grace H.",
            decision="approve",
            reason="Evidence read.",
            decided_on=date(2026, 2, 27),
            signed=Signed.of(
                candidate, evidence, public_settings(study, "cart"), "hmac-sha256:" + "5d" * 32
            ),
        ),
        limits=limits("trial", holds_counterfactuals=False),
        settings=public_settings(study, "cart"),
        origin=Origin(
            candidate=candidate,
            seed_table="hmac-sha256:" + "5e" * 32,
            study_settings="hmac-sha256:" + "5f" * 32,
            code_version="c0de",
        ),
        audit_head=AuditHead(n_entries=17, entry_hash="ab" * 32),
    )


@pytest.fixture(scope="session")
def others(gates):
    return {
        GATES: GATE_REPORT.dump_json(gates, indent=1),
        ENVIRONMENT: b"# Python 3.11.7\nnumpy==2.1.0\npandas==2.3.3\n",
        LINEAGE: b'{"eventType":"COMPLETE","job":{"name":"cart"}}\n',
    }


@pytest.fixture(scope="session")
def files(card, table, others):
    return released(card, table, others)
