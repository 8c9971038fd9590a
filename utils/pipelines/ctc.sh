# shellcheck shell=bash
# Transcription by CTC: `text` is spelled in the tokens that stage 3 learns from the training set.
# The recipe sets what common.sh asks for, and lang, the language whose rules normalise the text.
target=text
overrides=(text.language="$lang")
. "$root/utils/pipelines/common.sh"
