#!/bin/sh
# compile.sh OUT: compiles every kernel source beside this script into OUT/NAME.fatbin (Hopper machine code
# and PTX for everything newer than Ampere) and copies the sources beside them. Without nvcc only the copy: NVRTC
# compiles them at the first start on a GPU.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
out=$1
mkdir -p "$out"
nvcc=${NVCC:-$(command -v nvcc || :)}
[ -n "$nvcc" ] || [ ! -x /usr/local/cuda/bin/nvcc ] || nvcc=/usr/local/cuda/bin/nvcc
cp "$here"/*.cu "$here"/*.cuh "$out/"
if [ -z "$nvcc" ]; then
  echo "no nvcc: this build holds kernel sources only, and NVRTC compiles them at the first start"
  exit 0
fi
newest_header=$(ls -t "$here"/*.cuh | head -n 1)
for source in "$here"/*.cu; do
  fatbin=$out/$(basename "$source" .cu).fatbin
  [ ! -f "$fatbin" ] || [ "$source" -nt "$fatbin" ] || [ "$newest_header" -nt "$fatbin" ] || continue
  echo "nvcc $(basename "$source")"
  "$nvcc" -O3 -std=c++17 --fatbin -Werror all-warnings \
    -gencode=arch=compute_90a,code=sm_90a -gencode=arch=compute_80,code=compute_80 \
    -I "$here" -o "$fatbin.new" "$source"
  mv -f "$fatbin.new" "$fatbin"
done
