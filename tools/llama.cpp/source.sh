# Sourced: fetch_source FOLDER puts the pinned source of llama.cpp there, from the npm package node-llama-cpp (version
# and SHA-512 in the file `pin` beside this one). Ends the script with 6 if the package is another one.
pinned() { awk -v name="$1" '$1 == name { print $2 }' "$here/pin"; }

fetch_source() {
    local npm tarball found
    npm=$(mktemp -d)
    tarball=$npm/$(cd "$npm" && npm pack --silent "$(pinned package)")
    found=sha512-$(openssl dgst -sha512 -binary "$tarball" | base64 -w0)
    if [ "$found" != "$(pinned integrity)" ]; then
        echo "llama.cpp: $(pinned package) is not the pinned one: found $found, expected $(pinned integrity)" >&2
        exit 6
    fi
    tar -xzf "$tarball" -C "$npm" package/llama/gitRelease.bundle
    rm -rf "$1"
    git -c advice.detachedHead=false clone -q "$npm/package/llama/gitRelease.bundle" "$1"
    rm -rf "$npm"
}
