# shellcheck shell=bash
# Stages 5 and 6 of one experiment, for each decoding of the plan: greedy into decode_<set>, another one into
# decode_<set>_<name>, after its weights were tuned on dev. Test sets of other languages (--also) have steps of their own.

decode_experiment() {
  local decoding other part
  for decoding in "${decodings[@]}"; do
    eval "$decoding"
    if [[ -n $tuned ]]; then
      decode_inputs "$1" "$data/dev"
      outputs=("$exp/$tuned")
      step "$exp" "tune_$decoded" python -m sure.bin.tune_decode --exp "$exp" "${decode_words[@]}"
    fi
    decode_inputs "$1" "${test_sets[@]/#/$data/}"
    outputs=()
    if [[ -n $tuned ]]; then inputs+=("$exp/$tuned"); fi
    for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/hyp.txt" "$exp/decode_$part$ending/ref.txt"); done
    step "$exp" "decode$ending" python -m sure.bin.decode --exp "$exp" "${decode_words[@]}"
    for other in "${other_languages[@]}"; do
      eval "$other"
      decode_inputs "$1" "$other_set"
      outputs=("$exp/decode_$other_name$ending"/{hyp,ref}.txt)
      step "$exp" "decode_$other_name$ending" python -m sure.bin.decode --exp "$exp" "${decode_words[@]}" --sets "$other_set"
    done
  done
}

# decode_inputs EXPERIMENT FOLDER...: sets `inputs`, and the experiment's resources, which the step before has cleared.
decode_inputs() {
  local folder
  choose_experiment "$1"
  inputs=("$exp/config.yaml" "$exp/best.safetensors")
  for folder in "${@:2}"; do
    inputs+=("$folder/wav.scp" "$folder/$target")
    if [[ -f $folder/trials ]]; then inputs+=("$folder/trials"); fi
    input_tables+=("$folder"/{segments,recordings.sha256,utt2lang})
  done
  if [[ -d $weights ]]; then input_folders+=("$weights"); fi
  if [[ -n $tuned ]]; then inputs+=("$data/train/$target" "${decode_files[@]}"); fi
}

# Everything that was ever decoded is scored, so that calls with another --decode do not undo each other's scores.
score_experiment() {
  local decoding other part
  choose_experiment "$1"
  here=true resources=() inputs=("$exp/summary.json")
  mapfile -t -O 1 inputs < <(compgen -G "$exp/decode_*/hyp.txt"; compgen -G "$exp/decode_*/ref.txt")
  outputs=()
  for decoding in "${decodings[@]}"; do
    eval "$decoding"
    for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/result.json"); done
    for other in "${other_languages[@]}"; do eval "$other"; outputs+=("$exp/decode_$other_name$ending/result.json"); done
  done
  step "$exp" score python -m sure.bin.score --exp "$exp"
}
