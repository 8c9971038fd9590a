#!/usr/bin/env bash
# Asterisk core sounds: real prompts in five languages. Without options: Spanish speech recognition with an encoder
# that was trained on English, three methods of adaptation, one table at the end.
#
#   ./run.sh --task language --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, phoneme, language, speaker or intent"
option lang es "of asr: es en fr it ru, or all; of phoneme: one of them (default there: en)"
option lexicon "" "of phoneme: a file of lines WORD PHONE PHONE ..., asked before CMUdict; other languages than en need one"
parse_options "$@"
one_of task asr phoneme language speaker intent
one_of lang es en fr it ru all
if [[ $task == phoneme && ! -v option_given[lang] ]]; then lang=en; fi

prepare_options=(task="$task")
if [[ $task == asr ]]; then
  dataset=asr_$lang
  prepare_options+=(lang="$lang")
  . "$root/utils/pipelines/ctc.sh"
elif [[ $task == phoneme ]]; then
  dataset=phoneme_$lang
  if [[ $lang == en ]]; then corpus_lexicon=lexicon.txt; fi  # what CMUdict does not have
  prepare_options+=(lang="$lang")
  . "$root/utils/pipelines/phones.sh"
else
  dataset=$task
  . "$root/utils/pipelines/classify.sh"
fi
run_stages
