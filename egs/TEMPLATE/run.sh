#!/usr/bin/env bash
# TEMPLATE: the folder to copy for a corpus of your own (README.md says how).
#
#   ./run.sh --corpus DIR --petl "linear_probe lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, phoneme or slots of the column text; intent, emotion or keyword of label; verification of speaker"
option lang en "language of the texts: how numbers and symbols are said"
option lexicon "" "of phoneme: a file of lines WORD PHONE PHONE ...; without one the texts are phones"
parse_options "$@"
one_of task asr phoneme slots intent emotion keyword verification

dataset=$task
prepare_options=(task="$task")
case $task in
  asr | phoneme | slots) . "$root/utils/pipelines/ctc.sh" ;;
  verification) . "$root/utils/pipelines/verify.sh" ;;
  *) . "$root/utils/pipelines/classify.sh" ;;
esac
run_stages
