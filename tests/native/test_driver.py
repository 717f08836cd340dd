"""csrc without Python, under sanitizers, emulation and qemu; its portability.

What needs a tool that the machine lacks is skipped, and the skip names the tool.
"""
import ast
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROUNDS = 20
# An ISA's configuration in build.mk, the compiler it takes, and what runs its programs.
SANITIZED = ("asan", "gcc", [])
EMULATED = ("neon", "aarch64-linux-gnu-gcc", ["qemu-aarch64-static"])
ISAS = {name: SANITIZED for name in ("avx2", "avxvnni", "avx512vnni", "avx512vbmi", "amx")}
ISAS["neon"] = EMULATED


def need(*tools):
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        pytest.skip(f"not run: this machine has no {', '.join(missing)}")


def run(*command):
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def make(target, config, **variables):
    settings = [f"{name}={value}" for name, value in variables.items()]
    code, output = run("make", "--no-print-directory", "-f", "tests/native/build.mk", target,
                       f"CONFIG={config}", *settings)
    assert code == 0, output
    return output


@pytest.mark.parametrize("isa", ISAS)
def test_kernels_equal_ref_and_stay_inside_their_buffers(isa):
    config, compiler, runner = ISAS[isa]
    need("make", compiler, *runner)
    if config == "asan" and platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip(f"not run: this machine has no {isa}")
    make(f"build/native/{config}/driver", config, CC=compiler)

    code, output = run(*runner, f"build/native/{config}/driver", "-n", str(ROUNDS), isa)

    if code == 2 and "SKIPPED" in output:
        pytest.skip(f"not run: this machine has no {isa}")
    assert code == 0, output
    equal = re.findall(rf"(?m)^{isa} +(\w+) +{ROUNDS} cases, every bit ref's$", output)
    assert set(equal) == {path.stem for path in ROOT.glob(f"csrc/kernels/{isa}/*.c")}


@pytest.mark.parametrize("program, config, rounds", [
    ("engine", "asan", 10), ("engine", "tsan", 4), ("pool", "asan", 10), ("pool", "tsan", 10)])
def test_the_engine_holds_under_sanitizers(program, config, rounds):
    need("make", "gcc")
    make(f"build/native/{config}/{program}", config, CC="gcc")

    code, output = run(f"build/native/{config}/{program}", "-n", str(rounds))

    assert code == 0, output
    assert re.search(r"(?m)(all held|every share once)$", output)


def test_arm_compiles_without_a_warning():
    need("make", "aarch64-linux-gnu-gcc")
    make("objects", "neon")


def test_a_processor_that_csrc_does_not_know_compiles_without_a_warning():
    need("make", "clang-16", "aarch64-linux-gnu-gcc")
    make("objects", "portable")


def test_build_mk_has_the_flags_of_setup_py():
    need("make")
    names, tables = {"AVX2", "AVX512VNNI", "ISA_FLAGS"}, {}
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in names:
            exec(compile(ast.Module([node], []), "setup.py", "exec"), tables)  # noqa: S102
    ours = {isa: make("flags", "plain", ISA=isa).split() for isa in ISAS}
    assert ours == {isa: flags for machine in tables["ISA_FLAGS"].values()
                    for isa, flags in machine.items()}
