#!/usr/bin/env bash
# Correctness and speed on a GPU, in less than eight minutes: the tests of test/test_device.py, then bench/gpu.py with the
# shapes of wav2vec 2.0 large and Whisper small. `--device cpu` runs the same code with tiny shapes on the CPU.
#
#   bench/gpu.sh [--device cuda|cpu] [--out FILE]
#
# Runs in the active environment. The tests cover: methods against the CPU, padding, fast kernels of attention, no wait
# for the GPU within 20 steps, a training that is killed and resumed in a fork, bit for bit, and two processes if there are
# two GPUs.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
device=cuda out=
while (($#)); do
  case $1 in
    --device) device=${2:?--device needs cuda or cpu} ;;
    --out) out=${2:?--out needs a file} ;;
    *) echo "bench/gpu.sh: unknown option $1; there are --device and --out" >&2; exit 2 ;;
  esac
  shift 2
done
cd "$root"
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

chosen=() small=() limit=240 failed=0
if [[ $device == cpu ]]; then
  chosen=(-k "lora and wav2vec2 or padding or attention or processes or fork and language")
  small=(--shapes wav2vec2:tiny whisper:tiny --seconds 2 --batch_seconds 6 --steps 1 --matmul 512) limit=1800
fi

# within_limit COMMAND...: runs it for at most $limit seconds, and keeps the status of a failure in `failed`.
within_limit() {
  timeout "$limit" "$@" && return
  failed=$?
  if ((failed == 124)); then echo "bench/gpu.sh: stopped after $limit s: $*" >&2; fi
}
SURE_TEST_DEVICE=$device within_limit python -m pytest -q -p no:cacheprovider test/test_device.py "${chosen[@]}"
within_limit python bench/gpu.py --device "$device" "${small[@]}" ${out:+--out "$out"}
exit "$failed"
