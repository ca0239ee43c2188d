#!/usr/bin/env bash
# Runs the tests tagged "gpu" and the GPU benchmarks on a machine with a GPU. Needs what pack.sh collected, no Java, no Maven.
# Usage: run.sh KIT OUT [STAGE...]
#   KIT     folder with the parts of pack.sh (at any depth)
#   OUT     gets log files, results.txt (RESULT lines) and results.json
#   STAGE   tests, step, kernels, host, attention, losses, peers; all by default, in this order; besides padding, generate, update, adapters and, for a kit that was
#           packed with prepared data: train (the recipes of one GPU), ranks (two GPUs under Spark), sharding (mesh.zero 0 to
#           3 on two GPUs), mezo-link (zeroth-order steps of an 8B model on one GPU and on two over 1 Mbit/s), collectives (two GPUs
#           against the CPU, a kill, a hang, speed), kills (kill -9 of executors), checkpoints (what one every ten steps costs),
#           experiment (whole experiments over the pinned corpus, one run a GPU), apollo, qapollo (a 7B shape in 11.0e9 bytes of the GPU),
#           javadoc (docs/javadoc.md and docs/prune.md: a small model pre-trained, half of it pruned and healed, and tuned by several methods)
# Environment:
#           mezo (zeroth-order steps of a 30B model with its weights on the GPU and on the host) needs no prepared data
#   MEZO    of the stage mezo, as SPARSITY:WEIGHTS; default 0:device 0:host 0.8:device 0.8:host
#   TC      of the stage mezo-link: the command tc, as root; README of the kit's maker says where it comes from
#   SYNC    of the stage sync (ways to agree on two GPUs over a shaped link, gpt2-124m-2gpu), as RATE:TAU:SYNC, RATE none or one of tc's, SYNC the keys of
#           sync without braces; STEPS of each, default four rounds and ten steps. TC as below; every rank alone is the row alone:1:
#   LINKS   of the stage mezo-link, ranks of each run: 1 has no link; default 1,2
#   MODELS  of the stages step and peers, as MODEL:MICRO:SEQ; default the table of the project's targets
#   LOSSES  of the stage losses, as MODEL:MICRO:SEQ; it needs python3 with torch
#   TESTS   classes for the stage tests, as a regular expression; default all that are tagged
#   GENERATE models of the stage generate; default gpt2 llama1b. With prepared data it also trains RECIPES' first one for 20 steps and
#           puts the run to work on GPU and CPU
#   ADAPTERS of the stage adapters, as MODEL:BATCH:ADAPTER:RANK:BASE:RECOMPUTE[:PRUNED]; default the rows of large models
#   RECIPES of the stage train; default gpt2-124m llama-130m llama-350m llama-1b
#   KILLS   of the stage kills; default 10
#   SNAPSHOTS, STEPS, SETTINGS recipe, steps and more words of the stage checkpoints; default gpt2-124m, 211, none. The stages
#           javadoc and qapollo give the words of SETTINGS (--set PATH=VALUE ...) to every run
#   EXPERIMENTS of the stage experiment, files below cluster-configs; default apollo/tune.yaml. KIT holds the corpus as corpus.tar.xz,
#           whole or in pieces (corpus.tar.xz.0, ...; members corpus/... and apollo/tokenizer.json); called again it goes on
#   JAVADOC parts of the stage javadoc, in this order; default pretrain prune pruned merge methods. KIT holds corpus.tar.xz (see above) and
#           javadoc-pairs.tar.xz (javadoc/{train,validation,questions}.jsonl of JavadocPairs.java); called again it goes on. OUT gets
#           javadoc.tar.xz (tables, pictures, metrics) and the base model as javadoc-base.tar.xz.0, .1: cat them together
#   APOLLO  parts of the stage apollo (the study of cluster-configs/apollo: rates, seeds of the best, both with scale: auto, a pruned model, one with held-out documents instead of projects); default tune seeds scale scale-seeds pruned documents
#   QAPOLLO learning rates of the stage qapollo; default 0.01. It wants the corpus as the stage experiment does
#   WORK    folder of the stages experiment, qapollo and javadoc; default /dev/shm/kindling-experiments
#   PEERS   PyTorch scripts for the stage peers, each called as: python3 SCRIPT MODEL MICRO SEQ; default none
#   LIMIT   seconds after which a command is stopped; default 540
set -uo pipefail

