#!/usr/bin/env bash
# ESD: the same sentences in five emotions, by ten English and ten Mandarin speakers. The corpus is behind a form.
#
#   ./run.sh --corpus DIR --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
#   ./run.sh --corpus DIR --task speaker
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task emotion "emotion, speaker or asr"
option lang en "language of the speakers: en (0011 to 0020), zh (0001 to 0010), or all (not for asr)"
parse_options "$@"
one_of task emotion speaker asr
one_of lang en zh all

dataset=${task}_$lang
prepare_options=(task="$task" lang="$lang")
if [[ $task == asr ]]; then
  [[ $lang != all ]] || usage_error "--task asr --lang all: texts are normalised by the rules of one language; pass --lang en or --lang zh"
  . "$root/utils/pipelines/ctc.sh"
else
  . "$root/utils/pipelines/classify.sh"
fi
run_stages
