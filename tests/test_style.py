"""The house rules that a machine can check."""
import ast
import re
from pathlib import Path

import pytest

import minichat
from minichat import families

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "minichat"
MODULES = sorted(PACKAGE.rglob("*.py"))
CYTHON = [PACKAGE / "_native.pyx", *sorted(PACKAGE.glob("native/*.pxi"))]
C = sorted(ROOT.glob("csrc/**/*.[ch]"))
KERNELS = sorted(ROOT.glob("csrc/kernels/*/*.c"))
ELSEWHERE = [path for folder in ("tests", "benchmarks")
             for path in sorted((ROOT / folder).rglob("*.*")) if path.suffix in {".py", ".c", ".h"}]
CODE = [*MODULES, *CYTHON, *C, *ELSEWHERE, ROOT / "setup.py"]
PROSE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml", ".ci/run")]

# A module imports only from rows above its own.  This list is the architecture.
LAYERS = [
    {"errors", "aside", "forks"},
    {"_native", "families.spec", "options", "spelling", "templates", "cpus", "memory", "cache",
     "docstrings", "tool_calls"},
    {"records"},
    {"schemas"},
    {"functions"},
    {"request"},
    {"families", "prompt", "fit", "tokens", "sample", "grammars", "constrain", "text", "chunks",
     "checkpoint", "wire"},
    {"weights", "pages", "lookup", "tool_calls.origin"},
    {"sequence"},
    {"engine"},
    {"answer"},
    {"chat"},
    {"load", "hub"},
    {"residency", "catalog", "replies"},
    {"api"},
    {"asgi", "compat", "bench"},
    {"cli"},
    {"__init__", "__main__"},
]
DEPTH = {name: depth for depth, row in enumerate(LAYERS) for name in row}


def relative(path):
    return str(path.relative_to(ROOT))


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=relative)


def lines_with(pattern, paths):
    """Where pattern stands: "file:line: what matched"."""
    return [f"{relative(path)}:{number}: {found[0]}" for path in paths
            for number, line in enumerate(path.read_text().splitlines(), 1)
            for found in re.finditer(pattern, line)]


def module_name(path):
    """The row's entry that path belongs to: a family's file is part of "families"."""
    return known(".".join(path.relative_to(PACKAGE).with_suffix("").parts))


def known(name):
    """The longest beginning of a dotted name that is an entry of LAYERS, else its first part."""
    parts = name.removesuffix(".__init__").split(".")
    beginnings = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in beginnings if name in DEPTH), parts[0])


def imports(path):
    """Entries of LAYERS that path imports, relatively or by the package's name."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[:len(package) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "minichat":
                inner = known(".".join(name[1:]))
                yield inner if inner in DEPTH else "__init__"


@each(MODULES)
def test_imports_point_down(path):
    name = module_name(path)
    assert name in DEPTH, "give it a row of LAYERS"
    upwards = {target for target in imports(path)
               if target != name and DEPTH[target] >= DEPTH[name]}
    assert not upwards, f"{name} imports {upwards}"


def test_imports_are_seen():
    assert {"errors", "families.spec"} <= set(imports(PACKAGE / "families/__init__.py"))


def test_the_native_module_imports_errors_only():
    assert not lines_with(r"^\s*(?:from \.(?! import errors$|errors import )"
                          r"|from minichat|import minichat).*", CYTHON)


def test_the_engine_knows_no_family_by_name():
    engine = [path for path in MODULES if path.stem in {"engine", "pages", "sample", "weights"}]
    word = rf"(?i)\b({'|'.join(families.names())})\b"
    assert not lines_with(word, [*engine, *CYTHON, *C])


def test_no_flag_that_cpu_c_does_not_ask_about():
    setup, cpu = (ROOT / "setup.py").read_text(), (ROOT / "csrc/cpu.c").read_text()
    flags = set(re.findall(r'"-m([\w-]+)"', setup))
    by_name = re.findall(r'__builtin_cpu_supports\("(\w+)"\)', cpu)
    by_cpuid = re.findall(r"\bint has_\w+\(void\)\s*/\* ([\w-]+)(?: and ([\w-]+))?", cpu)
    assert flags == {*by_name, *(name for names in by_cpuid for name in names if name)}


def test_no_flag_that_changes_results_between_machines():
    setup = (ROOT / "setup.py").read_text()
    assert "-ffp-contract=off" in setup
    assert not re.search(r"-ffast-math|-Ofast|-march=native|-funsafe", setup)


def test_c_knows_no_python():
    assert not lines_with(r'#include [<"]Python\.h', C)


def test_architectures_are_chosen_in_few_files():
    allowed = {"cpu.c", "dispatch.c", "threads.c"}
    others = [path for path in C if path.name not in allowed]
    assert not lines_with(r"\b__(?:x86_64|aarch64|AVX\w*|ARM_\w+)__\b", others)
    assert not lines_with(r"#include <(?:\w+intrin|arm_neon)\.h>",
                          [path for path in C if "kernels" not in path.parts])


@each(CODE)
def test_files_stay_short(path):
    assert len(path.read_text().splitlines()) <= 400, "split it by responsibility"


def test_lines_stay_short():
    assert not lines_with(r"^.{101,}", CODE)


def test_nothing_is_left_for_later():
    later = "TO" "DO|FIX" "ME|XX" "X|HA" "CK"
    assert not lines_with(rf"\b(?:{later})\b", CODE + PROSE)


def test_no_path_of_one_machine():
    assert not lines_with(r"(?<![\w./*~$}])/(?:work|home|root|Users|tmp|mnt|opt)/\w*", CODE + PROSE)


def test_the_map_lists_every_module():
    listed = re.findall(r"^ *(\w+)(?:\.pyx?|/) ", minichat.__doc__, re.M)
    there = {path.relative_to(PACKAGE).parts[0].split(".")[0] for path in [*MODULES, *CYTHON]}
    assert sorted(listed) == sorted(there - {"__init__", "__main__"})


def test_every_public_name_is_exported():
    modules = {path.stem for path in MODULES} | {"_native", "families", "templates",
                                                  "tool_calls"}
    public = {name for name, value in vars(minichat).items()
              if name[0] != "_" and (name not in modules or callable(value))}
    assert minichat.__all__ == sorted(public)


@each(KERNELS)
def test_kernel_files_say_what_they_are(path):
    isa, operation, text = path.parent.name, path.stem, path.read_text()
    assert text.startswith(f"/* {isa}/{path.name} - ")
    assert re.search(rf"\bmc_{operation}_{isa}\b", text)
    included = re.findall(r'#include "(.*)"', text)
    assert all(name == "kernels.h" or name.startswith("kernels/") for name in included)


@each(KERNELS)
def test_kernels_have_a_definition_and_a_test(path):
    assert (ROOT / "csrc/kernels/ref" / path.name).exists(), "no definition in ref"
    assert (ROOT / "tests/kernels" / f"test_{path.stem}.py").exists(), "no test"


@each(sorted(ROOT.glob("csrc/kernels/*/*.h")))
def test_headers_of_kernels_see_only_contracts(path):
    included = re.findall(r'#include "(.*)"', path.read_text())
    assert all(name == "kernels.h" or name.startswith("kernels/") for name in included)


def test_ci_runs_what_the_readme_says():
    fenced = re.findall(r"```\w*\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    [command] = [block.strip() for block in fenced if "pytest" in block]
    assert command in (ROOT / ".ci/run").read_text()
