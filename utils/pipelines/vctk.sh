# shellcheck shell=bash
# --pretrain vctk in a recipe of speech synthesis: the model of egs/vctk is adapted.
if [[ $pretrain == vctk ]]; then
  pretrained=tts
  pretraining=("$root/egs/vctk/run.sh" --task tts)
  if [[ -n $pretrain_corpus ]]; then pretraining+=(--corpus "$(from_caller "$pretrain_corpus")"); fi
else
  dataset+=_from_nothing
fi
