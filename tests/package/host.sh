#!/usr/bin/env bash
# The package in a booted Debian: makes the system once, boots a throw-away copy of it without a network, and runs
# inside.sh there. Nothing outside the target folder is changed, and what happens in the copy is gone with it.
#
#   host.sh TARGET_FOLDER BINARY
#
# Exit code 77: this machine cannot do it; the last line says why.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$PATH:/usr/sbin:/sbin"
work=$1/package
binary=$2
mkdir -p "$work"

cannot() {
    echo "$*"
    exit 77
}

((EUID == 0)) || cannot "booting a container needs root"
for need in apt-get debootstrap systemd-nspawn dpkg-deb pgrep nsenter; do
    command -v "$need" >/dev/null || cannot "$need is not installed"
done

# The mirror is whatever this machine's package manager uses.
make_system() {
    [[ ! -d $work/root ]] || return 0
    local suite mirror
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk -v suite="$suite" '$1 == suite { print $2; exit }')
    [[ -n $mirror ]] || cannot "the package manager names no mirror of $suite"
    rm -rf "$work/root.unfinished"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,jq "$suite" "$work/root.unfinished" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        cannot "debootstrap: $(tail -n 1 "$work/debootstrap.log")"
    mv "$work/root.unfinished" "$work/root"
}

# Three versions of one program, as far as the package manager can tell; the middle one twice, which must be the same bytes.
make_packages() {
    local build=$here/../../packaging/build.sh version
    # Here time matters more than size.
    export DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1
    rm -rf "$work/debs"
    for version in 0.0.1 0.0.2; do
        "$build" --binary "$binary" --version "$version" --output "$work/debs" >/dev/null
    done
    (cd "$work/debs" && sha256sum --check --quiet ./*.SHA256SUMS)
    "$build" --binary "$binary" --version 0.0.2 --output "$work/debs/again" >/dev/null
    diff -r --exclude='*0.0.1*' --exclude=again "$work/debs" "$work/debs/again"
    echo "reproducible: two builds are the same bytes"
}

container=''
# nspawn shuts the system down in order when it is told to end.
stop() {
    [[ -n $container ]] || return 0
    kill "$container" 2>/dev/null || true
    for _ in {1..100}; do
        kill -0 "$container" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$container" 2>/dev/null || true
}

boot() {
    systemd-nspawn --quiet --directory="$work/root" --volatile=overlay --boot --private-network --register=no --keep-unit \
        --machine="admit-$$" --hostname=appliance --bind-ro="$work/debs:/mnt/debs" --bind-ro="$here:/mnt/test" \
        --console=pipe </dev/null >"$work/boot.log" 2>&1 &
    container=$!
    trap stop EXIT
    local _
    for _ in {1..300}; do
        kill -0 "$container" 2>/dev/null || cannot "systemd-nspawn: $(tail -n 1 "$work/boot.log")"
        # The container's first process is nspawn's only child that is called systemd.
        leader=$(pgrep --parent "$container" --exact systemd || true)
        if [[ -n $leader ]] && inside systemctl is-system-running --quiet 2>/dev/null; then
            return 0
        fi
        sleep 0.1
    done
    cannot "the container does not boot: $(tail -n 1 "$work/boot.log")"
}

inside() { nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd "$@"; }

make_system
make_packages
boot
inside env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 bash /mnt/test/inside.sh
