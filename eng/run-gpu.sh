#!/usr/bin/env bash
# Conformance tests on a GPU, then the benchmark suite. Leaves machine.txt, conformance.log, suite.log and results-GPU.json in $OUT (default: the current
# folder). SFN_DEVICE names another device than cuda:0. Exit code: 0 if both went well; the suite also runs if conformance failed, to leave its figures.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=${SFN_DEVICE:-cuda:0}
out=${OUT:-$PWD}
mkdir -p "$out" && cd "$out" || exit 1
out=$PWD
export DOTNET_EnableDiagnostics=0 TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
status=0

{
    [ ! -e "$here/commit.txt" ] || echo "commit $(cat "$here/commit.txt")"
    date -u
    uname -srm
    grep -m 1 'model name' /proc/cpuinfo
    nproc
    nvidia-smi 2>&1 || true
} > "$out/machine.txt"

# part NAME SECONDS COMMAND…: runs it with its output in NAME.log, shows the end and says how it went.
part() {
    local name=$1 limit=$2 began=$SECONDS code
    shift 2
    timeout -k 10 "$limit" "$@" > "$out/$name.log" 2>&1
    code=$?
    tail -n 30 "$out/$name.log"
    if [ $code -eq 0 ]; then
        echo "ok      $name $((SECONDS - began)) s"
    else
        echo "FAILED  $name $((SECONDS - began)) s, exit code $code; see $out/$name.log"
        status=1
    fi
}

rm -f "$out/results-GPU.json"
export SFN_TEST_DEVICE=$device
part conformance "${CONFORMANCE_SECONDS:-300}" "$here/Sfn.Tests" --no-ansi --progress off
part suite "${SUITE_SECONDS:-290}" "$here/Sfn.Bench" suite --device "$device" --results "$out/results-GPU.json"
[ -s "$out/results-GPU.json" ] || { echo "FAILED  $out/results-GPU.json was not written"; status=1; }
exit $status
