#!/usr/bin/env bash
# Asterisk core sounds: real prompts in five languages. Without options: Spanish speech recognition with an encoder
# that was trained on English, three methods of adaptation, one table at the end.
#
#   ./run.sh --task language --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, phoneme, language, speaker, intent, keyword or tts"
option lang es "of asr: es en fr it ru, or all; of phoneme: one of them (default there: en)"
option lexicon "" "of phoneme, tts: a file of lines WORD PHONE PHONE ..., asked first; phones of other languages than en need one"
option keywords alphabet "of keyword: alphabet (alfa bravo ...) or digits"
option voice june "of keyword: who is left out of training and tested; of tts: who speaks (default there: allison), or several, a+b"
option minutes all "of tts: so many minutes of a voice to train on, e.g. 2, 5 or 20"
option pretrain "" "of tts: others: adapt a model that is trained on the other voices first; default: train from nothing"
option pretrain_set "train.epochs=25" "of tts: config overrides of that first training, which has three voices: as many steps as 80 epochs of one"
option shape small "of tts: a size of fastspeech2, where a model is trained from nothing"
parse_options "$@"
one_of task asr phoneme language speaker intent keyword tts
one_of lang es en fr it ru all
one_of keywords alphabet digits
if [[ $task == tts && ! -v option_given[voice] ]]; then voice=allison; fi
if [[ $task != tts ]]; then one_of voice allison june carlo ivrvoice; fi
if [[ $task == phoneme && ! -v option_given[lang] ]]; then lang=en; fi

prepare_options=(task="$task")
case $task in
  asr)
    dataset=asr_$lang
    prepare_options+=(lang="$lang")
    . "$root/utils/pipelines/ctc.sh"
    ;;
  phoneme)
    dataset=phoneme_$lang
    prepare_options+=(lang="$lang")
    if [[ $lang == en ]]; then corpus_lexicon=lexicon.txt; fi  # what CMUdict does not have
    . "$root/utils/pipelines/phones.sh"
    ;;
  keyword)
    dataset=keyword_${keywords}_$voice
    prepare_options+=(keywords="$keywords" voice="$voice")
    . "$root/utils/pipelines/classify.sh"
    ;;
  tts) . ./tts.sh ;;
  *)
    dataset=$task
    . "$root/utils/pipelines/classify.sh"
    ;;
esac
run_stages
