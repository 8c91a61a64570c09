"""`python -m tests.bench [NAME …]`: run the named benches, or all; exit 1 when a goal is missed."""

import importlib
import pkgutil
import sys

import tests.bench

HARNESS = {"__main__", "ahead", "catalogue", "echo", "pairs", "sockets", "trigrams"}


def main(names: list[str]) -> int:
    """Run benches by name and say how many goals were missed."""
    known = sorted(
        {m.name for m in pkgutil.iter_modules(tests.bench.__path__) if not m.ispkg} - HARNESS
    )
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no bench is called {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    met = [importlib.import_module(f"tests.bench.{name}").run() for name in names or known]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
