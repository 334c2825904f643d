"""What the sources never do: run text as code, unpickle, start a shell, paste names into SQL."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("hybrid_assets", "warehouse", "dagster_project")
PARSED = {
    file.relative_to(PROJECT).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
    for package in (*PACKAGES, "benchmarks")
    for file in sorted((PROJECT / package).rglob("*.py"))
}

# Modules that run what they read.
CODE_CARRIERS = {
    "pickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "shelve",
    "marshal",
    "joblib.numpy_pickle",
}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput",
    "subprocess.getstatusoutput", "yaml.load", "yaml.load_all", "yaml.full_load",
    "yaml.unsafe_load", "yaml.unsafe_load_all", "torch.load", "torch.save", "joblib.load",
    "joblib.dump", "pd.read_pickle", "pandas.read_pickle", "tempfile.mktemp",
}  # fmt: skip
FORBIDDEN_KEYWORDS = {("shell", True), ("allow_pickle", True), ("trust_remote_code", True)}

SQL_METHODS = {"execute", "executemany", "sql", "query"}
QUOTING = {"quoted", "quoted_text", "require_table"}
HARMLESS = {"schema_sql", "_statements", "hexdigest"}  # packaged files, digits of a hash
# Parameters that hold one of a fixed set of names, or a name quoted by the caller.
QUOTED_PARAMETERS = {
    ("warehouse/bucket_access.py", "give_to", "name"),
    ("warehouse/catalog.py", "table_blocks", "table"),
    ("warehouse/catalog.py", "table_size", "table"),
    ("warehouse/user_tables.py", "_blocks", "table"),
    ("warehouse/lake_instances.py", "_new_instance", "access"),
    ("warehouse/migration.py", "_replace_rows", "table"),
    ("warehouse/sealed_records.py", "append_sealed", "table"),
    ("warehouse/sealed_records.py", "sealed_rows", "table"),
}


def dotted(node: ast.AST) -> str:
    """Give ``a.b.c`` of a name or an attribute of one, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and dotted(node.value):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def called(node: ast.Call) -> str:
    """Give the last name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def unsafe_code(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        imported = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]
        yield from ((node.lineno, name) for name in imported if name in CODE_CARRIERS)
        if isinstance(node, ast.Call):
            if dotted(node.func) in FORBIDDEN_CALLS:
                yield node.lineno, dotted(node.func)
            for keyword in node.keywords:
                if isinstance(keyword.value, ast.Constant):
                    stated = (keyword.arg or "", keyword.value.value)
                    if stated in FORBIDDEN_KEYWORDS:
                        yield node.lineno, f"{stated[0]}={stated[1]}"


def unquoted_sql(tree: ast.Module, file: str) -> Iterator[tuple[int, str]]:
    """Name every piece of a statement that is neither a constant nor a quoted name."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        bound = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(function):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in SQL_METHODS
                and call.args
            ):
                for piece in unsafe_pieces(call.args[0], bound):
                    if (file, function.name, piece) not in QUOTED_PARAMETERS:
                        yield call.lineno, piece


def parts_of(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return node.values
    if isinstance(node, ast.Tuple):
        return node.elts
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [node.left, node.right]
    return []


def unsafe_pieces(node: ast.expr, bound: dict[str, ast.expr]) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        return
    parts = parts_of(node)
    if parts:
        for part in parts:
            yield from unsafe_pieces(part, bound)
    elif isinstance(node, ast.FormattedValue | ast.Starred | ast.Subscript):
        yield from unsafe_pieces(node.value, bound)
    elif isinstance(node, ast.GeneratorExp | ast.ListComp):
        yield from unsafe_pieces(node.elt, bound)
    elif isinstance(node, ast.Name) and node.id in bound:
        yield from unsafe_pieces(bound[node.id], bound)
    elif isinstance(node, ast.Name) and re.fullmatch(r"_?[A-Z][A-Z_]*", node.id):
        return  # a constant of the module
    elif isinstance(node, ast.Call) and called(node) in QUOTING | HARMLESS:
        return
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr == "join" and isinstance(node.func.value, ast.Constant))
    ):
        yield from unsafe_pieces(node.args[0], bound)
    else:
        yield ast.unparse(node)


def test_no_source_runs_what_it_reads() -> None:
    found = [(name, *each) for name, tree in PARSED.items() for each in unsafe_code(tree)]
    assert found == []


def test_names_are_quoted_in_every_statement() -> None:
    """The science has no SQL: an import contract keeps duckdb out of it."""
    storing = {n: tree for n, tree in PARSED.items() if not n.startswith("hybrid_assets/")}
    found = [(name, *each) for name, tree in storing.items() for each in unquoted_sql(tree, name)]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "pickle"),
        ("from joblib import numpy_pickle", "joblib.numpy_pickle"),
        ("eval('1')", "eval"),
        ("import os\nos.system('ls')", "os.system"),
        ("import subprocess\nsubprocess.run('ls', shell=True)", "shell=True"),
        ("import yaml\nyaml.load('a: 1', yaml.Loader)", "yaml.load"),
        ("import numpy as np\nnp.load('f', allow_pickle=True)", "allow_pickle=True"),
        ("def f(c, name):\n    c.execute(f'SELECT * FROM {name}')", "name"),
        ("def f(c, name):\n    c.sql('SELECT * FROM ' + name)", "name"),
        ("def f(c, a):\n    t = '%s' % a\n    c.execute(f'DROP TABLE {t}')", "'%s' % a"),
        ("def f(c, a):\n    c.execute(f\"SELECT {', '.join(x for x in a)}\")", "x"),
    ],
)
def test_the_scan_finds_what_it_looks_for(source: str, found: str) -> None:
    tree = ast.parse(source)
    assert found in [what for _, what in (*unsafe_code(tree), *unquoted_sql(tree, "f.py"))]


def test_pages_escape_what_they_are_given() -> None:
    made = [
        ast.unparse(call)
        for tree in PARSED.values()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and dotted(call.func).endswith("Environment")
    ]
    assert made
    assert [each for each in made if "autoescape=True" not in each] == []


def test_the_warehouse_alone_connects_to_duckdb() -> None:
    elsewhere = [
        name
        for name, tree in PARSED.items()
        if name.partition("/")[0] in ("hybrid_assets", "dagster_project")
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and dotted(call.func) == "duckdb.connect"
    ]
    assert elsewhere == []
