"""Study files as people edit them: a plain YAML file with a few lines changed, cut or doubled."""

import numpy as np
import yaml

from tests.reliability.front_door import PLAIN

COMPONENT = "dagster_project.component.StudyComponent"
FULL = {
    **PLAIN,
    "covariates": {"W1": None, "W2": {"kind": "continuous", "decimals": 1}},
    "identifiers": ["patient"],
    "missing": "impute",
    "holdout": {"share": 0.25},
    "owners": ["team:research"],
    "schedule": {"cron": "0 3 * * 1", "timezone": "Europe/Berlin"},
    "gates": {"max_effect_drift": 1.0},
}
FILES = tuple(
    yaml.safe_dump({"type": COMPONENT, "attributes": each}, sort_keys=False).encode()
    for each in (PLAIN, FULL)
)
ODD = (
    b"", b"~", b"null", b"true", b"-1", b"0", b"1.5", b".inf", b".nan", b"1e400", b"0x10", b"1_000",
    b"9" * 5000, b"99999999999999999999", b"12:30:45", b"2020-01-01", b'"x"', b"''", b'["a"]',
    b"{a: {b: 1}}", b"[]", b"{}", b"- a", b"&a [*a]", b"*a", b"<<: {a: 1}", b"? [a, b]\n: 1",
    b"!!timestamp 2020-99-99", b'!!binary "%%"', b'!!int "x"', b'!!float "x"', b"!!bool x",
    b"!!null x", b"!!set {a}", b"!!omap [a: 1]", b"!!pairs [a: 1]", b"!!str [a]", b"!!map [a]",
    b"!!seq {a: 1}", b"!!python/object:os.system x", b"!x y", b"---", b"...", b"%YAML 9", b"=",
    b"\xff", b"\x00", b"\t", b"\xef\xbb\xbf", b'"\\0"', b'"\\ud800"', b"\xe2\x80\xae", b"|", b">",
    b"- " * 300, b"[" * 300, b"{{ env.HOME }}", b"../../etc/passwd", b"name", b"CON", b"a" * 5000,
    b'"; DROP TABLE audit.log; --', b"<script>", b"\xc3\xa9", b"Y", b"A",
)  # fmt: skip


def study_file(seed: int) -> bytes:
    """Write a study file and spoil it one to three times; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    lines = FILES[int(rng.integers(len(FILES)))].split(b"\n")
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        _spoil(lines, rng)
    return b"\n".join(lines)


def _spoil(lines: list[bytes], rng: np.random.Generator) -> None:
    at = int(rng.integers(len(lines)))
    line, odd = lines[at], ODD[int(rng.integers(len(ODD)))]
    way = rng.choice(["value", "value", "word", "inside", "byte", "gone", "twice"])
    if way == "value":
        lines[at] = line.partition(b":")[0] + b": " + odd
    elif way == "word":
        words = line.split(b" ")
        words[int(rng.integers(len(words)))] = odd
        lines[at] = b" ".join(words)
    elif way == "inside":
        cut = int(rng.integers(len(line) + 1))
        lines[at] = line[:cut] + odd + line[cut:]
    elif way == "byte" and line:
        cut = int(rng.integers(len(line)))
        lines[at] = line[:cut] + bytes([int(rng.integers(256))]) + line[cut + 1 :]
    elif way == "gone" and len(lines) > 1:
        del lines[at]
    else:
        lines.insert(int(rng.integers(len(lines))), line)
