# shellcheck shell=bash
# The settings of this site: those of the example, and what utils/cluster.sh says instead. Needs `root`.
. "$root/utils/cluster.example.sh"
if [[ -f $root/utils/cluster.sh ]]; then
  # shellcheck source=/dev/null # the user's own
  . "$root/utils/cluster.sh"
fi
