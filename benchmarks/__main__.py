"""python -m benchmarks NAME [arguments]: runs one of the benchmarks, or lists them."""
import runpy
import sys
from ast import get_docstring, parse
from pathlib import Path

HERE = Path(__file__).parent


def modules():
    """name -> the first line of its docstring, for everything here that has a main()."""
    found = {}
    for path in sorted(HERE.rglob("*.py")):
        tree = parse(path.read_text())
        if path.name != "__main__.py" and any(getattr(node, "name", "") == "main"
                                              for node in tree.body):
            name = ".".join(path.relative_to(HERE).with_suffix("").parts)
            found[name] = get_docstring(tree).splitlines()[0]
    return found


def main():
    found = modules()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, end="\n\n")
        for name, line in found.items():
            what = line.partition(f"benchmarks.{name}")[2].lstrip(": ") or line
            print(f"{name:<28} {what}")
        return
    name = sys.argv.pop(1)
    if name not in found:
        sys.exit(f"{name}: no such benchmark; there are {', '.join(found)}")
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