kit=$(CDPATH='' cd -- "${1:?usage: run.sh KIT OUT [STAGE...]}" && pwd -P)
mkdir -p "${2:?usage: run.sh KIT OUT [STAGE...]}"
out=$(CDPATH='' cd -- "$2" && pwd -P)
shift 2
stages=${*:-tests step kernels host attention losses peers}
models=${MODELS:-gpt2:32:1024 llama130m:32:1024 llama350m:16:1024 llama1b:8:1024}
failed=0

export LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:/usr/local/cuda/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
jre=/tmp/kindling-jre
if [ ! -x "$jre/bin/java" ]; then
  mkdir -p "$jre"
  tar xzf "$(find "$kit" -name jre.tgz | head -n 1)" --strip-components=1 -C "$jre" || exit 1
fi
jars=$(find "$kit" -name '*.jar' | sort | paste -sd:)
# No phantom references, no false "out of memory" from JavaCPP's count of the process's bytes.
flags="--add-modules=jdk.incubator.vector -XX:+UseZGC -XX:+IgnoreUnrecognizedVMOptions -XX:MaxDirectMemorySize=1t -XX:-UsePerfData -Xmx8g"
flags="$flags -XX:ErrorFile=$out/hs_err_%p.log -Dorg.bytedeco.javacpp.noPointerGC=true -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 -Dorg.bytedeco.javacpp.maxBytes=0"

: >"$out/results.txt"
attempt() { # attempt NAME COMMAND...: runs it with a limit, keeps its log and its results
  local name=$1 start=$SECONDS code
  shift
  echo "=== $name: $*" | cut -c1-300
  timeout -k 10 "${LIMIT:-540}" "$@" >"$out/$name.log" 2>&1
  code=$?
  grep -a '^RESULT ' "$out/$name.log" | tee -a "$out/results.txt"
  echo "=== $name: exit code $code after $((SECONDS - start)) s"
  if [ "$code" -ne 0 ]; then
    tail -n "${TAIL:-30}" "$out/$name.log"
    failed=$((failed + 1))
  fi
  return "$code"
}
# shellcheck disable=SC2086
java() { attempt "$1" "$jre/bin/java" $flags -cp "$jars" "${@:2}"; }
bench() { java "$1" dev.kindling.benchmarks.Bench "${@:2}"; }

fact() { printf 'FACT %s %s\n' "$1" "$2" | tee -a "$out/results.txt"; }
fact date "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
fact commit "$(cat "$(find "$kit" -name commit.txt | head -n 1)" 2>/dev/null || echo unknown)"
fact java "$("$jre/bin/java" -version 2>&1 | head -n 1)"
nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm --format=csv,noheader 2>/dev/null |
  while IFS= read -r gpu; do fact gpu "$gpu"; done

