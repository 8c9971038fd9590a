# shellcheck shell=bash
# One row of a suite: is its corpus there, its run, and what is noted of it for the table and for the end.

# run_row "RECIPE TASK OPTIONS": runs it, or says why not; the status is that of the recipe's run.sh.
# shellcheck disable=SC2329 # in_parallel calls it
run_row() {
  local row=$1 name task options missing status=0 state="done" note=""
  local -a words=() call copy=()
  read -r name task options <<<"$row"
  if [[ -n $options ]]; then mapfile -t words < <(xargs printf '%s\n' <<<"$options"); fi
  call=(bash "$root/egs/$name/run.sh" --task "$task" "${words[@]}" "${passed[@]}")
  find_corpus
  if [[ -n $missing ]]; then
    state=skipped note=$missing
    printf '# row %s: skipped, %s\n' "$row" "$note"
  else
    printf '# row %s\n' "$row"
    run_call || status=$?
    if ((status)); then state=failed note="exit code $status; its log is ${recipe#"$root"/}/$(log_of_row)"; fi
  fi
  if [[ $dry_run == false ]]; then note_row; fi
  return "$status"
}

log_of_row() { printf 'exp/log/%s.log' "$(tr -sc 'A-Za-z0-9\n' _ <<<"$row")"; }

# run_call: in the folder that the user called from, whose paths the options may have.
run_call() {
  local -a launcher=()
  if [[ $dry_run == false ]]; then launcher=(bash "$root/utils/launch/local.sh" "$recipe/$(log_of_row)"); fi
  (cd "$caller" && exec "${launcher[@]}" "${call[@]}" "${copy[@]}")
}

# find_corpus: sets `copy` to the option for one that the user named, or `missing` to what is missing and what to do.
find_corpus() {
  local egs=egs/$name there
  missing=""
  if [[ -v copies[$name] ]]; then
    copy=(--corpus="${copies[$name]}")
  elif there=$("${call[@]}" --show corpus 2>/dev/null) && [[ -z $there ]]; then  # what it refuses fails when it is run
    if [[ -f $root/$egs/downloads/corpus.txt ]]; then
      missing="the copy of its corpus in $(<"$root/$egs/downloads/corpus.txt") is gone"
    elif grep -qE '^ {0,2}- kind: *manual' "$root/$egs/sources.yaml"; then
      missing="its corpus is behind a form ($egs/README.md)"
    elif [[ $download == false ]]; then
      missing="its corpus is not there; --download true fetches it"
    fi
  fi
  missing+=${missing:+; a line \`$name: DIR\` in the file of --corpora gives a copy that you have}
}

# note_row: a line in the file of outcomes for each experiment of the row.
note_row() {
  local experiment
  local -a experiments
  mapfile -t experiments < <(cd "$caller" && "${call[@]}" --show experiments 2>/dev/null)
  ((${#experiments[@]})) || experiments=($'\t\t')
  for experiment in "${experiments[@]}"; do
    printf '%s\t%s\t%s\t%s\t%s\n' "$row" "$task" "$state" "${note//$'\t'/ }" "${experiment/$'\t'exp\//$'\t'../$name/exp/}"
  done >>"$outcomes"
}

# end_suite: the table, then the rows that were skipped or failed, and the exit code.
end_suite() {
  local status=0
  if ((number >= 7)) && ! all_are skipped; then
    use_environment "$extras"
    python -m sure.bin.suite_report --rows "$outcomes" --out "$results" || status=$?
    ((status)) || printf '\nThe tables are in %s\n' "$recipe/$results"
  fi
  name_rows skipped
  name_rows failed
  if all_are skipped; then printf '\nerror: there is no corpus for any of these rows\n' >&2; exit 1; fi
  if ((parallel_status)); then
    printf '\nerror: rows failed, as named above; the same command again goes on where they stopped\n' >&2
    exit 1
  fi
  exit "$status"
}

name_rows() {
  awk -F '\t' -v state="$1" '$3 == state && !seen[$1]++ { if (!count++) print "\n" state ":"; print "  " $1 ": " $4 }' \
    "$outcomes" >&2
}

# all_are STATE: whether that is the state of every row.
all_are() { awk -F '\t' -v state="$1" 'NR > 1 && $3 != state { other = 1 } END { exit other }' "$outcomes"; }
