#!/usr/bin/env bash
# TEMPLATE: copy this folder for your own corpus (see README.md).
#
#   ./run.sh --corpus DIR --petl "linear_probe lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, phoneme or slots (from the column text); intent, emotion or keyword (label); verification (speaker)"
option lang en "language of the texts, for the reading of numbers and symbols; all: those of the column language"
option lexicon "" "for phoneme: pronunciation lexicon, lines WORD PHONE PHONE ...; without one the texts are phones"
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