# --- Whole runs: figures come from metrics.jsonl, as a user sees them ---------------------------------------------------
export SPARK_HOME="$kit/spark-home" SPARK_SCALA_VERSION=2.13 SPARK_LOCAL_IP=127.0.0.1
train() { # train NAME RECIPE ARGUMENT...: trains in a folder of its own, then says what the steps were like
  local name=$1 recipe=$2 work=$out/runs
  shift 2
  mkdir -p "$work" && [ -d "$work/prepared" ] || cp -r "$kit/prepared" "$work/"
  rm -rf "$work/$name"
  chmod +x "$kit/kindling/bin/kindling"
  JAVA_HOME=$jre attempt "train-$name" "$kit/kindling/bin/kindling" train "$kit/recipes/$recipe.yaml" --set log.every_steps=1 \
    --run-dir "$work/$name" --progress plain "$@"
  cp "$work/$name/metrics.jsonl" "$out/train-$name.jsonl" 2>/dev/null || return 1
  python3 - "train.$name" "$out/train-$name.jsonl" <<'PYTHON' | tee -a "$out/results.txt"
import json, statistics, sys
name, lines = sys.argv[1], [json.loads(line) for line in open(sys.argv[2])]
steps = [line for line in lines if line["step"] > min(20, len(lines) // 2) and line.get("step_ms")]
millis = sorted(line["step_ms"] for line in steps)
median = statistics.median(millis)
rate = statistics.median(line["tokens_per_s"] for line in steps)
print(f"RESULT {name}.tokens {rate:.0f} tokens/s")
print(f"RESULT {name}.step {median:.2f} ms")
print(f"RESULT {name}.step.best {millis[0]:.2f} ms")
print(f"RESULT {name}.reserved {lines[-1]['device_bytes_peak'] / 2**30:.2f} GiB")
print(f"RESULT {name}.loss.last {lines[-1]['loss']:.4f} nats")
PYTHON
  rm -rf "$work/$name"
}

snapshots() { # snapshots NAME ARGUMENT...: what checkpoints cost a run, in time from line to line of its metrics
  local name=$1 work=/dev/shm/kindling-checkpoints
  shift
  mkdir -p "$work" && [ -d "$work/prepared" ] || cp -r "$kit/prepared" "$work/"
  rm -rf "${work:?}/run"
  chmod +x "$kit/kindling/bin/kindling"
  JAVA_HOME=$jre attempt "checkpoints-$name" "$kit/kindling/bin/kindling" train "$kit/recipes/${SNAPSHOTS:-gpt2-124m}.yaml" \
    --set log.every_steps=1 --set launcher=processes --set validation.every_steps=0 --set "steps=${STEPS:-211}" ${SETTINGS:-} "$@" \
    --run-dir "$work/run" --progress plain
  python3 - "checkpoints.$name" "$work/run" <<'PYTHON' | tee -a "$out/results.txt"
import json, sys
name, run = sys.argv[1:]
lines = {line["step"]: line for line in map(json.loads, open(run + "/metrics.jsonl"))}
last = max(lines) - 1
first = 11
millis = (lines[last]["unix_ms"] - lines[first]["unix_ms"]) / (last - first)
steps = sorted(line["step_ms"] for step, line in lines.items() if first < step <= last)
print(f"RESULT {name}.step_with_all {millis:.2f} ms")
print(f"RESULT {name}.step_median {steps[len(steps) // 2]:.2f} ms")
saves = [line for line in map(json.loads, open(run + "/history.jsonl")) if line["event"] == "checkpoint" and line["step"] <= last]
for save in saves:
    if save["failure"]:
        print("failed:", save)
if saves:
    print(f"RESULT {name}.saves {len(saves)} count")
    print(f"RESULT {name}.bytes {saves[-1]['bytes']} B")
    for key, unit in ("stall_micros", "us"), ("millis", "ms"):
        each = sorted(save[key] for save in saves)
        print(f"RESULT {name}.{key} {each[len(each) // 2]} {unit}")
        print(f"RESULT {name}.{key}.most {each[-1]} {unit}")
PYTHON
  rm -rf "${work:?}/run"
}

works() { # a short run at work on GPU and CPU: the losses of a text, and what it writes
  local recipe=${RECIPES:-gpt2-124m} work=$out/runs text device
  recipe=${recipe%% *}
  text=$(find "$kit" -name run.sh | head -n 1)
  mkdir -p "$work" && [ -d "$work/prepared" ] || cp -r "$kit/prepared" "$work/"
  rm -rf "$work/works"
  chmod +x "$kit/kindling/bin/kindling"
  JAVA_HOME=$jre attempt generate-train "$kit/kindling/bin/kindling" train "$kit/recipes/$recipe.yaml" --set launcher=processes \
    --set steps=20 --run-dir "$work/works" --progress plain || return 1
  for device in cuda cpu auto; do
    JAVA_HOME=$jre attempt "generate-eval-$device" "$kit/kindling/bin/kindling" eval "$work/works" --device "$device" \
      --data "$text" --json "$out/generate-eval-$device.json" &&
      python3 - "$device" "$out/generate-eval-$device.json" <<'PYTHON' | tee -a "$out/results.txt"
import json, sys
figures = json.load(open(sys.argv[2]))
print(figures["device"])
print(f"RESULT generate.eval.{sys.argv[1]}.loss {figures['data']['loss']:.6f} nats")
PYTHON
    JAVA_HOME=$jre attempt "generate-text-$device" "$kit/kindling/bin/kindling" generate "$work/works" --device "$device" \
      --prompt "Once upon a time" --tokens 64 --temperature 0 && cat "$out/generate-text-$device.log"
  done
  rm -rf "$work/works"
}

corpus() { # corpus: the pinned corpus and the recipes where experiments run
  if [ ! -d "$work/runs/corpus" ]; then
    mkdir -p "$work/runs"
    find "$kit" -name 'corpus.tar.xz*' | sort | xargs cat | xz -dc | tar x -C "$work/runs" || return 1
  fi
  mkdir -p "$work/cluster-configs" && cp -r "$kit/recipes/." "$work/cluster-configs/"
  chmod +x "$kit/kindling/bin/kindling"
}

small_files() { # small_files NAME: tables, pictures, metrics, settings and short logs of all runs
  find runs -path '*prepared*' -prune -o \( -name 'table.*' -o -name 'costs.*' -o -name '*.svg' -o -name metrics.jsonl -o -name config.yaml \
    -o -name 'eval-*.json' -o -path '*/logs/*' -size -100k -type f \) -print | tar cJf "$out/$1.tar.xz" -T -
}

synchronised() { # synchronised RATE TAU SYNC: one way to agree over one link, from line to line of its metrics
  local rate=$1 tau=$2 sync=$3 name work=/dev/shm/kindling-sync ranks=2 steps
  name=$rate-$(sed 's/[^a-z0-9_]\{1,\}/-/g' <<<"$sync" | cut -c1-60)
  steps=${STEPS:-$((4 * tau + 10))}
  [ "$rate" != alone ] || ranks=1
  mkdir -p "$work" && [ -d "$work/prepared" ] || cp -r "$kit/prepared" "$work/"
  rm -rf "${work:?}/run"
  chmod +x "$kit/kindling/bin/kindling"
  case $rate in
    alone | none) ;;
    # The loopback's packets have up to 64 KiB, and the bucket is filled a few hundred times a second.
    *) ${TC:?stage sync wants TC} qdisc replace dev lo root tbf rate "$rate" burst 4mb latency 50ms || return 1 ;;
  esac
  (
    # Not over NVLink or shared memory: what ranks say goes over the link.
    [ "$rate" = none ] || export NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1 NCCL_SOCKET_IFNAME=lo KINDLING_SHM_DISABLE=1
    JAVA_HOME=$jre attempt "sync-$name" "$kit/kindling/bin/kindling" train "$kit/recipes/gpt2-124m-2gpu.yaml" --set log.every_steps=1 \
      --set launcher=processes --set validation.every_steps=0 --set checkpoint.every_steps=0 --set "steps=$steps" --set "ranks=$ranks" \
      --set "global_batch=$((32768 * ranks))" ${sync:+--set "sync={$sync}"} ${SETTINGS:-} --run-dir "$work/run" --progress plain
  )
  case $rate in alone | none) ;; *) $TC qdisc del dev lo root ;; esac
  cp "$work/run/metrics.jsonl" "$out/sync-$name.jsonl" 2>/dev/null || { failed=$((failed + 1)); return 1; }
  python3 - "sync.$name" "$out/sync-$name.jsonl" "$tau" "$ranks" <<'PYTHON' | tee -a "$out/results.txt"
