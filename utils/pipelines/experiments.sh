# shellcheck shell=bash
# Stages 4 to 6 and 8, over methods, rates and seeds: each experiment is a folder
# exp/<dataset>_<backbone>_<method>[_<variant>][_rate<rate>]/seed<k>. A decoding other than greedy has files of its own.

stage_train() { each_experiment train_experiment; }
stage_decode() { each_experiment decode_experiment; }
stage_score() { each_experiment score_experiment; }
stage_pack() { each_experiment pack_experiment; }

# list_experiments: sets `experiments` to every "METHOD SEED RATE" of this call; without --rates there is no RATE.
list_experiments() {
  experiments=()
  for method in "${methods[@]}"; do
    for rate in ${rates:-""}; do
      for seed in $seeds; do experiments+=("$method $seed $rate"); done
    done
  done
}

# each_experiment FUNCTION: calls it with each of them, --nj at once.
each_experiment() {
  local experiment
  local -a experiments
  list_experiments
  if ((nj > 1)) && [[ $dry_run == false ]]; then
    in_parallel "$nj" "$1" "${experiments[@]}"
    ((parallel_status == 0)) || exit "$parallel_status"  # what failed has said so
  else
    for experiment in "${experiments[@]}"; do "$1" "$experiment"; done
  fi
}

# choose_experiment "METHOD SEED RATE": sets method, seed, rate, its folder exp, and what its jobs ask for.
choose_experiment() {
  stage_subshell=$BASH_SUBSHELL
  read -r method seed rate <<<"$1"
  exp=exp/${dataset}_${backbone}_$method$variant${rate:+_rate$rate}/seed$seed
  resources=(--gpu "$gpu")
  if ((nj > 1)); then resources+=(--quiet true --threads $((($(nproc) + nj - 1) / nj))); fi
}

train_experiment() {
  local file part
  local -a configs=()
  choose_experiment "$1"
  # A method's own rates are in conf/petl/<method>.yaml, and for one task alone in conf/petl/<task>_<method>.yaml.
  inputs=()
  for file in "conf/$task.yaml" "conf/petl/$method.yaml" "conf/petl/${task}_$method.yaml"; do
    if [[ -f $file ]]; then configs+=(--config "$file") inputs+=("$file"); fi
  done
  for part in train dev; do
    inputs+=("$data/$part/wav.scp" "$data/$part/$target")
    for file in segments trials; do
      if [[ -f $data/$part/$file ]]; then inputs+=("$data/$part/$file"); fi
    done
  done
  mapfile -t -O "${#inputs[@]}" inputs < <(find "$data/tokens" -type f 2>/dev/null | LC_ALL=C sort)
  if [[ -f $weights ]]; then inputs+=("$weights"); fi
  outputs=("$exp/summary.json" "$exp/best.safetensors") when_redone=(--restart)
  step "$exp" train python -m sure.bin.train "${configs[@]}" --exp "$exp" "${overrides[@]}" petl.name="$method" \
    seed="$seed" backbone.name="$backbone" backbone.weights="$weights" ${rate:+train.lr_adapter="$rate"} "${settings[@]}"
}

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
    if [[ $decoding != greedy ]]; then inputs+=("$exp/tuned_$decoded.json"); fi
    outputs=("${test_sets[@]/%/$ending/hyp.txt}" "${test_sets[@]/%/$ending/ref.txt}") outputs=("${outputs[@]/#/$exp/decode_}")
    step "$exp" "decode$ending" python -m sure.bin.decode --exp "$exp" "${words[@]}"
  done
}

# name_decoding METHOD: sets its name, decoded, and what is behind the names of its folders, ending.
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

score_experiment() {
  local decoding part
  choose_experiment "$1"
  resources=() inputs=("$exp/summary.json") outputs=()
  for decoding in "${decodings[@]}"; do
    name_decoding "$decoding"
    for part in "${test_sets[@]/%/$ending}"; do
      inputs+=("$exp/decode_$part/hyp.txt" "$exp/decode_$part/ref.txt")
      outputs+=("$exp/decode_$part/result.json")
    done
  done
  step "$exp" score python -m sure.bin.score --exp "$exp"
}

pack_experiment() {
  local decoding part
  choose_experiment "$1"
  resources=() inputs=("$exp/config.yaml" "$exp/best.safetensors") outputs=("$exp/bundle/adapter.safetensors" "$exp/bundle/adapter.json")
  for decoding in "${decodings[@]}"; do
    name_decoding "$decoding"
    for part in "${test_sets[@]/%/$ending}"; do inputs+=("$exp/decode_$part/result.json"); done
  done
  step "$exp" pack python -m sure.bin.pack --exp "$exp"
}

. "$root/utils/pipelines/report.sh"
