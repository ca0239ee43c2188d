"""Adds runs with further seeds to an experiment file. Standard library alone.

best_seeds.py FILE FOLDER SEED...   of the runs METHOD-RATE of the experiment FILE, whose folder is FOLDER, the one of each METHOD with the smallest
                                    last validation loss, once more with each SEED. Lines that FILE has already stay as they are.
"""
import json, pathlib, re, sys


def last_loss(run):
    lines = {line["step"]: line for line in map(json.loads, open(run / "metrics.jsonl"))}
    losses = [line["val_loss"] for _, line in sorted(lines.items()) if isinstance(line.get("val_loss"), (int, float))]
    return losses[-1] if losses else None


def main():
    file, folder, seeds = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    text = file.read_text()
    best = {}
    for line in text.splitlines():
        run = re.fullmatch(r"  - \{name: (([a-z-]+)-[0-9.e-]+), set: (\[.*)\]\}", line)
        if not run or not (folder / "runs" / run[1] / "metrics.jsonl").exists():
            continue
        loss = last_loss(folder / "runs" / run[1])
        if loss is not None and (run[2] not in best or loss < best[run[2]][0]):
            best[run[2]] = (loss, run[1], run[3])
    for method, (loss, name, words) in best.items():
        print(f"{method}: {name}, {loss:.4f} nats")
        for seed in seeds:
            if f"{{name: {name}-seed{seed}," not in text:
                text = text.rstrip("\n") + f"\n  - {{name: {name}-seed{seed}, set: {words}, seed={seed}]}}\n"
    file.write_text(text)


main()
