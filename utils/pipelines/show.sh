# shellcheck shell=bash
# The output of --show, for programs that call a recipe.

# show_corpus: prints the folder of the corpus; nothing when it is not there or incomplete.
show_corpus() {
  if [[ -n $corpus ]]; then
    [[ ! -d $corpus ]] || printf '%s\n' "$corpus"
  elif [[ -f downloads/.marks/$corpus_step && -d downloads/corpus ]]; then
    printf '%s\n' "$recipe/downloads/corpus"
  fi
}

# show_experiments: prints method, seed and folder of each experiment of this call, with tabs between.
show_experiments() {
  local experiment
  for experiment in "${experiments[@]}"; do
    choose_experiment "$experiment"
    printf '%s\t%s\t%s\n' "$method" "$seed" "$exp"
  done
}
