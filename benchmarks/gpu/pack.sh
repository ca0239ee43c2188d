#!/usr/bin/env bash
# Collects what a machine with a GPU, but without Java or Maven, needs to run the tests tagged "gpu" and the GPU
# benchmarks, in parts that can be carried one by one:
#   OUT/1, OUT/2, ...   each at most 60 MB: jre.tgz (a jlinked Java 17 runtime), the jars, run.sh, the PyTorch scripts
# Usage: pack.sh OUT      after: mvn test-compile   (first use fetches the JUnit console from the Maven repository)
# Spark, OpenBLAS (the CPU oracle takes the product in pure Java) and the CUDA libraries themselves stay out.
set -euo pipefail

out=${1:?usage: pack.sh OUT}
home=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
limit=60000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
java_home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}

for module in kernels cluster-configs comm optim moe worker driver benchmarks; do
  [ -d "$home/$module/target/classes" ] || { echo "pack: no $module/target/classes; build first: mvn test-compile" >&2; exit 1; }
done
[ -f "$home/kernels/target/classes/cuda/element.fatbin" ] || { echo "pack: no compiled kernels; build where nvcc is" >&2; exit 1; }

rm -rf "$out" && mkdir -p "$out" "$work/all"
out=$(CDPATH='' cd -- "$out" && pwd -P)

# --- Runtime --------------------------------------------------------------------------------------------------------
"$java_home/bin/jlink" --strip-debug --no-man-pages --no-header-files --compress=2 --output "$work/jre" --add-modules \
  java.base,java.logging,java.management,java.naming,java.xml,java.net.http,java.compiler,jdk.unsupported,jdk.incubator.vector,jdk.management,jdk.jfr,jdk.zipfs \
  2>/dev/null
tar czf "$work/all/jre.tgz" -C "$work" jre

# --- Ours -----------------------------------------------------------------------------------------------------------
for module in kernels cluster-configs comm optim moe worker driver benchmarks; do
  "$java_home/bin/jar" --create --file "$work/all/kindling-$module.jar" -C "$home/$module/target/classes" .
done
for module in kernels worker benchmarks; do
  [ ! -d "$home/$module/target/test-classes" ] ||
    "$java_home/bin/jar" --create --file "$work/all/kindling-$module-tests.jar" -C "$home/$module/target/test-classes" .
done

# --- Theirs ---------------------------------------------------------------------------------------------------------
property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" "$home/pom.xml" | head -n 1; }
maven() { (cd "$home" && mvn -B -q "$@"); }
class_path() { # class_path MODULE FILE
  maven -o -Dquick -pl "$1" -am -Dmaven.test.skip=true compile \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath -DincludeScope=test "-Dmdep.outputFile=$2"
}
# The console holds all of JUnit; its version goes with JUnit's: 5.14.0 has platform 1.14.0.
junit=$(property junit.version)
console=org.junit.platform:junit-platform-console-standalone:1.${junit#5.}
fetch() { maven "$@" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy "-Dartifact=$console" "-DoutputDirectory=$work/all"; }
fetch -o 2>/dev/null >/dev/null || fetch
for module in kernels worker; do
  class_path "$module" "$work/$module.classpath"
done
tr ':' '\n' <<<"$(cat "$work"/*.classpath | tr '\n' ':')" | sort -u | while IFS= read -r jar; do
  case $(basename "$jar") in
    '' | classes | kindling-* | openblas-* | junit-* | opentest4j-* | apiguardian-* | byte-buddy-* | error_prone_annotations-*) ;;
    *.jar) cp -L "$jar" "$work/all/" ;;
  esac
done
# Of JCuda's natives only the driver's are ever loaded here.
mkdir "$work/jcuda"
(
  cd "$work/jcuda"
  natives=$(echo "$work"/all/jcuda-natives-*.jar)
  "$java_home/bin/jar" --extract --file "$natives"
  find . -name '*.so' ! -name 'libJCudaDriver-*' -delete
  "$java_home/bin/jar" --create --no-manifest --file "$natives" .
)

# --- Scripts --------------------------------------------------------------------------------------------------------
cp "$home/benchmarks/gpu/run.sh" "$work/all/"
for script in "$home"/benchmarks/gpu/*.py; do
  [ ! -f "$script" ] || cp "$script" "$work/all/"
done
{ git -C "$home" rev-parse --short=12 HEAD; git -C "$home" diff --quiet HEAD || echo changed; } 2>/dev/null | paste -sd' ' >"$work/all/commit.txt"

# --- Parts ----------------------------------------------------------------------------------------------------------
part=1
size=0
mkdir -p "$out/1"
for file in "$work"/all/*; do
  bytes=$(stat -c %s "$file")
  if [ $((size + bytes)) -gt "$limit" ]; then
    part=$((part + 1)) size=0
    mkdir -p "$out/$part"
  fi
  cp "$file" "$out/$part/"
  size=$((size + bytes))
done
chmod +x "$out"/*/run.sh
du -sm "$out"/*
