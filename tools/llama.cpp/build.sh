#!/usr/bin/env bash
# Builds llama.cpp's `llama-server` and `llama-quantize` from the source bundle that the npm package
# node-llama-cpp ships (version and SHA-512 pinned in the file `pin` beside this one), and prints the folder
# that holds them.
#
# The result lives in the user's cache, not in the build tree: a clean rebuild of Locara does not repeat it.
# Its folder is named after everything that decides the result, so a changed pin or flag builds anew.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/source.sh"

# No network code (OpenSSL), no child processes, no web page inside the engine: what is not there cannot be misused.
flags=(
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_SUBPROCESS=OFF
    -DGGML_NATIVE=ON -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF
)
cpu=$(grep -m1 '^flags' /proc/cpuinfo || true)   # GGML_NATIVE: another processor needs another build
key=$(cat "$here/pin" <(printf '%s\n' "${flags[@]}" "$cpu" "$(g++ -dumpfullversion)") | sha256sum | cut -c1-16)
out=${LOCARA_LLAMA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/locara/llama.cpp}/$key

if [ ! -x "$out/bin/llama-server" ] || [ ! -x "$out/bin/llama-quantize" ]; then
    mkdir -p "$out"
    exec 9>"$out.lock"
    flock 9                                      # two builds at once would step on each other
    if [ ! -x "$out/bin/llama-quantize" ]; then
        echo "llama.cpp: fetching the pinned source (npm package node-llama-cpp, about 36 MB)" >&2
        fetch_source "$out/src"
        echo "llama.cpp: building llama-server (about 6 minutes on 2 cores, once)" >&2
        cmake -S "$out/src" -B "$out/build" -G Ninja "${flags[@]}" > "$out/build.log" 2>&1 &&
            cmake --build "$out/build" --target llama-server llama-quantize >> "$out/build.log" 2>&1 || {
            tail -n 30 "$out/build.log" >&2
            echo "llama.cpp: the build failed; the whole log is $out/build.log" >&2
            exit 1
        }
        mkdir -p "$out/bin"
        cp "$out/build/bin/llama-server" "$out/bin/llama-server.new"
        mv "$out/bin/llama-server.new" "$out/bin/llama-server"
        cp "$out/build/bin/llama-quantize" "$out/bin/llama-quantize"
        rm -rf "$out/build" "$out/src"
    fi
fi
echo "$out/bin"
