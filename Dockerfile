# The release's builder, and an image with nothing but the program.
#
#   docker build --build-arg ALPINE=alpine@sha256:... .
#   docker build --target dist --output type=local,dest=dist ...      the release's files
#
# ALPINE may be a Debian image as well.  SOURCES is any image with apt-get,
# where the pinned sources of the libraries come from: of the machine that
# builds, since Debian 12 has no riscv64 and sources are the same everywhere.
# Alpine has no compilers for other machines: --platform builds under an emulator.
ARG ALPINE=alpine:3.22
ARG SOURCES=debian:12

FROM --platform=$BUILDPLATFORM ${SOURCES} AS sources
COPY vendor /src/vendor
WORKDIR /src
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
	patch xz-utils bzip2 ca-certificates >/dev/null && RELEASE=1 sh vendor/fetch.sh && rm -rf build/vendor/src

FROM ${ALPINE} AS build
RUN if command -v apk >/dev/null; then apk add --quiet --update-cache make; \
	else apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
	make >/dev/null; fi
COPY . /src
WORKDIR /src
COPY --from=sources /src/build/vendor/tarballs /sources
COPY --from=sources /etc/ssl/certs/ca-certificates.crt /ca-certificates.crt
ARG ARCH=
RUN make VENDOR=/sources RELEASE=1 ${ARCH:+ARCH=$ARCH} && \
	cp "build/${ARCH:+$ARCH/}ghoard" /ghoard

FROM build AS packed
ARG BUILDER=
RUN BUILDER="$BUILDER" make VENDOR=/sources RELEASE=1 ${ARCH:+ARCH=$ARCH} dist

FROM scratch AS dist
COPY --from=packed /src/dist /

FROM scratch
COPY --from=build /ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /ghoard /ghoard
USER 65532:65532
ENTRYPOINT ["/ghoard"]
