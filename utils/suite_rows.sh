# shellcheck shell=bash
# One row of a suite: its corpus, its run, and its outcome for the table and the end.

# run_row ROW: runs it, or prints the reason why not; the status is that of the recipe's run.sh.
# shellcheck disable=SC2329 # in_parallel calls it
run_row() {
  local row name task copy missing="" status=0 state="done" note=""
  local -a words call
  eval "$1"
  call=(bash "$root/egs/$name/run.sh" --task "$task" "${words[@]}" "${passed[@]}")
  # a recipe may have another default
  if [[ $task != tts && " ${call[*]}" != *" --backbone"* ]]; then call+=(--backbone "$backbone"); fi
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

# run_call: runs the recipe in the folder that the user called from, to which paths in options may be relative.
run_call() {
  local -a launcher=()
  if [[ $dry_run == false ]]; then launcher=(bash "$root/utils/launch/local.sh" "$recipe/$(log_of_row)"); fi
  (cd "$caller" && exec "${launcher[@]}" "${call[@]}" ${copy:+--corpus="$copy"})
}

# find_corpus: sets `missing` to the reason why the row has no corpus and the remedy, unless it has one.
find_corpus() {
  local egs=egs/$name there
  [[ -z $copy ]] || return 0
  if there=$("${call[@]}" --show corpus 2>/dev/null) && [[ -z $there ]]; then  # a call with an error fails when it is run
    if [[ -f $root/$egs/downloads/corpus.txt ]]; then
      missing="the copy of its corpus in $(<"$root/$egs/downloads/corpus.txt") is gone"
    elif grep -qE '^ {0,2}- kind: *manual' "$root/$egs/sources.yaml"; then
      missing="its corpus is behind a form ($egs/README.md)"
    elif [[ $download == false ]]; then
      missing="its corpus is missing; --download true downloads it"
    fi
  fi
  missing+=${missing:+; name your copy by a line \`$name: DIR\` in the file of --corpora}
}

# note_row: writes a line for each experiment of the row into the file of outcomes.
note_row() {
  local experiment
  local -a experiments
  mapfile -t experiments < <(cd "$caller" && "${call[@]}" --show experiments 2>/dev/null)
  ((${#experiments[@]})) || experiments=($'\t\t')
  for experiment in "${experiments[@]}"; do
    printf '%s\t%s\t%s\t%s\t%s\n' "$row" "$task" "$state" "${note//$'\t'/ }" "${experiment/$'\t'exp\//$'\t'../$name/exp/}"
  done >>"$outcomes"
}

# end_suite: prints the table and the rows that were skipped or failed, and exits.
end_suite() {
  local status=0
  if ((number >= 7)) && ! all_are skipped; then
    use_environment "$extras"
    python -m sure.bin.suite_report --rows "$outcomes" --out "$results" || status=$?
    ((status)) || printf '\nThe tables are in %s\n' "$recipe/$results"
  fi
  name_rows skipped
  name_rows failed
  if all_are skipped; then printf '\nerror: none of these rows has its corpus\n' >&2; exit 1; fi
  if ((parallel_status)); then
    printf '\nerror: some rows failed, see above; repeat the command to resume them\n' >&2
    exit 1
  fi
  exit "$status"
}

name_rows() {
  awk -F '\t' -v state="$1" '$3 == state && !seen[$1]++ { if (!count++) print "\n" state ":"; print "  " $1 ": " $4 }' \
    "$outcomes" >&2
}

# all_are STATE: whether every row is in this state.
all_are() { awk -F '\t' -v state="$1" 'NR > 1 && $3 != state { other = 1 } END { exit other }' "$outcomes"; }
