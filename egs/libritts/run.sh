#!/usr/bin/env bash
# LibriTTS: English audio books by 247 readers. Speech synthesis with these speakers, adapted from a model of VCTK.
#
#   ./run.sh --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task tts "tts"
option split utterance "utterance: every reader in every set; speaker: each reader in one set"
option lexicon "" "pronunciation lexicon, lines WORD PHONE PHONE ..., searched before CMUdict"
option pretrain vctk "vctk: adapt the model of egs/vctk, which is trained first; none: train from random weights"
option pretrain_corpus "" "folder with your copy of VCTK"
option pretrain_set "" "configuration overrides of the training on VCTK"
option shape base "size of fastspeech2"
parse_options "$@"
one_of task tts
one_of split utterance speaker
one_of pretrain vctk none

lang=en dataset=tts
if [[ $split != utterance ]]; then dataset+=_$split; fi
prepare_options=(split="$split")
. "$root/utils/pipelines/vctk.sh"
. "$root/utils/pipelines/tts.sh"
run_stages
