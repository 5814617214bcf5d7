#!/usr/bin/env bash
# What the package promises, tried on a freshly booted Debian by whoever is root there. Each step prints one line; the
# first that fails ends it, with the service's own words.
set -Eeuo pipefail

debs=/mnt/debs
data=/var/lib/admit/data
base=https://localhost:8443
scratch=$(mktemp -d /run/admit-test.XXXXXX)
trap 'echo "line $LINENO failed: $BASH_COMMAND"' ERR
trap 'code=$?; ((code == 0)) || journalctl --unit admit --no-pager --lines 40; exit $code' EXIT

say() { printf '%s: %s\n' "$(date +%T)" "$*"; }
fail() {
    say "$*"
    exit 1
}
# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || fail "not within the time: $*"
        sleep 0.1
    done
}

ask() { curl --silent --show-error --max-time 10 --cacert $data/tls/ca.pem "$@"; }
pid() { systemctl show --property MainPID --value admit; }
answers() { [[ $(ask --output /dev/null --write-out '%{http_code}' $base/.well-known/jwks.json 2>/dev/null) == 200 ]]; }
another_answers() { [[ $(pid) != "$1" && $(pid) != 0 ]] && answers; }
install_version() { apt-get install --quiet=2 --yes --no-install-recommends --allow-downgrades "$debs/admit_$1_$(dpkg --print-architecture).deb"; }

# What a purge must leave as it was. The journal and the package manager's own books are theirs.
inventory() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /mnt -o -path /var/log \
        -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd \) -prune -o -print
    find /var/lib/systemd /run/systemd /run/credentials -name '*admit*' 2>/dev/null || true
    getent passwd
    getent group
}

token() {
    local client
    client=$(jq -r '.client | .client_id + ":" + .client_secret' "${1-$data/first-run.json}")
    ask --fail --user "$client" --data grant_type=client_credentials $base/security/oauth/token | jq -er .access_token
}
# Prints the new ticket's id.
create() {
    ask --fail -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        --data '{"type":"SINGLE_USE_TICKET","properties":{"title":"Hello"}}' $base/security/ticket | jq -er .id
}
is_there() { ask --fail --output /dev/null -H "Authorization: Bearer $token" "$base/security/ticket/$1"; }
# The customer's login, which spends the ticket.
login() { ask --fail --output /dev/null --user customer: --data grant_type=password --data "username=$1" $base/security/oauth/token 2>/dev/null; }

inventory | sort >"$scratch/before"

# Installing.
install_version 0.0.1 >"$scratch/installing" 2>&1 || { cat "$scratch/installing"; fail "the package does not install"; }
grep --quiet "$data/first-run.json" "$scratch/installing" || { cat "$scratch/installing"; fail "where the first credentials are is not told"; }
systemctl is-active --quiet admit || fail "the service is not active"
answers || fail "no answer over TLS under its own authority"
grep --quiet "  admit tour --data '$data'" <(journalctl --unit admit --no-pager) || fail "the lines to try do not begin as one types them"
[[ $(systemctl is-system-running) == running ]] || fail "not everything runs: $(systemctl --failed --plain --no-legend)"
token=$(token)
kept=$(create)
say "installed: active, answers over TLS, gives tokens and tickets"

# Hardening.
exposure=$(systemd-analyze security --offline=true --threshold=11 --no-pager /usr/lib/systemd/system/admit.service | tail -n 1) || fail "$exposure"
say "exposure:${exposure#*:}"
process=/proc/$(pid)
[[ $(stat -c %U "$process") == admit ]] || fail "it runs as $(stat -c %U "$process")"
grep --quiet '^CapEff:.*0000000000000000$' "$process/status" || fail "it has capabilities: $(grep CapEff "$process/status")"
grep --quiet '^NoNewPrivs:.*1$' "$process/status" || fail "it may gain privileges"
grep --quiet '^Seccomp:.*2$' "$process/status" || fail "no filter on its system calls"
grep --quiet -E '^Max core file size +0 +0' "$process/limits" || fail "it may leave a core behind"
[[ $(stat -c '%U %a' /var/lib/admit $data) == $'admit 700\nadmit 700' ]] || fail "others may read the data: $(stat -c '%n %U %a' /var/lib/admit $data)"
exposed=$(find /var/lib/admit ! -user admit -o ! -type l -perm /077)
[[ -z $exposed ]] || fail "not its user's alone: $exposed"

# The master key: a credential, in root's file and in the service's memory alone.
credentials=/etc/admit/credentials
[[ $(stat -c '%U %a' $credentials $credentials/admit-master-key) == $'root 700\nroot 600' ]] || fail "others may read the key"
[[ ! -e $data/master.key ]] || fail "the key lies beside the data"
key=$(<$credentials/admit-master-key)
[[ $key =~ ^[0-9a-f]{64}$ ]] || fail "the key is not one"
for place in cmdline environ; do
    ! grep --quiet --text "$key" "$process/$place" || fail "the key is in $place"
