# shellcheck shell=bash
# Transcription or translation by a whole recogniser, which has its own tokens: stage 3 copies them from the weights.
# The recipe sets the variables of common.sh, and
#   lang              the language of the prompt and of the rules that normalise the text; all: each utterance has its
#                     own, in utt2lang
if [[ ! -v option_given[petl] ]]; then petl="linear_probe bottleneck lora"; fi  # conv_adapter has no place in a decoder
target=text pipeline=recognizer train_tables=(utt2lang)
overrides=(text.language="$lang")
. "$root/utils/pipelines/common.sh"
