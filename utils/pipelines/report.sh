# shellcheck shell=bash
# Stage 7, and the tables that a run ends with.

results=exp/${dataset}_results.md

# list_folders: sets `folders` to the experiment folders of this call.
list_folders() {
  local experiment
  folders=()
  for experiment in "${experiments[@]}"; do choose_experiment "$experiment"; folders+=("$exp"); done
}

# The report lists all experiments with this data that have a score: those of this call first, then earlier ones.
# (The name of a backbone follows that of the dataset: another dataset may have a longer name.)
stage_report() {
  local seed_folder family
  local -a folders
  choose_rates
  list_folders
  for family in "$root"/sure/backbones/*.py; do
    family=${family##*/}
    for seed_folder in "exp/${dataset}_${family%.py}_"*/seed*; do
      if [[ -d $seed_folder && " ${folders[*]} " != *" $seed_folder "* ]]; then folders+=("$seed_folder"); fi
    done
  done
  inputs=()
  for seed_folder in "${folders[@]}"; do
    mapfile -t -O "${#inputs[@]}" inputs < <(compgen -G "$seed_folder/decode_*/result.json")
  done
  if ((${#inputs[@]})); then
    mapfile -t folders < <(printf '%s\n' "${inputs[@]%/decode_*}" | uniq)
  elif [[ $dry_run == false ]]; then
    stop_here "no experiment of $dataset has a score; run the stages from train to score"
  fi
  outputs=("$results") here=true resources=(--quiet true)
  step exp "$dataset.report" python -m sure.bin.report --out "$results" "${folders[@]}"
}

# show_report: prints the tables and notes of the report, with the columns that fit a terminal.
show_report() {
  ask_python -c 'import sys; from sure.report.markdown import short; print(short(open(sys.argv[1], encoding="utf-8").read()))' \
    "$results"
}

# after_stages FIRST LAST: after training with --rates, a table of dev scores; after a report, its table.
after_stages() {
  local -a folders experiments=("${experiments[@]}") words=("${rounds[@]/#/--part=}")
  if [[ $dry_run == true ]]; then return; fi
  if [[ -n $rates ]] && (($1 <= 4 && $2 >= 4)); then
    if ((${#rounds[@]})); then experiments=("${candidates[@]}"); fi
    list_folders
    printf '\n'
    python -m sure.bin.rates "${words[@]}" "${folders[@]}"
  fi
  if (($1 <= 7 && $2 >= 7)) && [[ -f $results ]]; then
    printf '\n%s\n\nThe whole report is in %s\n' "$(show_report)" "$recipe/$results"
  fi
}
