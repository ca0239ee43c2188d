"""kill_executors.py KIT FOLDER KILLS: trains a small GPT-2 on two GPUs under Spark and kills one of the two executor JVMs
with SIGKILL again and again, at random moments within a step. A command gets three kills, as many as the retry budget of an
hour allows; then it is stopped and resumed. In the end an undisturbed run is compared step by step: loss and gradient norm
of every line that any attempt wrote. Prints RESULT lines; exit code 1 if a bit differs or a step is missing."""
import json, os, random, signal, subprocess, sys, time

kit, folder, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
kindling, recipe = kit + "/kindling/bin/kindling", kit + "/recipes/gpt2-124m-2gpu.yaml"
os.chmod(kindling, 0o755)
small = "model.layers=4 model.width=256 model.heads=4 log.every_steps=1 checkpoint.every_steps=100 steps=20000 " \
    "validation.every_steps=0 micro_batch=8192 global_batch=16384"
settings = [word for assignment in small.split() for word in ("--set", assignment)]
random.seed(7)


def lines(run):
    read = []
    if os.path.exists(run + "/metrics.jsonl"):
        for line in open(run + "/metrics.jsonl"):
            try:
                read.append(json.loads(line))
            except ValueError:
                pass  # The last line is still being written.
    return read


def last(run):
    read = lines(run)
    return (read[-1]["attempt"], read[-1]["step"]) if read else (0, 0)


def wait(done, limit):
    start = time.time()
    while time.time() - start < limit:
        if done():
            return time.time() - start
        time.sleep(0.05)
    return float("inf")


def executors():
    found = subprocess.run(["pgrep", "-f", "CoarseGrainedExecutorBackend"], capture_output=True, text=True).stdout
    return [int(pid) for pid in found.split()]


def used_mib():
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return max(int(mib) for mib in subprocess.run(query, capture_output=True, text=True).stdout.split())


def start(run, again, log):
    command = [kindling, "resume", run] if again else [kindling, "train", recipe, "--run-dir", run] + settings
    return subprocess.Popen(command + ["--progress", "plain"], stdout=open(log, "a"), stderr=subprocess.STDOUT)


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(90)


idle = used_mib()
run, calm = folder + "/killed", folder + "/calm"
kills, recoveries, left = 0, [], []
while kills < wanted:
    before = last(run)
    driver = start(run, before != (0, 0), folder + "/kills.txt")
    wait(lambda: last(run)[0] > before[0] or driver.poll() is not None, 120)
    for _ in range(min(3, wanted - kills)):
        time.sleep(1 + 2 * random.random())
        pids, at = executors(), last(run)
        if driver.poll() is not None or len(pids) != 2:
            sys.exit(f"expected a driver and two executors, found exit code {driver.poll()} and {pids}; see kills.txt")
        os.kill(random.choice(pids), signal.SIGKILL)
        kills += 1
        recoveries.append(wait(lambda: last(run)[0] > at[0] or driver.poll() is not None, 120))
        if driver.poll() is not None:
            sys.exit(f"expected a driver that starts a new attempt, found exit code {driver.poll()}; see kills.txt")
        print(f"kill {kills} after {at}: trains again at {last(run)} after {recoveries[-1]:.1f} s", flush=True)
    stop(driver)
    left.append(used_mib())
steps = max(line["step"] for line in lines(run))
driver = start(calm, False, folder + "/calm.txt")
wait(lambda: last(calm)[1] >= steps or driver.poll() is not None, 300)
stop(driver)
expected = {line["step"]: (line["loss"], line["grad_norm"]) for line in lines(calm)}
compared = [line for line in lines(run) if line["step"] in expected]
differing = [line for line in compared if (line["loss"], line["grad_norm"]) != expected[line["step"]]]
missing = set(range(1, steps + 1)) - {line["step"] for line in compared}
print(f"RESULT kills.count {kills} count")
print(f"RESULT kills.recovery.max {max(recoveries):.2f} s")
print(f"RESULT kills.recovery.mean {sum(recoveries) / len(recoveries):.2f} s")
print(f"RESULT kills.steps {steps} count")
print(f"RESULT kills.compared {len(compared)} count")
print(f"RESULT kills.differing {len(differing)} count")
print(f"RESULT kills.missing {len(missing)} count")
print(f"RESULT kills.left {max(left) - idle} MiB")
sys.exit(1 if differing or missing or max(recoveries) == float("inf") else 0)
