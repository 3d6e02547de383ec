#!/bin/sh
# Installs what subroot needs and is missing. Packages by apt where we may; else it says what to install.
set -eu
cd "$(dirname "$0")/.."

missing=""
need() { command -v "$1" >/dev/null 2>&1 || case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac; }
need perl perl-base
need newuidmap uidmap
need getsubids uidmap
need script bsdutils
need setpriv util-linux
need ip iproute2
need make make
# Layers of images.
need tar tar
need zstd zstd
# node-pty compiles on install; without these it is left out, and script(1) serves.
need g++ g++
need python3 python3
case "${1:-}" in
  --test)
    need busybox busybox
    # A registry on the loopback interface, with certificates and passwords.
    need docker-registry docker-registry
    need openssl openssl
    need htpasswd apache2-utils
    need zsh zsh
    need fish fish
    # A canary disk.
    need mkfs.ext4 e2fsprogs
    # What the checks are tried against; seven seconds altogether.
    need crun crun
    need runc runc
    need bwrap bubblewrap
    need podman podman
    need containerd containerd
    ;;
  --bench)
    need busybox busybox
    need crun crun
    need runc runc
    need bwrap bubblewrap
    ;;
esac

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/tmp/subroot-setup.$$ 2>&1 || {
      tail -n 20 "/tmp/subroot-setup.$$" >&2
      rm -f "/tmp/subroot-setup.$$"
      echo "setup: apt-get could not install$missing" >&2
      exit 3
    }
    rm -f "/tmp/subroot-setup.$$"
  elif command -v perl >/dev/null 2>&1; then
    echo "setup: not installed here, and we are not root:$missing (with them more works: \`sudo apt-get install$missing\`)" >&2
  else
    echo "setup: install these first: \`sudo apt-get install$missing\`" >&2
    exit 3
  fi
fi

command -v node >/dev/null 2>&1 || { echo 'setup: install Node.js 20.19 or newer first (https://nodejs.org)' >&2; exit 3; }
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || {
  echo "setup: Node.js 20.19 or newer is needed, and this is $(node --version)" >&2
  exit 3
}

stamp=node_modules/.subroot-setup
if [ ! -f "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
  echo 'setup: npm ci'
  npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
  node -e "require('node-pty')" 2>/dev/null ||
    echo 'setup: node-pty was not built (it needs g++, make and python3); terminals use script(1) instead'
  cp package-lock.json "$stamp"
fi
