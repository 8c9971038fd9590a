#!/usr/bin/env bash
# VCTK: 107 English speakers. Which of them speaks, or whether two utterances have one speaker.
#
#   ./run.sh --task verification --petl "linear_probe conv_adapter lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task speaker "speaker or verification"
option mic mic1 "mic1 or mic2 of release 0.92; 0.80 has mic1 alone"
parse_options "$@"
one_of task speaker verification
one_of mic mic1 mic2

dataset=$task
if [[ $mic != mic1 ]]; then dataset+=_$mic; fi
prepare_options=(task="$task" mic="$mic")
case $task in
  speaker) . "$root/utils/pipelines/classify.sh" ;;
  verification) . "$root/utils/pipelines/verify.sh" ;;
esac
run_stages