import json, statistics, sys
name, file, tau, ranks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
lines = {line["step"]: line for line in map(json.loads, open(file))}
# Whole rounds behind the first, boundary to boundary.
begin = tau * max(1, -(-10 // tau))
rounds = (max(lines) - 1 - begin) // tau
end = begin + rounds * tau
seconds = (lines[end]["unix_ms"] - lines[begin]["unix_ms"]) / 1e3
measured = [line for step, line in lines.items() if begin < step <= end]
print(f"RESULT {name}.tokens {32768 * ranks * rounds * tau / seconds:.0f} tokens/s")
print(f"RESULT {name}.step {1e3 * seconds / (rounds * tau):.3f} ms")
print(f"RESULT {name}.step_median {statistics.median(line['step_ms'] for line in measured):.3f} ms")
print(f"RESULT {name}.exposed {sum(line['comm_exposed_ms'] for line in measured) / len(measured):.4f} ms/step")
print(f"RESULT {name}.bytes {sum(line['comm_bytes'] for line in measured) / len(measured):.0f} B/step")
waits = [line["sync_exposed_ms"] for line in measured if isinstance(line.get("sync_exposed_ms"), (int, float))]
if waits:
    print(f"RESULT {name}.wait_of_a_round {statistics.median(waits):.3f} ms")
print(f"RESULT {name}.rounds {rounds} count")
print(f"RESULT {name}.loss.last {lines[max(lines)]['loss']:.4f} nats")
PYTHON
  rm -rf "${work:?}/run"
}

experiment() { # experiment FILE: a whole experiment, its tables, pictures and metrics
  local file=$1 work=${WORK:-/dev/shm/kindling-experiments} name
  name=$(basename "$file" .yaml)
  corpus && cd "$work" || return 1
  # First, since runs side by side would each prepare.
  JAVA_HOME=$jre attempt "experiment-$name-data" "$kit/kindling/bin/kindling" data prepare \
    "cluster-configs/$(dirname "$file")/$(sed -n 's/^config: *//p' "cluster-configs/$file")" &&
    JAVA_HOME=$jre attempt "experiment-$name" "$kit/kindling/bin/kindling" experiment "cluster-configs/$file"
  small_files "experiment-$name"
  find runs -name table.md -exec cat {} +
  cd - >/dev/null || return 1
}

apollo() { # apollo PART: one part of the study of cluster-configs/apollo
  local name work=${WORK:-/dev/shm/kindling-experiments}
  case $1 in
    tune | scale) experiment "apollo/$1.yaml" ;;
    seeds | scale-seeds)
      name=tune
      [ "$1" = seeds ] || name=scale
      corpus && python3 "$kit/best_seeds.py" "$work/cluster-configs/apollo/$name.yaml" "$work/runs/apollo-$name" 2 3 &&
        cp "$work/cluster-configs/apollo/$name.yaml" "$kit/recipes/apollo/" && experiment "apollo/$name.yaml" && cat "$work/runs/apollo-$name/seeds.md"
      ;;
    pruned)
      cd "$work" || return 1
      name=$(python3 "$kit/small_model.py" best runs/apollo-tune adamw-) || return 1
      halved apollo "runs/apollo-tune/runs/$name"
      ;;
    documents)
      corpus && cd "$work" || return 1
      [ -d runs/apollo-held ] || JAVA_HOME=$jre attempt apollo-held "$kit/kindling/bin/kindling" train cluster-configs/apollo/llama-60m.yaml --set optimizer.lr=2.5e-3 \
        --set 'data.validation_paths=[]' --set data.validation_fraction=0.01 --run-dir runs/apollo-held --progress plain || return 1
      halved documents runs/apollo-held
      ;;
    *) echo "run: unknown part $1 of apollo" >&2 && return 1 ;;
  esac
}

