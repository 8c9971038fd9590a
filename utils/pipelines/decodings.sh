# shellcheck shell=bash
# Stages 5 and 6 of one experiment, for each decoding of the plan: greedy into decode_<set>, another one into
# decode_<set>_<name>, after its weights were tuned on dev.

decode_experiment() {
  local decoding part
  for decoding in "${decodings[@]}"; do
    eval "$decoding"
    if [[ -n $tuned ]]; then
      decode_inputs "$1" dev
      outputs=("$exp/$tuned")
      step "$exp" "tune_$decoded" python -m sure.bin.tune_decode --exp "$exp" "${decode_words[@]}"
    fi
    decode_inputs "$1" "${test_sets[@]}"
    outputs=()
    if [[ -n $tuned ]]; then inputs+=("$exp/$tuned"); fi
    for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/hyp.txt" "$exp/decode_$part$ending/ref.txt"); done
    step "$exp" "decode$ending" python -m sure.bin.decode --exp "$exp" "${decode_words[@]}"
  done
}

# decode_inputs EXPERIMENT SET...: sets `inputs`, and the experiment's resources, which the step before has cleared.
decode_inputs() {
  local part
  choose_experiment "$1"
  inputs=("$exp/config.yaml" "$exp/best.safetensors")
  for part in "${@:2}"; do
    inputs+=("$data/$part/wav.scp" "$data/$part/$target")
    if [[ -f $data/$part/trials ]]; then inputs+=("$data/$part/trials"); fi
    input_tables+=("$data/$part"/{segments,recordings.sha256})
  done
  if [[ -d $weights ]]; then input_folders+=("$weights"); fi
  if [[ -n $tuned ]]; then inputs+=("$data/train/$target" "${decode_files[@]}"); fi
}

# Everything that was ever decoded is scored, so that calls with another --decode do not undo each other's scores.
score_experiment() {
  local decoding part
  choose_experiment "$1"
  here=true resources=() inputs=("$exp/summary.json")
  mapfile -t -O 1 inputs < <(compgen -G "$exp/decode_*/hyp.txt"; compgen -G "$exp/decode_*/ref.txt")
  outputs=()
  for decoding in "${decodings[@]}"; do
    eval "$decoding"
    for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/result.json"); done
  done
  step "$exp" score python -m sure.bin.score --exp "$exp"
}