done
! grep --quiet "$key" <(journalctl --no-pager) || fail "the key is in the journal"
! grep --recursive --quiet --text "$key" /var/lib/admit || fail "the key is in the data"
say "hardened: own user, no capabilities, files closed, master key from a credential"

# As root types it, on a running server and on a stopped store: files stay the service's.
admit org list --json >"$scratch/orgs" || fail "a command on the running server"
systemctl stop admit
admit org create Stopped >/dev/null || fail "a command on the stopped store"
admit org list --data $data >/dev/null || fail "a command on the stopped store, with its folder named"
exposed=$(find /var/lib/admit ! -user admit)
[[ -z $exposed ]] || fail "root's command left files the service cannot read: $exposed"
systemctl start admit
grep --quiet Stopped <(admit org list) || fail "what was done on the stopped store is not there"

# What the service's user plants is not followed by root's commands, and the package's file stays as it is.
systemctl stop admit
printf precious >"$scratch/precious"
chmod 0755 "$scratch"
for planted in $data/store.marker.unfinished $data.witness.unfinished; do
    rm -f "$planted"
    ln -s "$scratch/precious" "$planted"
done
admit org create Planted >/dev/null || fail "a link in the place of an unfinished file stops root's command"
[[ $(<"$scratch/precious") == precious ]] || fail "root's command wrote where a planted link led"
admit audit export "$scratch/events" >/dev/null || fail "root's command does not make a file in root's folder"
[[ $(stat -c '%U %a' "$scratch/events") == 'admit 600' ]] || fail "others may read what root's command made"
systemctl start admit
say "commands: root's work on the running server and on the stopped store"

# Killed.
for turn in {1..20}; do
    before=$(pid)
    last=$(create)
    kill -KILL "$before"
    until_true 20 another_answers "$before"
    is_there "$kept" || fail "the first ticket is gone after kill $turn"
    is_there "$last" || fail "the ticket of kill $turn is gone"
done
login "$last" || fail "a ticket cannot be used after the last kill"
! login "$last" || fail "a ticket can be used twice"
say "killed 20 times: back each time, every ticket still there"

# A process that does nothing any more is replaced.
mkdir -p /run/systemd/system/admit.service.d
printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/admit.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart admit
before=$(pid)
sleep 3
[[ $(pid) == "$before" ]] || fail "the watchdog ends a healthy process"
kill -STOP "$before"
until_true 30 another_answers "$before"
grep --quiet -i 'watchdog timeout' <(journalctl --unit admit --no-pager) || fail "it was not the watchdog that replaced it"
rm -r /run/systemd/system/admit.service.d
systemctl daemon-reload
systemctl restart admit
say "watchdog: a stopped process was replaced"

# Reloading keeps the process; without its key the service names the file.
before=$(pid)
systemctl reload admit
[[ $(pid) == "$before" ]] && answers || fail "reloading ends the process"
systemctl stop admit
mv $credentials/admit-master-key "$scratch/key"
systemctl start admit 2>/dev/null && fail "it starts without its key"
grep --quiet "$credentials/admit-master-key" <(systemctl status admit) || fail "the missing key is not named"
mv "$scratch/key" $credentials/admit-master-key
systemctl start admit
answers || fail "no answer with the key back"
say "reload: the same process; without its key it names the file and does not start"

# A configuration that cannot hold is told, and not tried again and again.
cp /etc/admit/admit.toml "$scratch/admit.toml"
echo 'nonsense = 1' >>/etc/admit/admit.toml
systemctl restart admit 2>/dev/null && fail "it starts with a mistake in its configuration"
until_true 5 systemctl is-failed --quiet admit
[[ $(systemctl show --property ExecMainStatus --value admit) == 2 ]] || fail "the exit code is not 2"
grep --quiet 'admit.toml.*nonsense' <(journalctl --unit admit --no-pager --lines 20) || fail "the mistake is not named"
cat "$scratch/admit.toml" >/etc/admit/admit.toml
systemctl reset-failed admit
systemctl start admit
say "configuration: a mistake is named in the journal and not tried again"

# The port in systemd's hands: asked for, it is started; restarted, nobody is refused.
systemctl stop admit
systemctl enable --now --quiet admit.socket
answers || fail "asking does not start it"
(for _ in {1..40}; do ask --output /dev/null --write-out '%{http_code}\n' $base/.well-known/jwks.json || true; sleep 0.05; done) >"$scratch/codes" 2>&1 &
asking=$!
systemctl restart admit
wait $asking
[[ $(sort -u "$scratch/codes") == 200 ]] || fail "refused while it restarted: $(sort "$scratch/codes" | uniq -c)"
is_there "$kept" || fail "the ticket is gone"
systemctl disable --now --quiet admit.socket
systemctl restart admit
answers || fail "no answer without the socket"
say "socket: started by asking, nobody refused during a restart"

