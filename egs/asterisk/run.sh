#!/usr/bin/env bash
# Asterisk core sounds: real prompts in five languages. Without options: Spanish speech recognition with an encoder
# that was trained on English, three methods of adaptation, one table at the end.
#
#   ./run.sh --task language --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, phoneme, language, speaker, intent or keyword"
option lang es "of asr: es en fr it ru, or all; of phoneme: one of them (default there: en)"
option lexicon "" "of phoneme: a file of lines WORD PHONE PHONE ..., asked before CMUdict; other languages than en need one"
option keywords alphabet "of keyword: alphabet (alfa bravo ...) or digits"
option voice june "of keyword: who is left out of training and tested; allison june ivrvoice, with digits also carlo"
parse_options "$@"
one_of task asr phoneme language speaker intent keyword
one_of lang es en fr it ru all
one_of keywords alphabet digits
one_of voice allison june carlo ivrvoice
if [[ $task == phoneme && ! -v option_given[lang] ]]; then lang=en; fi

prepare_options=(task="$task")
case $task in
  asr)
    dataset=asr_$lang
    prepare_options+=(lang="$lang")
    . "$root/utils/pipelines/ctc.sh"
    ;;
  phoneme)
    dataset=phoneme_$lang
    prepare_options+=(lang="$lang")
    if [[ $lang == en ]]; then corpus_lexicon=lexicon.txt; fi  # what CMUdict does not have
    . "$root/utils/pipelines/phones.sh"
    ;;
  keyword)
    dataset=keyword_${keywords}_$voice
    prepare_options+=(keywords="$keywords" voice="$voice")
    . "$root/utils/pipelines/classify.sh"
    ;;
  *)
    dataset=$task
    . "$root/utils/pipelines/classify.sh"
    ;;
esac
run_stages
