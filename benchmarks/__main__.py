"""List the benchmark scripts, or run the named ones: python -m benchmarks [NAME ...]."""

import os
import runpy
import sys
from pathlib import Path

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FOLDER = Path(__file__).parent


def first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").lstrip('"').split("\n", 1)[0].rstrip('"')


def main(arguments: list[str]) -> int:
    scripts = {p.stem: p for p in sorted(FOLDER.glob("*.py")) if not p.stem.startswith("_")}
    unknown = [name for name in arguments if name not in scripts]
    if unknown or not arguments:
        print("Usage: python -m benchmarks NAME ...   (peers: pip install -e '.[bench]')\n")
        for name, path in scripts.items():
            print(f"  {name:<20} {first_line(path)}")
        if unknown:
            print(f"\nunknown: {', '.join(unknown)}")
        return int(bool(unknown))
    # before any library starts its threads: CPU seconds of one thread, without spinning
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"), OMP_WAIT_POLICY="PASSIVE")
    for name in arguments:
        sys.argv = [str(scripts[name])]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
