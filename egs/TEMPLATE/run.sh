#!/usr/bin/env bash
# TEMPLATE: the folder to copy for a corpus of your own (README.md says how).
#
#   ./run.sh --corpus DIR --petl "linear_probe lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, intent or verification"
option lang en "language of the texts: how numbers and symbols are said"
parse_options "$@"
one_of task asr intent verification

dataset=$task
prepare_options=(task="$task")
case $task in
  asr) . "$root/utils/pipelines/ctc.sh" ;;
  verification) . "$root/utils/pipelines/verify.sh" ;;
  *) . "$root/utils/pipelines/classify.sh" ;;
esac
run_stages
