#!/usr/bin/env bash
# Asterisk core sounds: prompts of telephone systems in five languages. Without options: Spanish speech recognition with
# multilingual Whisper base, without adaptation and adapted by two methods, and a table of results.
#
#   ./run.sh --task language --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, translation (into English), phoneme, language, speaker, intent, keyword or tts"
option backbone "" "family of the frozen backbone, the name of a file in sure/backbones (default: whisper for asr and translation, else moonshine)"
option lang es "for asr: es en fr it ru, or all; for translation: es fr it ru, or all; for phoneme: one of them (default: en)"
option lexicon "" "for phoneme and tts: pronunciation lexicon, lines WORD PHONE PHONE ..., searched first; phoneme in languages other than en needs it"
option keywords alphabet "for keyword: alphabet (alfa bravo ...) or digits"
option voice june "for keyword: test speaker, left out of training; for tts: speaker (default: allison) or speakers, a+b"
option minutes all "for tts: minutes of training data, e.g. 2, 5 or 20"
option pretrain "" "for tts: others: adapt a model that is first trained on the other speakers; default: train from random weights"
option pretrain_set "train.epochs=25" "for tts: configuration overrides of that first training; 25 epochs of three speakers are as many steps as 80 of one"
option shape small "for tts: size of fastspeech2 when it is trained from random weights"
parse_options "$@"
one_of task asr translation phoneme language speaker intent keyword tts
one_of lang es en fr it ru all
if [[ -z $backbone ]]; then
  backbone=moonshine
  if [[ $task == asr || $task == translation ]]; then backbone=whisper; fi
fi
one_of keywords alphabet digits
if [[ $task == tts && ! -v option_given[voice] ]]; then voice=allison; fi
if [[ $task != tts ]]; then one_of voice allison june carlo ivrvoice; fi
if [[ $task == phoneme && ! -v option_given[lang] ]]; then lang=en; fi

prepare_options=(task="$task")
case $task in
  asr | translation)
    dataset=${task}_$lang
    prepare_options+=(lang="$lang")
    if [[ $task == asr ]]; then . "$root/utils/pipelines/ctc.sh"; else . "$root/utils/pipelines/recognizer.sh"; fi
    ;;
  phoneme)
    dataset=phoneme_$lang
    prepare_options+=(lang="$lang")
    if [[ $lang == en ]]; then corpus_lexicon=lexicon.txt; fi  # words that CMUdict lacks
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
if [[ $task == transcription && $lang == es ]]; then  # Spanish has no accents, as prepare.py writes it
  overrides+=(head.accents=false)
elif [[ $task == transcription && " $lang $also " =~ " "(all|es)" " ]]; then
  overrides+=(head.accents="[en,fr,it,ru]")
fi
run_stages
