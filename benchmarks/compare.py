"""python -m benchmarks.compare old.jsonl new.jsonl: exits 1 if anything got 5% slower."""
import json
import sys

SLOWER = 1.05       # the best runs of two builds differ less than this by chance


def best(path):
    """name -> (cpu, microseconds of the fastest run, or the inverse of the highest rate)."""
    found = {}
    for line in open(path):
        result = json.loads(line)
        rates = [value for unit, value in result.items() if unit.endswith("/s")]
        cost = result.get("us_fastest") or (1 / max(rates) if rates else None)
        if cost is not None:
            key = " ".join([result["name"], result.get("contestant", "")]).strip()
            found[key] = min(found.get(key, (result["cpu"], cost)), (result["cpu"], cost))
    return found


def main(old_path, new_path):
    old, new, worse = best(old_path), best(new_path), []
    for name in sorted(old.keys() & new.keys()):
        (old_cpu, before), (new_cpu, after) = old[name], new[name]
        if old_cpu != new_cpu:
            sys.exit(f"{name}: {old_cpu} and {new_cpu} do not compare")
        if after > SLOWER * before:
            worse.append(name)
        print(f"{after / before:6.2f}x  {name}{'   SLOWER' if name in worse else ''}")
    for name in sorted(old.keys() - new.keys()):
        print(f"  gone   {name}")
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
