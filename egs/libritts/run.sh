#!/usr/bin/env bash
# LibriTTS: English audio books in the voices of 247 readers. Speech in these voices, by a model that was trained on VCTK.
#
#   ./run.sh --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task tts "tts"
option split utterance "utterance: every reader in every set; speaker: no reader in two sets"
option lexicon "" "a file of lines WORD PHONE PHONE ..., asked before CMUdict"
option pretrain vctk "vctk: adapt the model of that recipe, which is trained first; none: train from nothing"
option pretrain_corpus "" "folder of a copy of VCTK that you have"
option pretrain_set "" "config overrides of the training on VCTK"
option shape base "a size of fastspeech2"
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
