#!/usr/bin/env bash
# VCTK: 107 English speakers. Speaker identification, speaker verification, or speech synthesis.
#
#   ./run.sh --task verification --petl "linear_probe conv_adapter lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task speaker "speaker, verification or tts"
option mic mic1 "microphone: mic1 or mic2 of release 0.92; release 0.80 has mic1 only"
option lexicon "" "for tts: pronunciation lexicon, lines WORD PHONE PHONE ..., searched before CMUdict"
option shape base "for tts: size of fastspeech2"
parse_options "$@"
one_of task speaker verification tts
one_of mic mic1 mic2

dataset=$task
if [[ $mic != mic1 ]]; then dataset+=_$mic; fi
prepare_options=(task="$task" mic="$mic")
case $task in
  speaker) . "$root/utils/pipelines/classify.sh" ;;
  verification) . "$root/utils/pipelines/verify.sh" ;;
  tts) lang=en; . "$root/utils/pipelines/tts.sh" ;;
esac
run_stages