halved() { # halved NAME RUN: half of the weights of a run's model pruned, and what few factors win back: experiment apollo/pruned.yaml or documents.yaml
  local best file=pruned
  [ "$1" = apollo ] || file=$1
  [ -d "runs/$1-base" ] || JAVA_HOME=$jre attempt "$1-base" "$kit/kindling/bin/kindling" export "$2" --to "runs/$1-base" --dtype float32 || return 1
  [ -d "runs/$1-50" ] || JAVA_HOME=$jre attempt "$1-prune" "$kit/kindling/bin/kindling" prune "runs/$1-base" --to "runs/$1-50" --sparsity 0.5 || return 1
  cd - >/dev/null || return 1
  experiment "apollo/$file.yaml"
  cd "$work" || return 1
  attempt "$1-pruned-results" python3 "$kit/small_model.py" runs "apollo.$file" "runs/apollo-$file"
  best=$(python3 "$kit/small_model.py" best "runs/apollo-$file" perp-) && rm -rf "runs/$1-merged" &&
    JAVA_HOME=$jre attempt "$1-merge" "$kit/kindling/bin/kindling" export "runs/apollo-$file/runs/$best" --to "runs/$1-merged" --merge &&
    attempt "$1-zeros" python3 "$kit/small_model.py" zeros "runs/$1-50" "runs/$1-merged"
  cd - >/dev/null || return 1
}

qapollo() { # qapollo LR: 300 steps of a 7B shape beside a ballast that leaves 11.0e9 bytes; killed when the last is validated, since a save is 27 GB
  local lr=$1 work=${WORK:-/dev/shm/kindling-experiments} ballast pid start=$SECONDS
  corpus || return 1
  rm -rf "$work/qapollo"
  echo "=== qapollo-$lr: 7B shape in 11.0e9 bytes"
  # shellcheck disable=SC2086
  setsid "$jre/bin/java" $flags -cp "$jars" dev.kindling.benchmarks.Bench gpu-ballast --leave 11000000000 --seconds 500 >"$out/ballast-$lr.log" 2>&1 &
  ballast=$!
  while kill -0 "$ballast" 2>/dev/null && ! grep -q 'gpu-ballast.left' "$out/ballast-$lr.log"; do sleep 0.5; done
  grep -a '^RESULT ' "$out/ballast-$lr.log" | tee -a "$out/results.txt"
  cd "$work" || return 1
  JAVA_HOME=$jre setsid "$kit/kindling/bin/kindling" train cluster-configs/apollo/llama-7b-qapollo.yaml --set log.every_steps=1 \
    --set "optimizer.rest.lr=$lr" ${SETTINGS:-} --run-dir "$work/qapollo" --progress plain >"$out/qapollo-$lr.log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null && [ $((SECONDS - start)) -lt "${LIMIT:-540}" ] &&
    ! grep -q '"step":300,.*val_loss' "$work/qapollo/metrics.jsonl" 2>/dev/null; do
    sleep 1
  done
  nvidia-smi --query-gpu=memory.used --format=csv,noheader
  kill -KILL -- "-$pid" "-$ballast" 2>/dev/null
  wait "$pid" "$ballast" 2>/dev/null
  cd - >/dev/null || return 1
  cp "$work/qapollo/metrics.jsonl" "$out/qapollo-$lr.jsonl" 2>/dev/null || { tail -n 30 "$out/qapollo-$lr.log"; failed=$((failed + 1)); return 1; }
  rm -rf "$work/qapollo"
  python3 - "qapollo.$lr" "$out/qapollo-$lr.jsonl" <<'PYTHON' | tee -a "$out/results.txt"
import json, statistics, sys
name, lines = sys.argv[1], [json.loads(line) for line in open(sys.argv[2])]
print(f"RESULT {name}.steps {lines[-1]['step']} count")
print(f"RESULT {name}.loss.first {lines[0]['loss']:.4f} nats")
for line in lines:
    if line.get("val_loss"):
        print(f"RESULT {name}.val_loss.{line['step']} {line['val_loss']:.4f} nats")
print(f"RESULT {name}.tokens {statistics.median(line['tokens_per_s'] for line in lines[10:]):.0f} tokens/s")
print(f"RESULT {name}.step {statistics.median(line['step_ms'] for line in lines[10:]):.2f} ms")
print(f"RESULT {name}.reserved {lines[-1]['device_bytes_peak']} B")
PYTHON
}

