#!/bin/sh
# Builds musl, as a static library alone, with its compiler wrapper's specs.
#
#   musl.sh DIR CC ARCH MAKE
#
# DIR/lib and DIR/include are the result.
set -eu

out=$PWD/$1
src=$PWD/build/vendor/src/musl
obj=$out/obj
target=$3-linux
[ "$3" != armv7 ] || target=arm-linux-gnueabihf

echo "  MUSL    $1"
rm -rf "$out"
mkdir -p "$obj"
cd "$obj"
build() {
	"$src/configure" --target="$target" --prefix="$out" --disable-shared --disable-wrapper CC="$2" \
		AR="${2%gcc}ar" RANLIB="${2%gcc}ranlib" \
		CFLAGS="-Os -fPIE -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections
			-ffile-prefix-map=$src=musl -ffile-prefix-map=$obj=musl" &&
		"$4" -s install-libs install-headers ARFLAGS=rcD "ARCH=${target%%-*}"
}

build "$@" >log 2>&1 || {
	cat log >&2
	echo "musl: it could not be built for $3 with $2" >&2
	exit 1
}
sh "$src/tools/musl-gcc.specs.sh" "$out/include" "$out/lib" "/none" >"$out/lib/musl-gcc.specs"
cd "$out"
rm -rf "$obj"
