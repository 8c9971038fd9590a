#!/usr/bin/env bash
# MELD: seven emotions in clips of the television series Friends, with music, laughter and other speakers.
#
#   ./run.sh --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
#   ./run.sh --corpus DIR --task asr
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task emotion "emotion or asr"
option on_bad_utterance skip "unusable utterances: skip or stop; some clips are shorter than their transcript"
parse_options "$@"
one_of task emotion asr

dataset=$task
prepare_options=(task="$task")
if [[ $task == asr ]]; then
  lang=en
  . "$root/utils/pipelines/ctc.sh"
else
  . "$root/utils/pipelines/classify.sh"
fi
run_stages
