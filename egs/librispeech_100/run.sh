#!/usr/bin/env bash
# LibriSpeech, 100 hours of read English: speech recognition, or phone recognition with the corpus's lexicon.
#
#   ./run.sh --task phoneme --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr or phoneme"
option phones 71 "for phoneme: 71 with stress, or 39 without"
option lexicon "" "for phoneme: pronunciation lexicon, lines WORD PHONE PHONE ..., searched before the corpus's lexicon"
option test_other false "true: add test-other as a second test set"
parse_options "$@"
one_of task asr phoneme
one_of phones 71 39

lang=en
prepare_options=(test_other="$test_other")
if [[ $test_other == true ]]; then test_sets=(test test_other); fi
if [[ $task == asr ]]; then
  dataset=asr
  . "$root/utils/pipelines/ctc.sh"
else
  dataset=phoneme_$phones corpus_lexicon=librispeech-lexicon.txt
  . "$root/utils/pipelines/phones.sh"
  if [[ $phones == 39 ]]; then overrides+=(tokenizer.fold=no_stress); fi
fi
run_stages
