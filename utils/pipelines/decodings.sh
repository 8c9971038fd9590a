# shellcheck shell=bash
# Stages 5 and 6 of one experiment, in each way of --decode: greedy into decode_<set>, another into decode_<set>_<name>,
# its weights tuned on dev before.

decode_experiment() {
  local decoding part
  local -a words
  choose_experiment "$1"
  for decoding in "${decodings[@]}"; do
    name_decoding "$decoding"
    words=(decode.method="$decoding")
    if [[ $decoding != greedy ]]; then
      words+=("${decode_settings[@]}")
      decode_inputs dev
      outputs=("$exp/tuned_$decoded.json")
      step "$exp" "tune_$decoded" python -m sure.bin.tune_decode --exp "$exp" "${words[@]}"
    fi
    decode_inputs "${test_sets[@]}"
    outputs=()
    if [[ $decoding != greedy ]]; then inputs+=("$exp/tuned_$decoded.json"); fi
    for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/hyp.txt" "$exp/decode_$part$ending/ref.txt"); done
    step "$exp" "decode$ending" python -m sure.bin.decode --exp "$exp" "${words[@]}"
  done
}

# name_decoding METHOD: sets decoded, its name, and ending, what is behind the names of its folders.
name_decoding() {
  decoded=$1 ending=""
  if [[ $1 == beam ]]; then decoded=$decode_name ending=_$decoded; fi
}

# decode_inputs SET...: sets `inputs`, and the experiment's resources again, which the step before has cleared.
decode_inputs() {
  local part word
  choose_experiment "$method $seed $rate"
  inputs=("$exp/config.yaml" "$exp/best.safetensors")
  for part; do
    inputs+=("$data/$part/wav.scp" "$data/$part/$target")
    if [[ -f $data/$part/trials ]]; then inputs+=("$data/$part/trials"); fi
  done
  if [[ $decoded == greedy ]]; then return; fi
  inputs+=("$data/train/$target")
  for word in "${decode_settings[@]}"; do
    if [[ $word =~ ^decode\.(ngram|lexicon)= && -f ${word#*=} ]]; then inputs+=("${word#*=}"); fi
  done
}

# Scores are of all that was ever decoded, so that calls with another --decode do not undo each other's.
score_experiment() {
  local decoding part
  choose_experiment "$1"
  here=true resources=() inputs=("$exp/summary.json")
  mapfile -t -O 1 inputs < <(compgen -G "$exp/decode_*/hyp.txt"; compgen -G "$exp/decode_*/ref.txt")
  outputs=()
  for decoding in "${decodings[@]}"; do
    name_decoding "$decoding"
    for part in "${test_sets[@]}"; do outputs+=("$exp/decode_$part$ending/result.json"); done
  done
  step "$exp" score python -m sure.bin.score --exp "$exp"
}
