#!/usr/bin/env bash
# Collects what a machine with a GPU, but without Java or Maven, needs to run the tests tagged "gpu" and the GPU
# benchmarks, in parts that can be carried one by one:
#   OUT/1, OUT/2, ...   each at most 48 MB: jre.tgz (a jlinked Java 17 runtime), the jars, run.sh, the PyTorch scripts.
#                       Put them together there: cp -r OUT/*/. KIT/
# Usage: pack.sh OUT [PREPARED]      after: mvn test-compile   (first use fetches the JUnit console from the Maven repository)
#   PREPARED   a folder of prepared sets (runs/prepared). With it the kit also holds what the stages train, ranks, sharding and
#              kills want: bin/kindling, its jars (mvn package) and those of Spark that a barrier job loads, the recipes
# OpenBLAS (the CPU oracle takes the product in pure Java) and the CUDA libraries themselves stay out.
set -euo pipefail

out=${1:?usage: pack.sh OUT [PREPARED]}
prepared=${2:-}
home=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
limit=48000000
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
  java.se,jdk.unsupported,jdk.incubator.vector,jdk.management,jdk.jfr,jdk.net,jdk.zipfs,jdk.crypto.ec,jdk.security.auth,jdk.security.jgss \
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
cp "$home/benchmarks/gpu/run.sh" "$work/all/" && chmod +x "$work/all/run.sh"
for script in "$home"/benchmarks/gpu/*.py; do
  [ ! -f "$script" ] || cp "$script" "$work/all/"
done
{ git -C "$home" rev-parse --short=12 HEAD; git -C "$home" diff --quiet HEAD || echo changed; } 2>/dev/null | paste -sd' ' >"$work/all/commit.txt"

# --- Whole runs -----------------------------------------------------------------------------------------------------
if [ -n "$prepared" ]; then
  jars=$home/driver/target/spark-home/jars
  [ -d "$jars" ] || { echo "pack: no Spark yet; call bin/kindling once" >&2; exit 1; }
  mkdir -p "$work/all/spark-home/jars" "$work/all/spark-home/conf" "$work/all/kindling/lib" "$work/all/recipes"
  : >"$work/all/spark-home/conf/empty"
  for jar in "$jars"/*.jar; do
    # Nothing of SQL, of other systems' natives, or of stores that a barrier job without shuffle opens.
    case $(basename "$jar") in
      rocksdbjni* | leveldbjni* | icu4j* | spark-catalyst* | spark-sql* | spark-hive* | parquet* | orc-* | arrow* | curator* | zookeeper* | \
        jts* | datasketches* | janino* | scala-reflect* | scala-parser* | scala-parallel* | protobuf* | hive-* | flatbuffers* | *osx* | *windows* | *aarch*) ;;
      *) cp -L "$jar" "$work/all/spark-home/jars/" ;;
    esac
  done
  cp -r "$home/bin" "$work/all/kindling/"
  cp "$home"/driver/target/kindling-[0-9]*.jar "$home"/driver/target/kindling-cuda-*.jar "$work/all/kindling/lib/"
  cp -r "$home"/cluster-configs/*.yaml "$home"/cluster-configs/{apollo,javadoc} "$work/all/recipes/"
  cp -r "$prepared" "$work/all/prepared"
fi

# --- Parts ----------------------------------------------------------------------------------------------------------
part=1
size=0
mkdir -p "$out/1"
while IFS= read -r file; do
  bytes=$(stat -c %s "$work/all/$file")
  if [ $((size + bytes)) -gt "$limit" ]; then
    part=$((part + 1)) size=0
  fi
  mkdir -p "$out/$part/$(dirname "$file")"
  cp -p "$work/all/$file" "$out/$part/$file"
  size=$((size + bytes))
done < <(cd "$work/all" && find . -type f | sort)
du -sm "$out"/*
