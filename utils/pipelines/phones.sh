# shellcheck shell=bash
# Phones of words, by CTC: stage 2 ends with data/<dataset>/lexicon.txt, which has every word of all sets and which stage 3
# reads. The recipe sets what ctc.sh asks for, and
#   lexicon          the user's, asked first (default: none)
#   corpus_lexicon   name of the corpus's own in its folder or the recipe's, asked next if it is there (default: none)
# Words of neither are pronounced by the packages of the extra `phones`; with a lexicon of the user's they are not installed
# unasked.
given_lexicon=$(from_caller "${lexicon:-}")
[[ -n $given_lexicon ]] || extras+=,phones
lexicon=""  # `text` has words, but what turns them into phones is made later
. "$root/utils/pipelines/ctc.sh"
overrides+=(tokenizer.lexicon="$data/lexicon.txt") token_inputs+=("$data/lexicon.txt")

after_prepare() {
  local part
  local -a folders=() files=() words=()
  for part in train dev "${test_sets[@]}"; do folders+=("$data/$part") inputs+=("$data/$part/text"); done
  if [[ -n $given_lexicon ]]; then files+=("$given_lexicon"); fi
  for part in {.,"${corpus:-downloads/corpus}"}/"${corpus_lexicon:-}"; do
    if [[ -f $part ]]; then files+=("${part#./}"); fi
  done
  for part in "${files[@]}"; do words+=(--lexicon "$part"); done
  inputs+=("${files[@]}") outputs=("$data/lexicon.txt")
  step data "$dataset.lexicon" python -m sure.bin.lexicon --language "$lang" --out "$data/lexicon.txt" "${words[@]}" "${folders[@]}"
}
