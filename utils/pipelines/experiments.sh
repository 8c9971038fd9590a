# shellcheck shell=bash
# Stages 4 to 6 and 8, for every experiment of the plan.

stage_train() {
  if ((${#rounds[@]})); then search_rates; fi
  announce_trainings
  each_experiment train_experiment
  unset SURE_SWEEP
}

# announce_trainings: the variable from which each training estimates the time that all trainings of the stage still need
# (sure/train/progress.py): the time now, the trainings at once, and the folders of those that are not finished.
announce_trainings() {
  local folder now
  local -a folders waiting=()
  list_folders
  for folder in "${folders[@]}"; do
    if [[ $forced == true || ! -f $folder/summary.json ]]; then waiting+=("$folder"); fi
  done
  printf -v now '%(%s)T' -1
  export SURE_SWEEP="$now $nj ${waiting[*]}"
}
stage_decode() { choose_rates; each_experiment decode_experiment; }
stage_score() { choose_rates; each_experiment score_experiment; }
stage_pack() { choose_rates; each_experiment pack_experiment; }

# each_experiment FUNCTION: calls it with each experiment, --nj at once.
each_experiment() {
  local experiment
  [[ $dry_run == true ]] || use_forks
  if ((nj > 1)) && [[ $dry_run == false ]]; then
    in_parallel "$nj" "$1" "${experiments[@]}"
    ((parallel_status == 0)) || exit "$parallel_status"  # the failed one has printed its error
  else
    for experiment in "${experiments[@]}"; do "$1" "$experiment"; done
  fi
}

# choose_experiment EXPERIMENT: sets method, seed, rate, exp, configs and training (sure/recipe/plan.py: Experiment), and
# the resources of its jobs.
choose_experiment() {
  stage_subshell=$BASH_SUBSHELL
  eval "$1"
  resources=(--gpu "$gpus")
  if ((nj > 1)); then resources+=(--quiet true --threads "${cluster_threads:-$((($(nproc) + nj - 1) / nj))}"); fi
}

train_experiment() {
  local file part word
  local -a words=() together=()
  choose_experiment "$1"
  if ((${processes:-$gpus} > 1)); then together=(--processes "${processes:-$gpus}"); fi
  if ((nodes > 1)); then together+=(--nodes "$nodes" --rendezvous RENDEZVOUS) resources+=(--nodes "$nodes"); fi
  for file in "${configs[@]}"; do words+=(--config "$file"); done
  inputs=("${configs[@]}")
  for part in train dev; do
    inputs+=("$data/$part/wav.scp" "$data/$part/$target")
    for file in segments trials; do
      if [[ -f $data/$part/$file ]]; then inputs+=("$data/$part/$file"); fi
    done
    input_tables+=("$data/$part/recordings.sha256" "${train_tables[@]/#/$data/$part/}")
  done
  for word in "${training[@]}"; do  # weights of a Hugging Face folder, a bundle that training starts from
    if [[ ! $word =~ ^(data|tokenizer)\. && -d ${word#*=} ]]; then input_folders+=("${word#*=}"); fi
  done
  for part in ${method//+/ }; do code_files+=("$root/sure/petl/$part.py"); done
  code_files+=("$root/sure/backbones/$backbone.py" "$root/sure/tasks/$task.py")
  if [[ ${pipeline-} == recognizer ]]; then code_files+=("$root/sure/backbones/${backbone}_recognizer.py"); fi
  mapfile -t -O "${#inputs[@]}" inputs < <(find "$data/tokens" -type f 2>/dev/null | LC_ALL=C sort)
  if [[ -f $weights ]]; then inputs+=("$weights"); fi
  if [[ $searched != *" $exp "* ]]; then when_redone=(--restart); fi  # else it continues what this call has begun
  if [[ -n $round_part ]]; then
    outputs=("$exp/metrics.jsonl" "$exp/best.json") together+=(--part "$round_part")
  else
    outputs=("$exp/summary.json" "$exp/best.safetensors")
  fi
  step "$exp" "train${round_part:+_${round_part/\//of}}" python -m sure.bin.train "${words[@]}" --exp "$exp" "${training[@]}" "${together[@]}"
}

pack_experiment() {
  choose_experiment "$1"
  here=true resources=() inputs=("$exp/config.yaml" "$exp/best.safetensors") outputs=("$exp/bundle/adapter.safetensors" "$exp/bundle/adapter.json")
  mapfile -t -O 2 inputs < <(compgen -G "$exp/decode_*/result.json")
  step "$exp" pack python -m sure.bin.pack --exp "$exp"
}

. "$root/utils/pipelines/decodings.sh"
. "$root/utils/pipelines/report.sh"
. "$root/utils/pipelines/search.sh"
