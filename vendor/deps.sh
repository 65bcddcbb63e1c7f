#!/bin/sh
# Installs what a task needs, where it is missing.
#
#   deps.sh TASK...      build aarch64 armv7 riscv64 emulate dist container python test wrap
#                        fuzz bench demo interop
#
# One row a need: task, what shows that it is there (a command, or a path that
# may hold wildcards), Debian's package, Alpine's package.  Looking is done by
# the shell alone, so that a machine that has everything loses no time.
set -eu

needs='
build gcc                                       gcc              gcc
build ar                                        binutils         binutils
build make                                      make             make
build patch                                     patch            patch
build xz                                        xz-utils         xz
build bzip2                                     bzip2            bzip2
build tar                                       tar              tar
build /usr/include/stdio.h                      libc6-dev        musl-dev
aarch64 aarch64-linux-gnu-gcc                   gcc-aarch64-linux-gnu -
armv7 arm-linux-gnueabihf-gcc                   gcc-arm-linux-gnueabihf -
riscv64 riscv64-linux-gnu-gcc                   gcc-riscv64-linux-gnu -
emulate qemu-aarch64-static                     qemu-user-static qemu-aarch64
dist  zopfli                                    zopfli           zopfli
container buildah                               buildah          buildah
container debootstrap                           debootstrap      debootstrap
python python3                                  python3          python3
python /usr/lib/python3*/ensurepip              python3-venv     python3
test  node                                      nodejs           nodejs
test  npm                                       npm              npm
test  openssl                                   openssl          openssl
test  /usr/lib/python3/dist-packages/cryptography_vectors python3-cryptography-vectors -
test  git                                       git              git
test  /etc/ssl/certs/ca-certificates.crt        ca-certificates  ca-certificates
test  /usr/include/cmocka.h                     libcmocka-dev    cmocka-dev
test  ctags                                     universal-ctags  ctags
test  dbus-run-session                          dbus-daemon      dbus
test  gnome-keyring-daemon                      gnome-keyring    gnome-keyring
test  secret-tool                               libsecret-tools  libsecret
test  shellcheck                                shellcheck       shellcheck
test  mandoc                                    mandoc           mandoc
test  chromium                                  chromium         chromium
test  promtool                                  prometheus       prometheus
test  bwrap                                     bubblewrap       bubblewrap
test  busybox                                   busybox          busybox
test  wget                                      wget             wget
test  curl                                      curl             curl
test  bash                                      bash             bash
test  zsh                                       zsh              zsh
test  fish                                      fish             fish
test  systemd-analyze                           systemd          -
test  setpriv                                   util-linux       setpriv
fuzz  clang                                     clang            clang
fuzz  /usr/lib/llvm*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a libclang-rt-dev compiler-rt
wrap  clang-format                              clang-format     clang-extra-tools
bench gh                                        gh               github-cli
bench /usr/sbin/nginx                           nginx            nginx
bench /usr/sbin/varnishd                        varnish          varnish
bench wrk                                       wrk              wrk
bench go                                        golang-go        go
bench age-keygen                                age              age
interop gh                                      gh               github-cli
interop node                                    nodejs           nodejs
interop npm                                     npm              npm
interop go                                      golang-go        go
interop curl                                    curl             curl
interop /etc/ssl/certs/ca-certificates.crt      ca-certificates  ca-certificates
demo  node                                      nodejs           nodejs
demo  npm                                       npm              npm
demo  git                                       git              git
demo  openssl                                   openssl          openssl
demo  /etc/ssl/certs/ca-certificates.crt        ca-certificates  ca-certificates
'

fail() {
	printf 'deps: %s\n' "$*" >&2
	exit 1
}

# busybox's own tar, patch, xz know too few options for what is done here
applet() {
	case $(readlink -f "$(command -v "$1")") in
	*/busybox) ;;
	*) return 1 ;;
	esac
}

there() {
	case $1 in
	/*)
		# unquoted on purpose: the shell finds what the pattern names
		for path in $1; do
			[ -e "$path" ] && return 0
		done
		return 1 ;;
	*) command -v "$1" >/dev/null 2>&1 || return 1 ;;
	esac
	[ "$manager" != apk ] || [ "$1" = busybox ] || ! applet "$1"
}

[ $# -gt 0 ] || fail 'name a task; the head of this file lists them'
for task; do
	case $needs in
	*"
$task "*) ;;
	*) fail "no such task: $task; the head of this file lists them" ;;
	esac
done

if command -v apt-get >/dev/null 2>&1; then
	manager=apt
elif command -v apk >/dev/null 2>&1; then
	manager=apk
else
	manager=none
fi

set -f
packages=
wanted=" $* "
while read -r task look debian alpine; do
	case $wanted in
	*" $task "*) ;;
	*) continue ;;
	esac
	[ "$manager" != apk ] || debian=$alpine
	[ "$debian" != - ] || continue
	set +f
	there "$look" || packages="$packages $debian"
	set -f
done <<EOF
$needs
EOF

[ -n "$packages" ] || exit 0
[ "$manager" != none ] || fail "this machine has neither apt-get nor apk;" \
	"install what Debian calls:$packages"
if [ "$(id -u)" -eq 0 ]; then
	root=
elif command -v sudo >/dev/null 2>&1; then
	root=sudo
else
	fail "installing needs root or sudo; as root, install:$packages"
fi

echo "  INSTALL$packages" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
	# sudo drops the environment, hence env behind it; no task may wait
	# for an answer at a terminal
	$root env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$log" 2>&1 && return
	cat "$log" >&2
	fail "'$*' failed; mend what it says above, then run make again"
}

# make may ask for two tasks at once; package managers do not wait for each other
exec 9>"${TMPDIR:-/tmp}/ghoard-deps.lock"
flock 9
# shellcheck disable=SC2086 # a list of names
case $manager in
apt)
	run apt-get -qq -o Acquire::Retries=3 update
	run apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
		install -y --no-install-recommends $packages ;;
apk)
	run apk add --quiet --update-cache $packages ;;
esac
