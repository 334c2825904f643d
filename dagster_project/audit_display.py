"""Answers of the audit log in the terminal."""

import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from dagster_project.audit_answer import BUNDLE, OVERRIDE, AuditAnswer, release_numbers
from dagster_project.code_version import science_version
from dagster_project.subjects import SubjectUse
from warehouse import AuditCheck, AuditTrail, Decision, KeyedHash, KeyNotFound, LogEntry

INSIDE = "Plain hashes of people's tables stay inside: outside, tell the keyed one."
MEANING = {
    "train": "the generators and the models of treatment and outcome were fitted to the row",
    "holdout": "no model saw the row; evaluations and the seed's own effect (the target) did",
    "not drawn": "not among the people drawn for analysis: nothing was made from the row",
}


def print_answer(console: Console, answer: AuditAnswer, keyed: KeyedHash) -> None:
    """Print facts, checks, and the tree of everything upstream."""
    target = answer.made.target
    console.rule(escape(f"{answer.study}: {target.asset}"))
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _facts(answer, keyed):
        facts.add_row(name, escape(value))
    console.print(facts, highlight=False)
    console.print(f"\n{INSIDE}", style="yellow")
    if answer.checks:
        console.print(_check_table(answer), highlight=False)
    console.print(_tree(answer), highlight=False)


def _facts(answer: AuditAnswer, keyed: KeyedHash) -> list[tuple[str, str]]:
    target = answer.made.target
    made = f"{target.recorded_at:%Y-%m-%d %H:%M:%S} UTC by {target.user_name}, run {target.run_id}"
    facts = [("made", made), ("data version", target.data_version)]
    for seed in answer.seeds:
        facts.append(("seed version", f"{seed.data_version}  ({seed.n_rows:,} rows)"))
        facts.append(("  keyed", _keyed(keyed, seed)))
    own = science_version()
    facts += [
        ("code version", f"{code}  ({'this code' if code == own else 'not this code'})")
        for code in answer.distinct("code_version")
    ]
    facts += [("study settings", each) for each in answer.distinct("study_hash")]
    facts += [("random seed", str(each)) for each in answer.distinct("random_seed")]
    facts += [
        ("generator model", f"{m.data_version}  ({m.asset})") for m in answer.generator_models
    ]
    facts += [("decision", _decision(each)) for each in answer.decisions]
    return facts


def _keyed(keyed: KeyedHash, seed: LogEntry) -> str:
    try:
        return keyed.of("data version", seed.data_version)
    except KeyNotFound:
        return "the key is missing: restore keys/audit.key from a backup"


def _decision(decision: Decision) -> str:
    """Say who decided what and why, as it was written down."""
    entry = decision.entry
    where = f"{entry.asset}, {entry.recorded_at:%Y-%m-%d %H:%M}, logged for {entry.user_name}"
    if not decision.is_intact:
        return f"{where}: its file is altered or missing"
    stated = json.loads(decision.read())
    words = ("decision", "reviewer", "person", "expires_on", "reason")
    return f"{where}: {'; '.join(str(stated[word]) for word in words if stated.get(word))}"


def _check_table(answer: AuditAnswer) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title="Checks on the way")
    for name in ("asset", "check", "result"):
        table.add_column(name, no_wrap=True)
    overridden = {decision.entry.asset for decision in answer.decisions}
    for check in answer.checks:
        gate = check.check_name.removeprefix("gate_")
        by_person = f"{check.asset.rpartition('/')[0]}/{OVERRIDE}{gate}" in overridden
        passed = "overridden by a person" if by_person else "passed"
        result = passed if check.passed else f"FAILED ({check.severity})"
        style = None if check.passed else "red"
        table.add_row(*map(escape, (check.asset, check.check_name, result)), style=style)
    return table


def _tree(answer: AuditAnswer) -> Tree:
    """Draw each entry where it is first met; later it is only named."""
    shown: set[int] = set()

    def grow(branch: Tree, entry: LogEntry) -> None:
        shown.add(entry.sequence)
        for parent in answer.made.parents[entry.sequence]:
            if parent.sequence in shown:
                branch.add(escape(f"{parent.asset} ({answer.word_for(parent)}): above"))
            else:
                grow(branch.add(_label(answer, parent)), parent)
        for name, version in answer.made.sources[entry.sequence].items():
            branch.add(escape(f"{name}  {version[:12]}"))

    root = Tree(_label(answer, answer.made.target))
    grow(root, answer.made.target)
    return root


def _label(answer: AuditAnswer, entry: LogEntry) -> str:
    rows = "" if entry.n_rows is None else f"  {entry.n_rows:,} rows"
    return escape(
        f"{entry.asset} ({answer.word_for(entry)}){rows}  {entry.data_version[:12]}  "
        f"{entry.recorded_at:%Y-%m-%d %H:%M}  {entry.user_name}"
    )


def print_check(console: Console, study: str, found: AuditCheck) -> None:
    """Print what was compared, and every fault."""
    console.print(
        f"{study}: {found.n_entries} entries of the audit log, {found.n_tables} tables, "
        f"{found.n_models} models, {found.n_documents} documents and {found.n_releases} releases "
        f"compared",
        highlight=False,
        soft_wrap=True,
    )
    for fault in found.faults:
        console.print(fault, style="red", markup=False, highlight=False, soft_wrap=True)
    verdict = f"{len(found.faults)} differ" if found.faults else "nothing differs"
    console.print(verdict, style="red" if found.faults else "green")


def print_uses(console: Console, uses: Sequence[SubjectUse], trail: AuditTrail) -> None:
    """Print where a person's row was used, never who the person is."""
    logged = [entry for entry in trail.entries() if entry.asset.endswith(f"/{BUNDLE}")]
    numbers = release_numbers(trail, logged)
    number_of = {entry.sequence: n for entry, n in zip(logged, numbers, strict=True)}
    if not uses:
        console.print("No version of the seed holds these values.")
    for use in uses:
        when = "" if use.seed_entry is None else f" of {use.seed_entry.recorded_at:%Y-%m-%d %H:%M}"
        console.print(f"seed version {use.seed_version[:12]}{when}", highlight=False)
        for part in use.parts:
            console.print(f"  {part}: {MEANING[part]}", highlight=False, soft_wrap=True)
        generators = {e.asset.rpartition("/")[0] for e in use.used_by} - {""}
        console.print(f"  generators: {', '.join(sorted(generators)) or 'none'}", highlight=False)
        bundles = [e for e in use.used_by if e.asset.endswith(f"/{BUNDLE}")]
        released = [f"{e.asset.rpartition('/')[0]}/{number_of[e.sequence]:04d}" for e in bundles]
        console.print(f"  releases: {', '.join(released) or 'none'}", highlight=False)
