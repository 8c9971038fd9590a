# shellcheck shell=bash
# Settings of this site: the defaults of cluster.example.sh, then those of the user's utils/cluster.sh. Needs `root`.
. "$root/utils/cluster.example.sh"
if [[ -f $root/utils/cluster.sh ]]; then
  # shellcheck source=/dev/null # the user's own
  . "$root/utils/cluster.sh"
fi
