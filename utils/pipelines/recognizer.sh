# shellcheck shell=bash
# Transcription or translation by a whole recogniser, which has its own tokens: stage 3 copies them from the weights.
# The recipe sets the variables of common.sh, and
#   lang              the language of the prompt and of the rules that normalise the text
if [[ $lang == all ]]; then
  usage_error "--lang all: the prompt of a recogniser names one language; pass one with --lang, or --head ctc"
fi
if [[ ! -v option_given[petl] ]]; then petl="linear_probe bottleneck lora"; fi  # conv_adapter has no place in a decoder
target=text pipeline=recognizer
overrides=(text.language="$lang")
. "$root/utils/pipelines/common.sh"
