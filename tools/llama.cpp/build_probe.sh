#!/usr/bin/env bash
# Builds gguf_probe (gguf_probe.cpp beside this): the pinned llama.cpp's own reader of GGUF under the address and
# undefined-behaviour sanitizers. Prints its path. For `./dev soak`; about two minutes, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/source.sh"
flags=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF
    -DLLAMA_BUILD_UI=OFF -DLLAMA_OPENSSL=OFF
    "-DCMAKE_C_FLAGS=-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    "-DCMAKE_CXX_FLAGS=-fsanitize=address,undefined -fno-sanitize-recover=undefined")
key=$(cat "$here/pin" "$here/gguf_probe.cpp" <(printf '%s\n' "${flags[@]}" "$(g++ -dumpfullversion)") | sha256sum | cut -c1-16)
out=${LOCARA_LLAMA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/locara/llama.cpp}/probe-$key
if [ ! -x "$out/gguf_probe" ]; then
    mkdir -p "$out"
    exec 9>"$out.lock"
    flock 9
    if [ ! -x "$out/gguf_probe" ]; then
        fetch_source "$out/src"
        cmake -S "$out/src" -B "$out/build" -G Ninja "${flags[@]}" > "$out/build.log" 2>&1 &&
            cmake --build "$out/build" --target ggml-base >> "$out/build.log" 2>&1 || {
            tail -n 30 "$out/build.log" >&2
            echo "llama.cpp: the build failed; the whole log is $out/build.log" >&2
            exit 1
        }
        g++ -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -I "$out/src/ggml/include" \
            "$here/gguf_probe.cpp" "$(find "$out/build" -name 'libggml-base.a' -print -quit)" -lpthread -ldl -lm -o "$out/gguf_probe.new"
        mv "$out/gguf_probe.new" "$out/gguf_probe"
        rm -rf "$out/build" "$out/src"
    fi
fi
echo "$out/gguf_probe"
