"""RESULT lines of the stage javadoc of run.sh, from what its experiments left. Standard library alone.

small_model.py runs PREFIX FOLDER   each run of an experiment: losses, accuracy, bytes, time; and the share of the nats between the runs
                                    dense and pruned (wanda) that a run won back
small_model.py best FOLDER BEGIN    the run of the smallest last validation loss of those whose names begin with BEGIN
small_model.py zeros A B            counts zeros of both models' linear maps, and what is zero in A, but not in B
"""
import array, json, pathlib, statistics, struct, sys


def lines(run):
    return list({line["step"]: line for line in map(json.loads, open(run / "metrics.jsonl"))}.values())


def last_loss(run):
    """Last validation loss; none of a run that did not come so far."""
    if not (run / "metrics.jsonl").exists():
        return None
    losses = [line["val_loss"] for line in lines(run) if isinstance(line.get("val_loss"), (int, float))]
    return losses[-1] if losses else None


def folders(experiment):
    return sorted(path.parent for path in pathlib.Path(experiment, "runs").glob("*/config.yaml"))


def runs(prefix, experiment):
    folder = pathlib.Path(experiment, "runs")
    dense = last_loss(folder / "dense")
    for run in folders(experiment):
        name, final = f"{prefix}.{run.name}", last_loss(run)
        if final is None:
            print(f"{name}: no validation loss")
            continue
        steps = lines(run)
        print(f"RESULT {name}.val_loss {final:.6f} nats")
        print(f"RESULT {name}.steps {steps[-1]['step']} count")
        print(f"RESULT {name}.tokens {steps[-1]['tokens']} count")
        print(f"RESULT {name}.step_median {statistics.median(line['step_ms'] for line in steps):.3f} ms")
        print(f"RESULT {name}.bytes_peak {max(line['device_bytes_peak'] for line in steps)} B")
        accuracy = [line["validation_accuracy"] for line in steps if isinstance(line.get("validation_accuracy"), (int, float))]
        if accuracy:
            print(f"RESULT {name}.accuracy {accuracy[-1]:.4f} share")
        pruned = last_loss(folder / ("wanda" if run.name.startswith("wanda") else "pruned"))
        if dense is not None and pruned is not None and run.name not in ("dense", "pruned", "wanda"):
            print(f"RESULT {name}.won_back {100 * (pruned - final) / (pruned - dense):.2f} %")


def best(experiment, begin):
    found = [(last_loss(run), run.name) for run in folders(experiment) if run.name.startswith(begin)]
    print(min(each for each in found if each[0] is not None)[1])


def tensors(model):
    """Name and bits of each tensor, signs of zeros taken away."""
    content = pathlib.Path(model, "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for name, about in json.loads(content[8 : 8 + length]).items():
        if name != "__metadata__":
            kind, low = {"F32": ("I", 31), "BF16": ("H", 15), "F16": ("H", 15)}[about["dtype"]]
            begin, end = about["data_offsets"]
            bits = array.array(kind, content[8 + length + begin : 8 + length + end])
            yield name, array.array(kind, (0 if bit == 1 << low else bit for bit in bits))


def zeros(before, after):
    first, second, back = 0, 0, 0
    other = dict(tensors(after))
    for name, bits in tensors(before):
        if "_proj." in name:
            first += bits.count(0)
            second += other[name].count(0)
            if len(other[name]) != len(bits):
                raise SystemExit(f"{after}: {name}: expected {len(bits)} numbers, found {len(other[name])}")
            back += sum(1 for a, b in zip(bits, other[name]) if a == 0 and b != 0)
    print(f"RESULT javadoc.merged.zeros_before {first} count")
    print(f"RESULT javadoc.merged.zeros_after {second} count")
    print(f"RESULT javadoc.merged.pruned_not_zero {back} count")


{"runs": runs, "best": best, "zeros": zeros}[sys.argv[1]](*sys.argv[2:])
