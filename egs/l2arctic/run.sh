#!/usr/bin/env bash
# L2-ARCTIC: read English by 24 speakers of six other first languages. Phone recognition, with labels of a forced aligner or
# of annotators, or speech synthesis with these speakers. Needs your copy of the corpus:
#
#   ./run.sh --corpus DIR --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task phoneme "phoneme or tts"
option phones forced "for phoneme: forced: canonical phones, all utterances; perceived: phones of annotators, annotated utterances"
option lexicon "" "for tts: pronunciation lexicon, lines WORD PHONE PHONE ..., searched before CMUdict"
option pretrain vctk "for tts: vctk: adapt the model of egs/vctk, which is trained first; none: train from random weights"
option pretrain_corpus "" "for tts: folder with your copy of VCTK"
option pretrain_set "" "for tts: configuration overrides of the training on VCTK"
option shape base "for tts: size of fastspeech2"
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
