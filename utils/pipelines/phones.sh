# shellcheck shell=bash
# Recognition of phones by CTC, from texts in words: stage 2 ends with data/<dataset>/lexicon.txt, the pronunciations of all
# words in all sets, which stage 3 reads. The recipe sets the variables of ctc.sh, and
#   lexicon          the user's lexicon, which is searched first (default: none)
#   corpus_lexicon   name of the corpus's lexicon, in its folder or the recipe's, which is searched next (default: none)
# Other words get their phones from the packages of the extra `phones`, which are not installed if the user has a lexicon.
given_lexicon=$(from_caller "${lexicon:-}")
[[ -n $given_lexicon ]] || extras+=,phones
lexicon=""  # for ctc.sh; data/<dataset>/lexicon.txt does not exist yet
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
