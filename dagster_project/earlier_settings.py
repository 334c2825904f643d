"""Whether what an asset was made from was itself made under another study file or code."""

from typing import Any

from dagster_project.asset_inputs import FILES_SUFFIX
from dagster_project.asset_run import AssetRun
from dagster_project.code_version import science_version

EARLIER = "made_from_earlier"


def earlier_settings(run: AssetRun) -> dict[str, Any]:
    """Give the metadata entry that names such upstream assets; empty if there are none.

    A simulation may go on with them: the study file may have changed in nothing that decides
    their rows, and only its reader knows.
    """
    present = (run.study.content_hash, science_version())
    last = {
        (entry.asset, entry.kind == "model", entry.data_version): entry
        for entry in run.audit_trail.entries()
    }
    read = {
        (name.removesuffix(FILES_SUFFIX), name.endswith(FILES_SUFFIX), version)
        for name, version in run.upstream.items()
    }
    made = [last[key] for key in read if key in last]
    earlier = {e.asset for e in made if (e.study_hash, e.code_version) != present}
    if not earlier:
        return {}
    names = ", ".join(sorted(earlier))
    return {EARLIER: f"made under an earlier study file or by earlier code: {names}"}