kindling() { JAVA_HOME=$jre attempt "javadoc-$1" "$kit/kindling/bin/kindling" "${@:2}"; } # kindling NAME WORD...

results() { attempt "javadoc-results-$1" python3 "$kit/small_model.py" runs "javadoc.$1" "runs/javadoc-$1"; }

varied() { # varied NAME: the experiment with the words of SETTINGS in each of its runs, over what is prepared already
  local file=cluster-configs/javadoc/$1.yaml word more=
  for word in ${SETTINGS:-}; do
    [ "$word" = --set ] || more="$more, \"$word\""
  done
  [ -z "$more" ] || sed -i -e "s/^\( *- {name: .*\)\]}\$/\1$more]}/" -e "s/^\( *- {name: [^,]*\)}\$/\1, set: [${more#, }]}/" "$file"
  mkdir -p runs/prepared "runs/javadoc-$1/runs"
  ln -sfn ../../prepared "runs/javadoc-$1/runs/prepared"
  kindling "$1" experiment "$file"
  cat "runs/javadoc-$1/table.md" "runs/javadoc-$1/costs.md"
  results "$1"
}

javadoc() { # javadoc PART: one part of the stage, in its folder
  local name part=$1
  case $part in
    pretrain)
      if [ ! -d runs/javadoc-base ]; then
        if [ -f runs/javadoc-pretrain/metrics.jsonl ]; then
          kindling pretrain resume runs/javadoc-pretrain --progress plain || return 1
        else
          # shellcheck disable=SC2086
          kindling pretrain train cluster-configs/javadoc/pretrain.yaml ${SETTINGS:-} --run-dir runs/javadoc-pretrain --progress plain || return 1
        fi
        kindling base export runs/javadoc-pretrain --to runs/javadoc-base --dtype float32 || return 1
      fi
      attempt javadoc-results-pretrain python3 "$kit/small_model.py" runs javadoc .
      # Numbers that look random: compressing them more than that only takes time.
      tar c -C runs javadoc-base | xz -1 -T0 | split -b 14900000 -d -a 1 - "$out/javadoc-base.tar.xz."
      ;;
    prune)
      head -q -n 20 runs/corpus/train/*.jsonl >runs/calibration.jsonl
      head -q -n 20 runs/corpus/validation/*.jsonl >runs/held.jsonl
      [ -d runs/javadoc-50 ] || kindling prune prune runs/javadoc-base --to runs/javadoc-50 --sparsity 0.5 || return 1
      [ -d runs/javadoc-wanda ] || kindling wanda prune runs/javadoc-base --to runs/javadoc-wanda --sparsity 0.5 --method wanda \
        --calibration runs/calibration.jsonl --samples 16
      ;;
    pruned)
      # An experiment with a run that cannot start starts none.
      [ -d runs/javadoc-wanda ] || sed -i '/name: wanda/d' cluster-configs/javadoc/pruned.yaml
      varied pruned
      ;;
    merge)
      name=$(python3 "$kit/small_model.py" best runs/javadoc-pruned perp-) || return 1
      echo "best: $name"
      rm -rf runs/javadoc-merged
      kindling merge export "runs/javadoc-pruned/runs/$name" --to runs/javadoc-merged --merge || return 1
      attempt javadoc-zeros python3 "$kit/small_model.py" zeros runs/javadoc-50 runs/javadoc-merged
      for name in base 50 merged; do
        kindling "eval-$name" eval "runs/javadoc-$name" --data runs/held.jsonl --json "runs/eval-$name.json"
        sed -n "s/^loss \\([0-9.]*\\) nats.*/RESULT javadoc.eval.$name \\1 nats/p" "$out/javadoc-eval-$name.log" | tee -a "$out/results.txt"
      done
      ;;
    methods)
      [ -d runs/javadoc ] || find "$kit" -name javadoc-pairs.tar.xz -exec cat {} + | xz -dc | tar x -C runs || return 1
      varied methods
      ;;
    *) echo "run: unknown part $part of javadoc" >&2 && return 1 ;;
  esac
}

