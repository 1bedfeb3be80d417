#!/usr/bin/env bash
# ./dev run: an embedded hub with the seed catalog on loopback, and a client of its own, all below .run/.
#   run.sh                open Quick Add and stay until Ctrl-C
#   run.sh --once "TEXT"  print the app's answer and stop
#   run.sh --cli ARGS     the CLI on that client's state, nothing started
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/bin
state=${LOCARA_RUN_DIR:-$PWD/.run}
hub_address=${LOCARA_HUB_ADDRESS:-127.0.0.1:17864}
app=locara/quick-add
export LOCARA_HOME=$state/client
locara() { "$bin/locara" "$@"; }

if [ "${1:-}" = --cli ]; then
    shift
    exec "$bin/locara" "$@"
fi
case ${1:-} in
    '') ;;
    --once) [ $# = 2 ] || { echo 'dev run: --once wants one TEXT, e.g. ./dev run --once "call mom tomorrow at 5pm"' >&2; exit 2; } ;;
    *) echo "dev run: unknown argument '$1'; see ./dev help" >&2; exit 2 ;;
esac

mkdir -p "$state"
hub_pid=
stop_all() {
    trap - EXIT INT TERM
    locara stop > /dev/null 2>&1 || true
    [ -z "$hub_pid" ] || { kill "$hub_pid" 2> /dev/null; wait "$hub_pid" 2> /dev/null; } || true
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The hub: its first start makes the keys, signs the seed catalog and fills the seed repositories.
rm -f "$state/hub/ready"
"$bin/locara-hub" serve --data "$state/hub" --listen "$hub_address" --seed build/share/locara/seed 2> "$state/hub.log" &
hub_pid=$!
until [ -e "$state/hub/ready" ]; do
    if ! kill -0 "$hub_pid" 2> /dev/null; then
        hub_pid=
        cat "$state/hub.log" >&2
        exit 1
    fi
    sleep 0.02
done

# Only this loopback hub is trusted without asking: its root is taken from its own data folder.
locara hub add "http://$hub_address" --root "$state/hub/root.json" --quiet
if [ "${1:-}" = --once ]; then
    locara install "$app" --yes --quiet > /dev/null
    locara run "$app" --once "$2"
    exit
fi
locara install "$app" --yes >&2
locara run "$app"
cat <<'TEXT'

Try     type   lunch with Ana next Friday at noon, urgent   and press Enter
        ./dev locara list | doctor | df | show locara/quick-add
        ./dev run --once "call mom tomorrow at 5pm"
Stop    Ctrl-C
TEXT
wait "$hub_pid"
