# shellcheck shell=bash
# Stages 4 to 6 and 8, over methods, rates and seeds: each experiment is a folder
# exp/<dataset>_<backbone>_<method>[_<variant>][_rate<rate>]/seed<k>.

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
  resources=(--gpu "$gpus")
  if ((nj > 1)); then resources+=(--quiet true --threads "${cluster_threads:-$((($(nproc) + nj - 1) / nj))}"); fi
}

train_experiment() {
  local file part
  local -a configs=() together=()
  choose_experiment "$1"
  if ((${processes:-$gpus} > 1)); then together=(--processes "${processes:-$gpus}"); fi
  if ((nodes > 1)); then together+=(--nodes "$nodes" --rendezvous RENDEZVOUS) resources+=(--nodes "$nodes"); fi
  # A method's own rates are in conf/petl/<method>.yaml, and for one task alone in conf/petl/<task>_<method>.yaml.
  inputs=()
  for file in "conf/$task.yaml" "${more_configs[@]}" "conf/petl/$method.yaml" "conf/petl/${task}_$method.yaml"; do
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
    seed="$seed" backbone.name="$backbone" backbone.weights="$weights" ${rate:+train.lr_adapter="$rate"} "${settings[@]}" "${together[@]}"
}

pack_experiment() {
  choose_experiment "$1"
  here=true resources=() inputs=("$exp/config.yaml" "$exp/best.safetensors") outputs=("$exp/bundle/adapter.safetensors" "$exp/bundle/adapter.json")
  mapfile -t -O 2 inputs < <(compgen -G "$exp/decode_*/result.json")
  step "$exp" pack python -m sure.bin.pack --exp "$exp"
}

. "$root/utils/pipelines/decodings.sh"
. "$root/utils/pipelines/report.sh"
