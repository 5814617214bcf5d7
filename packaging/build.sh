#!/usr/bin/env bash
# Builds the Debian package, its SBOM and their checksums. Nothing comes from the network: crates must have been fetched
# (`cargo fetch --locked`). The same program gives the same bytes, whenever and wherever it is packaged.
#
#   packaging/build.sh [--binary FILE] [--version VERSION] [--output FOLDER]
#
# --binary  package this program instead of building one
# --version another version for the package than the crate's, such as 0.2.0~rc1
# --output  where the files go [default: package in the target folder]
#
# The program needs the C library of the machine it was built on, or a newer one: build on the oldest system you serve. One
# that needs none, for --binary: cargo rustc --release --locked --bin admit -- -C target-feature=+crt-static
# It serves and signs like the other; but names are looked up through the system's libraries, which then must be of the same
# C library as the one linked in, so an appliance that asks mail servers, gateways or contact centers should not use it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" LC_ALL=C

fail() {
    echo "build.sh: $*" >&2
    exit "${2:-1}"
}

binary='' version='' output=''
while (($#)); do
    case $1 in
    --binary | --version | --output)
        [[ -n ${2-} ]] || fail "$1 needs a value" 2
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
    -h | --help)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
        exit 0
        ;;
    *) fail "unknown argument $1; see --help" 2 ;;
    esac
done

for need in dpkg-deb:dpkg objdump:binutils python3:python3 gzip:gzip cargo:rustup; do
    command -v "${need%%:*}" >/dev/null || fail "${need%%:*} is missing; it comes with ${need##*:}"
done

metadata() { cargo metadata --manifest-path "$root/Cargo.toml" --locked --offline --format-version 1 "$@"; }
target=$(metadata --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
version=${version:-$(metadata --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["packages"][0]["version"])')}
output=${output:-$target/package}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/Cargo.lock")}
export SOURCE_DATE_EPOCH

# A build folder of its own: paths of this machine are taken out, which other builds have no need of. From the root, where
# cargo finds the settings of every build.
build() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo}
    (
        cd "$root"
        RUSTFLAGS="${RUSTFLAGS-} --remap-path-prefix=$root=/admit --remap-path-prefix=$target=/target --remap-path-prefix=$cargo_home=/cargo" \
            CFLAGS="${CFLAGS-} -ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$target=/target" \
            CARGO_TARGET_DIR=$target/package/build CARGO_INCREMENTAL=0 \
            cargo build --release --locked --offline --bin admit
    )
    binary=$target/package/build/release/admit
}
[[ -n $binary ]] || build
[[ -x $binary ]] || fail "$binary is not a program"
binary=$(realpath "$binary")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
# put MODE FROM TO
put() { install -D -m "$1" "$2" "$tree/$3"; }
# packed FROM TO: compressed, without the name and the time of the original.
packed() {
    install -d "$(dirname "$tree/$2")"
    gzip -9 -n -c "$1" >"$tree/$2"
    chmod 0644 "$tree/$2"
}

put 0755 "$binary" usr/lib/admit/admit
put 0755 "$here/debian/admit" usr/bin/admit
put 0644 "$here/systemd/admit.service" usr/lib/systemd/system/admit.service
put 0644 "$here/systemd/admit.socket" usr/lib/systemd/system/admit.socket
put 0644 "$here/systemd/admit.sysusers" usr/lib/sysusers.d/admit.conf

# Short, so that an upgrade seldom has to ask what becomes of an edited file.
put 0644 "$here/debian/admit.toml" etc/admit/admit.toml
put 0644 "$here/config/admit.toml" usr/share/admit/admit.toml

doc=usr/share/doc/admit
put 0644 "$here/debian/copyright" $doc/copyright
put 0644 "$root/README.md" $doc/README.md
put 0644 "$root/CHANGELOG.md" $doc/CHANGELOG.md
maintainer="${DEBFULLNAME:-The authors of Admit} <${DEBEMAIL:-admit@localhost}>"
printf 'admit (%s) unstable; urgency=medium\n\n  * What changed is in CHANGELOG.md beside this file.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")" >"$work/changelog"
packed "$work/changelog" $doc/changelog.gz
if [[ -d $here/grafana ]]; then
    put 0644 "$here/grafana/admit.json" usr/share/admit/grafana/admit.json
fi

# Manual pages and completions come from the program itself.
mkdir "$work/man"
if "$binary" man "$work/man" >/dev/null 2>&1; then
    for page in "$work"/man/*.1; do
        packed "$page" "usr/share/man/man1/$(basename "$page").gz"
    done
    "$binary" completions bash >"$work/bash" && put 0644 "$work/bash" usr/share/bash-completion/completions/admit
    "$binary" completions zsh >"$work/zsh" && put 0644 "$work/zsh" usr/share/zsh/vendor-completions/_admit
    "$binary" completions fish >"$work/fish" && put 0644 "$work/fish" usr/share/fish/vendor_completions.d/admit.fish
fi

architecture=$(dpkg --print-architecture)
name=admit_${version}_$architecture
mkdir -p "$output"
metadata --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" >"$work/metadata.json"
python3 "$here/parts.py" --metadata "$work/metadata.json" --lock "$root/Cargo.lock" --binary "$binary" \
    --version "$version" --sbom "$output/$name.cdx.json" --licenses "$work/licenses.txt"
packed "$work/licenses.txt" $doc/third-party-licenses.txt.gz

# A statically linked program names no version and needs no library.
glibc=$(objdump -T "$binary" 2>/dev/null | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1 || true)
libraries=${glibc:+"libc6 (>= ${glibc#GLIBC_}), libgcc-s1, "}
mkdir "$tree/DEBIAN"
size=$(du -sk --apparent-size "$tree" | cut -f1)
sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$architecture|" -e "s|@SIZE@|$size|" -e "s|@LIBRARIES@|$libraries|" \
    -e "s|@MAINTAINER@|$maintainer|" \
    "$here/debian/control.in" >"$tree/DEBIAN/control"
echo /etc/admit/admit.toml >"$tree/DEBIAN/conffiles"
for script in preinst postinst prerm postrm; do
    install -m 0755 "$here/debian/$script" "$tree/DEBIAN/$script"
done
(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$work/md5sums"
install -m 0644 "$work/md5sums" "$tree/DEBIAN/md5sums"
chmod 0644 "$tree/DEBIAN/control" "$tree/DEBIAN/conffiles"
find "$tree" -type d -exec chmod 0755 {} +
find "$tree" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +

dpkg-deb --root-owner-group --threads-max=1 --build "$tree" "$output/$name.deb" >/dev/null
(cd "$output" && sha256sum "$name.deb" "$name.cdx.json" >"$name.SHA256SUMS")
printf '%s\n' "$output/$name.deb" "$output/$name.cdx.json" "$output/$name.SHA256SUMS"
