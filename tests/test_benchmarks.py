"""benchmarks/: what decides a figure beside the clock."""
import json
from math import prod

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open

from benchmarks import __main__ as listing
from benchmarks import compare, harness, models, profile, report, shapes
from minichat import families


def test_shapes_have_the_parameters_of_the_released_models():
    counted = {name: sum(map(prod, shapes.tensors(config).values()))
               for name, config in shapes.CONFIGS.items()}
    assert counted == shapes.PARAMETERS


def test_random_weights_are_normal_and_the_same_for_a_seed(tmp_path):
    made = {"norm": (7,), "matrix": (300, 200)}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        models.write_weights(tmp_path / name, made, seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    with safe_open(tmp_path / "a", "numpy") as file:
        matrix, norm = file.get_tensor("matrix"), file.get_tensor("norm")
    assert matrix.dtype == ml_dtypes.bfloat16 and matrix.shape == (300, 200)
    assert norm.tolist() == [1.0] * 7
    matrix = matrix.astype(np.float32)
    assert abs(matrix.mean()) < 0.001 and 0.0195 < matrix.std() < 0.0205


def test_contestants_take_turns_and_medians_are_of_each_unit():
    turns, values = [], iter([5.0, 1.0, 3.0])

    def first():
        turns.append("first")
        return {"tokens/s": next(values), "GB": 2.0}

    def second():
        turns.append("second")
        return {"tokens/s": 7.0}

    found = harness.interleave({"first": first, "second": second}, rounds=3)
    assert turns == ["first", "second"] * 3
    assert found == {"first": {"tokens/s": 3.0, "GB": 2.0}, "second": {"tokens/s": 7.0}}


@pytest.mark.parametrize("after, slower", [(104.0, False), (106.0, True)])
def test_compare_fails_at_five_percent(tmp_path, after, slower, capsys):
    for name, us in (("old", 100.0), ("new", after)):
        runs = [{"name": "x", "us_fastest": us, "cpu": "c"}, {"name": "x", "us_fastest": 500.0,
                                                              "cpu": "c"}]
        (tmp_path / name).write_text("\n".join(map(json.dumps, runs)))
    assert compare.main(tmp_path / "old", tmp_path / "new") is slower
    assert ("SLOWER" in capsys.readouterr().out) is slower


def test_compare_refuses_two_processors(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(json.dumps({"name": "x", "us_fastest": 1.0, "cpu": name}))
    with pytest.raises(SystemExit, match="do not compare"):
        compare.main(tmp_path / "old", tmp_path / "new")


def test_a_table_has_ratios_and_shares():
    setting = {"name": "s", "shape": "llama-3.2-1b", "quantization": "q8", "cpu": "c", "cores": 2,
               "load": 0.1, "commit": "x", "depth": 0}
    rates = {"prefill tokens/s": 100.0, "decode tokens/s": 20.0}
    table = report.table([
        setting | {"contestant": "limits", "int8 GOPS": 2000.0, "read GB/s": 50.0},
        setting | {"contestant": "minichat"} | rates,
        setting | {"contestant": "llama.cpp"} | {unit: rate / 2 for unit, rate in rates.items()}])
    ours = next(line for line in table.splitlines() if "minichat" in line)
    assert [cell.strip() for cell in ours.split("|")[3:7]] == ["100.0", "0.10", "20.0", "0.50"]
    assert "| **2.00** | | **2.00** | |" in table


def test_a_profile_counts_every_matrix_once():
    config = shapes.CONFIGS["llama-3.2-1b"]
    architecture = families.family(config["model_type"]).architecture(config)
    counted = {stage: profile.weights(architecture, stage) for stage in
               ("embed", "norm", "qkv", "attend", "out", "up", "down", "head")}
    assert counted["embed"] == counted["norm"] == counted["attend"] == 0
    vectors = 2048 * (2 * config["num_hidden_layers"] + 1)
    assert sum(counted.values()) + vectors == shapes.PARAMETERS["llama-3.2-1b"]
    n_bytes, operations = profile.work(architecture, "q4", 4, 100, 3, "down")
    assert n_bytes == 3 * counted["down"] * 4.25 / 8 and operations == 24 * counted["down"]
    n_bytes, operations = profile.work(architecture, "q4", 1, 100, 1, "attend")
    assert n_bytes == 16 * 100 * 8 * (64 + 64 + 3 * 4) and operations == 16 * 4 * 100 * 32 * 64


def test_a_profile_has_a_row_a_stage():
    lines = "\n".join(profile.table("decode", {"qkv": 10**6, "head": 0, "norm": 10**6},
                                    lambda stage: (10**6, 10**7) if stage == "qkv" else (0, 0),
                                    2, 10.0, 100.0))
    assert "decode: 1000.0 tokens/s" in lines and "head" not in lines
    assert "| qkv | 1.00 | 50.0% | 1.0 | 10% | 10 | 10% |" in lines


def test_the_list_has_all_that_can_be_run():
    listed = listing.modules()
    assert {"limits", "race", "profile", "pipeline.bench_decode",
            "kernels.bench_matmul"} <= set(listed)
    assert all(listed.values())
