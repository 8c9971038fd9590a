# shellcheck shell=bash
# What --pretrain vctk means in a recipe of speech synthesis: its model is the one of egs/vctk, adapted.
if [[ $pretrain == vctk ]]; then
  pretrained=tts
  pretraining=("$root/egs/vctk/run.sh" --task tts)
  if [[ -n $pretrain_corpus ]]; then pretraining+=(--corpus "$(from_caller "$pretrain_corpus")"); fi
else
  dataset+=_from_nothing
fi
