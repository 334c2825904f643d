"""Assets and checks put together from their parts, as `@dg.asset` does after looking at a function.

The decorators ask every function some forty times for a signature that is always the same, and
build eight inputs for an asset of eight dependencies: 1.4 ms an asset. So put together it takes
0.3, and Dagster is shown the same (``tests/dagster_project/test_declaration.py``).
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from types import CodeType
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.definition.assets_definition import (
    stringify_asset_key_to_input_name,
)
from dagster._core.definitions.input import InputDefinition

from dagster_project.engines import StepSettings

Compute = Callable[..., Iterator[Any]]
TABLE_OUTPUT, CHECK_OUTPUT = dg.Out(), dg.Out(None)
OPTIONAL_CHECK_OUTPUT = dg.Out(None, is_required=False)


def declared_asset(
    spec: dg.AssetSpec,
    compute: Compute,
    checks: Iterable[dg.AssetCheckSpec],
    *,
    needs: frozenset[str],
    step: StepSettings,
) -> dg.AssetsDefinition:
    """Declare an asset that one op makes, with the checks that it evaluates itself.

    Parameters
    ----------
    spec : AssetSpec
        Its key, dependencies and all that is shown of it.
    compute : callable
        ``(context, inputs)``, yields one `MaterializeResult`; `inputs` is empty.
    checks : iterable of AssetCheckSpec
        Of this asset.
    needs : frozenset of str
        Keys of resources.
    step : StepSettings
        Where its step queues, and what it needs of a cluster.
    """
    by_output = _by_output(checks, {spec.key})
    reads = _by_input(dep.asset_key for dep in spec.deps)
    op = dg.OpDefinition(
        _introspected(compute),
        spec.key.to_python_identifier(),
        ins=_inputs(reads),
        outs={"result": TABLE_OUTPUT, **dict.fromkeys(by_output, CHECK_OUTPUT)},
        description=spec.description,
        required_resource_keys=needs,
        code_version=spec.code_version,
        pool=step.pool,
        tags=step.tags,
        retry_policy=step.retry_policy,
    )
    return dg.AssetsDefinition(
        node_def=op,
        keys_by_input_name=reads,
        keys_by_output_name={"result": spec.key},
        specs=[spec],
        check_specs_by_output_name=by_output,
    )


def declared_checks(
    name: str,
    compute: Compute,
    checks: Iterable[dg.AssetCheckSpec],
    *,
    needs: frozenset[str],
    step: StepSettings,
) -> dg.AssetChecksDefinition:
    """Declare checks that one op evaluates, all or some of them.

    Parameters
    ----------
    name : str
        Of the op.
    compute : callable
        ``(context, inputs)``, yields an `AssetCheckResult` for each check asked for.
    checks : iterable of AssetCheckSpec
        Of one asset.
    needs : frozenset of str
        Keys of resources.
    step : StepSettings
        What the step needs of a cluster.
    """
    specs = list(checks)
    by_output = _by_output(specs, {spec.asset_key for spec in specs[:1]})
    reads = _by_input(spec.asset_key for spec in by_output.values())
    op = dg.OpDefinition(
        _introspected(compute),
        name,
        ins=_inputs(reads),
        outs=dict.fromkeys(by_output, OPTIONAL_CHECK_OUTPUT),
        config_schema={},
        required_resource_keys=needs,
        tags=step.tags,
        retry_policy=step.retry_policy,
    )
    declared: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        node_def=op,
        keys_by_input_name=reads,
        check_specs_by_output_name=by_output,
        can_subset=True,
    )
    return declared


def _by_output(
    checks: Iterable[dg.AssetCheckSpec], of: Collection[dg.AssetKey]
) -> dict[str, dg.AssetCheckSpec]:
    found: dict[str, dg.AssetCheckSpec] = {}
    for spec in checks:
        name = spec.get_python_identifier()
        if name in found or spec.asset_key not in of:
            raise dg.DagsterInvalidDefinitionError(
                f"check {spec.name!r} of {spec.asset_key.to_user_string()}: expected one of each "
                f"name, of the asset {', '.join(key.to_user_string() for key in of)}"
            )
        found[name] = spec
    return found


def _by_input(keys: Iterable[dg.AssetKey]) -> dict[str, dg.AssetKey]:
    return {stringify_asset_key_to_input_name(key): key for key in keys}


def _inputs(reads: Mapping[str, dg.AssetKey]) -> Mapping[str, Any]:
    return {name: _awaited(name) for name in reads}


@cache
def _awaited(name: str) -> InputDefinition:
    """Give the input that waits for an asset and takes nothing from it; ops share it."""
    return InputDefinition(name, dg.Nothing)


def _introspected(compute: Compute) -> Compute:
    code = compute.__code__  # which all functions of one `def` share
    if code not in _SIGNATURES:
        _SIGNATURES[code] = inspect.signature(compute)
    compute.__signature__ = _SIGNATURES[code]  # type: ignore[attr-defined]
    return compute


_SIGNATURES: dict[CodeType, inspect.Signature] = {}
