# shellcheck shell=bash
# Rows of egs/recipes.csv one after the other, and one table over all of them. A row is a recipe, a task and options, run
# by the recipe's own run.sh, which knows what is finished. A run.sh sources this file after recipe.sh, and ends with
# `run_suite`.

option suite sure      "which rows of egs/recipes.csv: sure, those of the SURE benchmark, or all"
option only ""         "these rows instead, e.g. \"esd emotion; asterisk\"; a recipe alone: all its rows"
option corpora ""      "file of lines \`recipe: DIR\`, copies of corpora that you have"
option download false  "true: fetch the public corpora that are not there"

declare -a rows=() chosen=() passed=()  # rows: "recipe task options" each
declare -A suite_of=() copies=()

# run_suite: every chosen row, then the table. The exit code is 0 when no row failed and the table could be made.
run_suite() {
  local name=$suite control=""
  check_suite_options
  read_rows
  choose_rows
  read_corpora
  pass_options
  # named as experiments are, so that neither a control nor a variant takes the place of another table
  if [[ -n $only ]]; then name=chosen; fi
  if [[ $weights == random* ]]; then control=_random; fi
  name=exp/${name}_$backbone$control${tag:+_$tag}
  outcomes=${name}_rows.tsv results=${name}_results.md
  if [[ $dry_run == true ]]; then outcomes=/dev/null; else mkdir -p exp; fi
  printf 'row\ttask\tstate\tnote\tmethod\tseed\tfolder\n' >"$outcomes"
  in_parallel 1 run_row "${chosen[@]}"
  if [[ $dry_run == false ]]; then end_suite; fi
}

check_suite_options() {
  local method
  check_options
  one_of suite sure all
  stage_number stop_stage
  [[ -z $corpus ]] || usage_error "--corpus is for one recipe; a suite takes --corpora FILE"
  [[ -z $show ]] || usage_error "--show is for one recipe"
  [[ -z $rates ]] || usage_error "--rates is for one recipe; the rates chosen belong in its conf/petl"
  for method in ${petl//+/ }; do
    [[ -f $root/sure/petl/$method.py ]] || usage_error "no method '$method' in sure/petl"
  done
}

# pass_options: sets `passed` to what every recipe is given.
pass_options() {
  local key
  for key in "${option_names[@]}"; do
    case $key in
      suite | only | corpora | download | rates | show) continue ;;
      petl | seeds) ;;
      *) [[ -v option_given[$key] ]] || continue ;;
    esac
    passed+=("--$key=${!key}")
  done
}

# read_rows: sets `rows`, and `suite_of` to the suite of each.
read_rows() {
  local line
  while IFS= read -r line; do
    [[ $line =~ ^([a-zA-Z0-9_]+),([a-z0-9_]+),([^\"]*),([a-z]*)$ ]] ||
      usage_error "egs/recipes.csv: expected recipe,task,options,suite without quotes, found '$line'"
    rows+=("${BASH_REMATCH[1]} ${BASH_REMATCH[2]}${BASH_REMATCH[3]:+ ${BASH_REMATCH[3]}}")
    suite_of[${rows[-1]}]=${BASH_REMATCH[4]}
  done < <(tail -n +2 "$root/egs/recipes.csv" | tr -d '\r')
}

# choose_rows: sets `chosen` to the rows of --suite or --only, in the order of egs/recipes.csv.
choose_rows() {
  local row part found
  local -a parts words
  local -A wanted=()
  IFS=';' read -ra parts <<<"$only"
  for part in "${parts[@]}"; do
    read -ra words <<<"$part"
    part=${words[*]} found=false
    for row in "${rows[@]}"; do
      # a row by its whole name is meant alone, though others may begin with the same words
      if [[ $row == "$part" || ! -v suite_of[$part] && $row == "$part "* ]]; then wanted[$row]=true found=true; fi
    done
    [[ $found == true ]] || usage_error "--only '$part': no such row; there are:$(printf ' %s;' "${rows[@]}")"
  done
  for row in "${rows[@]}"; do
    if [[ -n $only ]]; then [[ -v wanted[$row] ]] || continue
    elif [[ $suite != all ]]; then [[ ${suite_of[$row]} == "$suite" ]] || continue; fi
    chosen+=("$row")
  done
  ((${#chosen[@]})) || usage_error "--suite $suite: egs/recipes.csv has no row of it"
}

# read_corpora: sets `copies` to the folder of each recipe that --corpora names.
read_corpora() {
  local line number=0 name folder place beside
  [[ -n $corpora ]] || return 0
  place=$(from_caller "$corpora")
  [[ -f $place ]] || usage_error "--corpora $corpora: no such file"
  beside=$(cd "$(dirname "$place")" && pwd -P)
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1)) line=${line%$'\r'}
    [[ ! $line =~ ^[[:space:]]*(#.*)?$ ]] || continue
    [[ $line =~ ^([a-zA-Z0-9_]+):[[:space:]]+(.*[^[:space:]])[[:space:]]*$ ]] ||
      usage_error "$corpora, line $number: expected \`recipe: DIR\`, found '$line'"
    name=${BASH_REMATCH[1]} folder=${BASH_REMATCH[2]}
    if [[ $folder =~ ^\"(.*)\"$ || $folder =~ ^\'(.*)\'$ ]]; then folder=${BASH_REMATCH[1]}; fi
    if [[ $folder != /* ]]; then folder=$beside/$folder; fi
    [[ -f $root/egs/$name/run.sh ]] || usage_error "$corpora, line $number: there is no recipe egs/$name"
    [[ -d $folder ]] || usage_error "$corpora, line $number: there is no folder $folder"
    copies[$name]=$(cd "$folder" && pwd -P)
  done <"$place"
}

. "$root/utils/suite_rows.sh"
