# shellcheck shell=bash
# Classification of whole utterances: stage 3 lists the labels of `utt2label` in the training set.
# The recipe sets what common.sh asks for.
target=utt2label
overrides=()
. "$root/utils/pipelines/common.sh"
