#!/bin/sh
# The main job: a pod of the Kubernetes task page on this machine's userland, its proof, and what to try next.
set -eu
cd "$(dirname "$0")/.."
subroot="node dist/cli/main.js"
if $subroot pods -q | grep -qx userns; then
  echo 'demo: a pod "userns" runs already; it is removed first'
  $subroot rm userns
fi
echo '$ subroot run examples/userns-pod.yaml --image debian=host'
$subroot run examples/userns-pod.yaml --image debian=host
cat <<'TEXT'

It runs on until you remove it. In this folder, the commands above are `npx subroot …`.
TEXT
