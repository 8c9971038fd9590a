# shellcheck shell=bash
# Successive halving of --rates (--search halving): in each round all rates that are left train up to the same epoch with
# the first seed, and the best third goes on. A training that goes on continues from its checkpoint. The other seeds train
# with the rate that is left alone. sure/report/halving.py compares the rates, sure/recipe/halving.py plans the rounds.

round_part=""   # of all epochs, that the trainings of a round stop after
rates_chosen=false
searched=" "    # folders of experiments that this call has trained in a round

# search_rates: runs all rounds, and leaves in `experiments` those with the chosen rates.
search_rates() {
  local round experiment
  local -a kept=("${candidates[@]}")
  for round in "${!rounds[@]}"; do
    round_part=${rounds[round]}
    train_candidates
    for experiment in "${kept[@]}"; do choose_experiment "$experiment"; searched+="$exp "; done
    if [[ $dry_run == true ]]; then
      printf '# below, only experiments with the best third of these rates on dev, for each method\n'
    else
      keep_best "${rounds[@]:0:round+1}"
    fi
  done
  round_part=""
  choose_rates
}

train_candidates() {
  local -a experiments=("${kept[@]}")
  each_experiment train_experiment
}

# keep_best PART...: sets `kept` to the candidates that are left after these rounds.
keep_best() {
  local experiment found
  local -a folders=()
  for experiment in "${candidates[@]}"; do choose_experiment "$experiment"; folders+=("$exp"); done
  found=$'\n'$(python -m sure.bin.rates --kept "${@/#/--part=}" "${folders[@]}")$'\n'
  kept=()
  for experiment in "${candidates[@]}"; do
    choose_experiment "$experiment"
    if [[ $found == *$'\n'"$exp"$'\n'* ]]; then kept+=("$experiment"); fi
  done
}

# choose_rates: leaves in `experiments` those with the rate that is left after all rounds, once, in whichever stage.
choose_rates() {
  local experiment one
  local -a kept=() all=("${experiments[@]}")
  if [[ $dry_run == true || $rates_chosen == true ]] || ! ((${#rounds[@]})); then return; fi
  keep_best "${rounds[@]}"
  rates_chosen=true experiments=()
  for experiment in "${all[@]}"; do
    for one in "${kept[@]}"; do
      choose_experiment "$one"; one=${exp%/*}
      choose_experiment "$experiment"
      if [[ ${exp%/*} == "$one" ]]; then experiments+=("$experiment"); fi
    done
  done
}