for stage in $stages; do
  case $stage in
    train)
      for recipe in ${RECIPES:-gpt2-124m llama-130m llama-350m llama-1b}; do
        train "$recipe" "$recipe" --set launcher=processes
      done
      ;;
    ranks) train gpt2-124m-2gpu gpt2-124m-2gpu ;;
    sharding)
      for zero in 0 1 2 3; do
        train "zero$zero" gpt2-124m-2gpu --set launcher=processes --set steps=40 --set "mesh.zero=$zero"
      done
      ;;
    mezo)
      for row in ${MEZO:-0:device 0:host 0.8:device 0.8:host}; do
        IFS=: read -r sparsity weights <<<"$row"
        bench "mezo-30b-$sparsity-$weights" gpu-mezo 30b 4 1024 --sparsity "$sparsity" --weights "$weights"
      done
      ;;
    mezo-link)
      # The loopback's packets have up to 64 KiB: a smaller burst drops them all. Neither NVLink nor shared memory: what the ranks say goes over the link.
      if ${TC:?stage mezo-link wants TC} qdisc replace dev lo root tbf rate 1mbit burst 128kb latency 400ms; then
        NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1 NCCL_SOCKET_IFNAME=lo bench mezo-link gpu-mezo-ranks 8b 4 1024 --ranks "${LINKS:-1,2}"
        $TC qdisc del dev lo root
      else
        failed=$((failed + 1))
      fi
      ;;
    sync)
      for row in ${SYNC:-alone:1: none:1:type:every_step 10gbit:1:type:every_step}; do
        IFS=: read -r rate tau sync <<<"$row"
        synchronised "$rate" "$tau" "${sync//:/: }"
      done
      ;;
    collectives)
      for mode in values kill hang late speed flight; do
        java "collectives-$mode" dev.kindling.worker.loop.NcclCheck "$mode" 2
      done
      ;;
    checkpoints)
      # Storage that is faster than the interval, so that every save is made; the pairs take turns.
      for turn in 1 2; do
        for how in none async stopping; do
          case $how in
            none) every=0 async=true ;;
            async) every=10 async=true ;;
            stopping) every=10 async=false ;;
          esac
          snapshots "$how-$turn" --set "checkpoint.every_steps=$every" --set "checkpoint.async=$async"
        done
      done
      ;;
    experiment)
      for file in ${EXPERIMENTS:-apollo/tune.yaml}; do
        experiment "$file"
      done
      ;;
    apollo)
      for part in ${APOLLO:-tune seeds scale scale-seeds pruned documents}; do
        apollo "$part" || failed=$((failed + 1))
      done
      ;;
    qapollo)
      for lr in ${QAPOLLO:-0.01}; do
        qapollo "$lr"
      done
      ;;
    javadoc)
      work=${WORK:-/dev/shm/kindling-experiments}
      if corpus && cd "$work"; then
        for part in ${JAVADOC:-pretrain prune pruned merge methods}; do
          begun=$SECONDS
          javadoc "$part" || failed=$((failed + 1))
          echo "RESULT javadoc.$part.seconds $((SECONDS - begun)) s" | tee -a "$out/results.txt"
          mkdir -p runs/logs && mv "$out"/javadoc-*.log runs/logs/
          small_files javadoc
        done
        cd - >/dev/null || exit 1
      else
        failed=$((failed + 1))
      fi
      ;;
    kills)
      mkdir -p "$out/runs" && [ -d "$out/runs/prepared" ] || cp -r "$kit/prepared" "$out/runs/"
      JAVA_HOME=$jre attempt kills python3 "$kit/kill_executors.py" "$kit" "$out/runs" "${KILLS:-10}"
      ;;
    tests)
      tests=$(find "$kit" -name 'kindling-*-tests.jar' | sort | paste -sd:)
      java tests org.junit.platform.console.ConsoleLauncher execute --scan-classpath "$tests" --include-tag gpu \
        --exclude-tag multi-gpu --include-classname "${TESTS:-.*Test}" --details testfeed --disable-banner \
        --disable-ansi-colors --fail-if-no-tests
      grep -aE '^\[ +[0-9]+ tests' "$out/tests.log"
      grep -aE ' :: (FAILED|ABORTED)' "$out/tests.log" | head -n 60
      ;;
    step)
      for model in $models; do
        IFS=: read -r name micro sequence <<<"$model"
        bench "step-$name" gpu-step "$name" "$micro" "$sequence"
      done
      ;;
    kernels)
      for model in $models; do
        IFS=: read -r name micro sequence <<<"$model"
        bench "kernels-$name" gpu-kernels "$name" "$micro" "$sequence" && grep -a '^KERNEL' "$out/kernels-$name.log"
      done
      ;;
    host) bench host gpu-host ;;
    attention) bench attention gpu-attention ;;
    padding) bench padding gpu-padding gpt2 32 1024 ;;
    generate)
      for model in ${GENERATE:-gpt2 llama1b}; do
        bench "generate-$model" generate "$model" --device cuda
      done
      [ ! -d "$kit/prepared" ] || works
      ;;
    update) bench update gpu-update llama1b ;;
    adapters)
      for row in ${ADAPTERS:-8b:4:lora:8:bf16:none 8b:4:paca:16:bf16:none 8b:4:lora:8:bf16:blocks 8b:4:paca:16:bf16:blocks \
        8b:4:lora:8:nf4:blocks 70b:1:paca:64:nf4:blocks 8b:4:lora:8:bf16:none:0.5}; do
        IFS=: read -r name micro adapter rank base recompute pruned <<<"$row"
        bench "adapters-${row//:/-}" gpu-adapters "$name" "$micro" 1024 --adapter "$adapter" --rank "$rank" --base "$base" \
          --recompute "$recompute" --pruned "${pruned:-0}"
      done
      ;;
    losses)
      # The script against our fp32 first: whoever is wrong there is not bf16.
      bench losses-tiny-cpu gpu-losses tiny 2 128 --folder "$out/losses-tiny.data" --device cpu &&
        attempt torch-losses-tiny-cpu python3 "$(find "$kit" -name torch_losses.py | head -n 1)" "$out/losses-tiny.data" gpu-losses.tiny-cpu
      rm -rf "$out/losses-tiny.data"
      for model in ${LOSSES:-gpt2:4:1024 llama130m:4:1024}; do
        IFS=: read -r name micro sequence <<<"$model"
        bench "losses-$name" gpu-losses "$name" "$micro" "$sequence" --folder "$out/losses-$name.data" &&
          attempt "torch-losses-$name" python3 "$(find "$kit" -name torch_losses.py | head -n 1)" "$out/losses-$name.data" "gpu-losses.$name"
        rm -rf "$out/losses-$name.data"
      done
      ;;
    peers)
      for model in $models; do
        IFS=: read -r name micro sequence <<<"$model"
        for script in ${PEERS:-}; do
          for sdpa in flash cudnn; do
            SDPA=$sdpa attempt "peer-$(basename "$script" .py)-$name-$sdpa" python3 "$script" "$name" "$micro" "$sequence"
            grep -a '^PEER' "$out/peer-$(basename "$script" .py)-$name-$sdpa.log"
          done
        done
      done
      ;;
    *) echo "run: unknown stage $stage" >&2 && exit 2 ;;
  esac
done

# One JSON object: the facts, then every result.
awk '
  function quoted(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }
  $1 == "FACT" { value = $0; sub(/^FACT [^ ]+ /, "", value); facts = facts sprintf("  %s: %s,\n", quoted($2), quoted(value)) }
  $1 == "RESULT" {
    value = $3 ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ ? $3 : quoted($3)
    results = results (results == "" ? "" : ",\n") sprintf("    {\"name\": %s, \"value\": %s, \"unit\": %s}", quoted($2), value, quoted($4))
  }
  END { printf "{\n%s  \"results\": [\n%s\n  ]\n}\n", facts, results }' "$out/results.txt" >"$out/results.json"
echo "=== $failed of the commands failed; results in $out/results.json"
[ "$failed" -eq 0 ]
