#!/bin/sh
# Does this node run the /usr image that we built, and is anything behind the check?
#
#   sudo sh check-node.sh ROOT_HASH        exit 0: all good   1: a finding   2: wrong use
#
# ROOT_HASH is what your build printed, 64 hexadecimal digits. Keep it with the release notes. A hash that you
# copy from the node proves that the node agrees with itself.
# On Kubernetes, get a shell on the node first (kubectl debug node/NAME, then chroot /host).
#
# What it cannot tell: the node's own kernel answers here. A kernel in the attacker's hands says what it likes.
# For an answer from outside, ask the TPM for a quote (a lab on that, "Prove what booted", is planned).
#
# The image, made in CI (not part of the check):
#
#   veritysetup format --root-hash-file=usr.roothash usr.img usr.verity
#   ukify build --linux=vmlinuz --initrd=initrd.img --output=node.efi \
#       --cmdline="usrhash=$(cat usr.roothash) systemd.verity_usr_options=panic-on-corruption" \
#       --secureboot-private-key=release.key --secureboot-certificate=release.pem
#
#   - usrhash= finds its partitions by their ids: the first half of the root hash is the id of the data partition,
#     the second half that of the tree's.
#   - Secure Boot on, your certificate enrolled. Without it, the command line is the attacker's as well.
#   - Do not ship usr.roothash on the disk. Nothing may read the root hash from there.
#   - panic-on-corruption: a node that stops is noticed. An I/O error in a log may not be.

set -u
LC_ALL=C
export LC_ALL

expected=$(printf %s "${1:-}" | tr 'A-F' 'a-f')
case $expected in
*[!0-9a-f]* | '') bad=1 ;;
*) bad=0 ;;
esac
if [ "$bad" = 1 ] || [ "${#expected}" -ne 64 ] || [ "$#" -ne 1 ]; then
    echo "usage: sudo sh check-node.sh ROOT_HASH   (64 hexadecimal digits, from your build)" >&2
    exit 2
fi

base=${CHECK_NODE_BASE:-} # another root folder, for trying the script out
findings=0
good() { echo "ok       $1"; }
finding() {
    echo "FINDING  $1"
    findings=$((findings + 1))
}

# 1. The kernel checks against our root hash. The verity table holds it, whatever the command line says.
table=$(dmsetup table --target verity 2>/dev/null) || table=
ours=$(printf '%s\n' "$table" | grep -F " $expected ") || ours=
if [ -z "$table" ]; then
    finding "no dm-verity device is active, or dmsetup cannot be run (are you root?)"
elif [ -z "$ours" ]; then
    finding "dm-verity runs, but no device uses our root hash: another image, or another release"
else
    good "dm-verity checks against our root hash"
    name=${ours%%:*}

    # 2. What happens when a bad block is read.
    case $ours in
    *ignore_corruption*) finding "ignore_corruption is set: bad blocks are logged and then used" ;;
    *panic_on_corruption* | *restart_on_corruption*) good "the node stops or restarts on a bad block" ;;
    *) finding "a bad block gives an I/O error and the node goes on: set panic-on-corruption" ;;
    esac
    case $ours in
    *check_at_most_once*) finding "check_at_most_once is set: a block changed after its first read is not seen" ;;
    esac

    # 3. Has it seen one? V: all checks so far were good. C: corruption.
    case $(dmsetup status "$name" 2>/dev/null) in
    *" verity V"*) good "no bad block was read since boot (blocks that nobody reads stay unchecked)" ;;
    *" verity C"*) finding "a bad block was read since boot: take the node out, keep its disk" ;;
    *) finding "the state of $name cannot be read" ;;
    esac

    # 4. /usr (or all of /) really comes from that device.
    device=$(readlink -f "$base/dev/mapper/$name")
    mounted=
    while read -r source place _; do
        case $place in
        / | /usr) [ "$(readlink -f "$base$source")" = "$device" ] && mounted=$place ;;
        esac
    done <"$base/proc/mounts"
    if [ -n "$mounted" ]; then
        good "$mounted is mounted from it"
    else
        finding "neither /usr nor / is mounted from that device"
    fi
fi

# 5. Who vouches for the command line: Secure Boot. The variable's last byte is 1 when it is on.
variable=$base/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
if [ -r "$variable" ] && [ "$(od -An -t u1 "$variable" | awk '{ last = $NF } END { print last }')" = 1 ]; then
    good "Secure Boot is on"
else
    finding "Secure Boot is off or unknown: whoever writes the disk can replace the command line"
fi

# 6. What guards the rest of the system, which verity does not cover.
if [ "$(cat "$base/sys/fs/selinux/enforce" 2>/dev/null)" = 1 ]; then
    good "SELinux enforces"
else
    finding "SELinux does not enforce (on Azure Container Linux, look at the node pool's tags)"
fi

echo "findings: $findings"
[ "$findings" -eq 0 ]
