#!/usr/bin/env bash
# L2-ARCTIC: read English of 24 speakers with six other first languages; phones of the aligner, or as annotators heard
# them; or speech in these voices. Give your copy:
#
#   ./run.sh --corpus DIR --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task phoneme "phoneme or tts"
option phones forced "of phoneme: forced: what should be said, of all utterances; perceived: what was heard, of those annotated"
option lexicon "" "of tts: a file of lines WORD PHONE PHONE ..., asked before CMUdict"
option pretrain vctk "of tts: vctk: adapt the model of that recipe, which is trained first; none: train from nothing"
option pretrain_corpus "" "of tts: folder of a copy of VCTK that you have"
option pretrain_set "" "of tts: config overrides of the training on VCTK"
option shape base "of tts: a size of fastspeech2"
parse_options "$@"
one_of task phoneme tts
one_of phones forced perceived
one_of pretrain vctk none

lang=en dataset=phoneme_$phones
prepare_options=(phones="$phones")
case $task in
  phoneme) lexicon=""; . "$root/utils/pipelines/ctc.sh" ;;
  tts)
    dataset=tts phones="" prepare_options=(task=tts)
    . "$root/utils/pipelines/vctk.sh"
    . "$root/utils/pipelines/tts.sh"
    ;;
esac
run_stages