# Another version, and back. Without room for a snapshot nothing is changed.
backups=/var/lib/admit/backups
if admit backup --help >/dev/null 2>&1; then
    before=$(pid)
    mv $backups $backups.aside
    touch $backups
    ! install_version 0.0.2 >"$scratch/installing" 2>&1 || fail "it upgrades without a snapshot"
    grep --quiet 'nothing has been changed' "$scratch/installing" || { cat "$scratch/installing"; fail "why it does not upgrade is not told"; }
    [[ $(pid) == "$before" && $(dpkg-query --show --showformat '${Version} ${db:Status-Status}' admit) == '0.0.1 installed' ]] ||
        fail "an upgrade that is refused changes something"
    rm $backups
    mkdir "$scratch/elsewhere"
    ln -s "$scratch/elsewhere" $backups
    ! install_version 0.0.2 >"$scratch/installing" 2>&1 || fail "root follows a link in the place of the folder"
    [[ $(stat -c '%U %a' "$scratch/elsewhere") == 'root 755' ]] || fail "a planted link gives root's folder away"
    rm $backups
    mv $backups.aside $backups
    say "upgrade without a snapshot: refused, the old version serves on"
fi
for version in 0.0.2 0.0.1; do
    before=$(pid)
    install_version $version >"$scratch/installing" 2>&1 || { cat "$scratch/installing"; fail "version $version does not install"; }
    another_answers "$before" || fail "version $version does not run"
    is_there "$kept" || fail "the ticket is gone in version $version"
done
say "upgrade and downgrade: the same tickets"

# The way back: a snapshot into an empty folder. What was given out before it is worth nothing any more.
if admit restore --help >/dev/null 2>&1; then
    snapshots=($backups/before-upgrade-from-0.0.[12]-*.admit)
    ((${#snapshots[@]} == 2)) || fail "a snapshot before each change: ${snapshots[*]}"
    for snapshot in "${snapshots[@]}"; do
        admit backup verify "$snapshot" >/dev/null || fail "the snapshot is not whole: $snapshot"
    done
    systemctl stop admit
    mv $data $data.newer
    [[ ! -e $data.witness ]] || mv $data.witness $data.newer.witness
    cp $data.newer/first-run.json "$scratch"
    admit restore "$snapshot" >/dev/null || fail "the snapshot cannot be restored"
    exposed=$(find /var/lib/admit ! -user admit -o ! -type l -perm /077)
    [[ -z $exposed ]] || fail "what was restored is not the service's alone: $exposed"
    systemctl start admit
    answers || fail "no answer after the restore"
    ! login "$kept" || fail "a ticket from before the restore is alive"
    token=$(token "$scratch/first-run.json")
    kept=$(create)
    is_there "$kept" || fail "after the restore no tickets are given"
    say "restore: back from the snapshot, old tickets dead, new ones given"
fi

# Removed, what it kept stays; installed again, it goes on.
key=$(sha256sum <$credentials/admit-master-key)
apt-get remove --quiet=2 --yes admit >/dev/null 2>&1
! answers || fail "removed, and it still answers"
[[ -d $data/store ]] || fail "removing took the data"
install_version 0.0.2 >/dev/null 2>&1
[[ $(sha256sum <$credentials/admit-master-key) == "$key" ]] || fail "another key after installing again"
answers || fail "installed again, it does not answer"
say "removed and installed again: the same key and data"

# Purged, nothing is left but a disk that somebody mounted, which keeps what is on it.
systemctl stop admit
rm -rf "$backups"
install -d -m 0700 -o admit -g admit "$backups"
mount -t tmpfs -o mode=0755 tmpfs "$backups"
touch "$backups/kept"
apt-get purge --quiet=2 --yes admit >"$scratch/purging" 2>&1 || { cat "$scratch/purging"; fail "a mount stops the purge"; }
grep --quiet "$backups is mounted" "$scratch/purging" || { cat "$scratch/purging"; fail "that a mount stays is not told"; }
[[ -e $backups/kept ]] || fail "the purge emptied a disk that is mounted there"
umount "$backups"
rmdir "$backups" /var/lib/admit || fail "the purge leaves more than the mount: $(ls -A /var/lib/admit)"
inventory | sort >"$scratch/after"
diff "$scratch/before" "$scratch/after" || fail "purging leaves something, or took something"
[[ $(systemctl is-system-running) == running ]] || fail "not everything runs: $(systemctl --failed --plain --no-legend)"
say "purged: nothing is left, and a mounted disk as it was"
