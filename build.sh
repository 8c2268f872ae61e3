#!/bin/sh
# Sets up, builds and runs mmreplay on Debian 12: nothing but the base system is expected.
#   ./build.sh demo    build, then analyse a bundled real recording
#   ./build.sh test    build, then the whole test suite
#   ./build.sh asan    the suite under AddressSanitizer and UndefinedBehaviorSanitizer
#   ./build.sh tidy    clang-tidy over the sources
#   ./build.sh bench   what each stage costs, and whole runs beside what they cost at least
# RECORDINGS and CORPUS may name folders of further recordings and logs to test against.
set -eu
cd "$(dirname "$0")"

BUILD_PACKAGES="g++ cmake ninja-build pkg-config libboost-program-options-dev libsqlite3-dev libre2-dev
libarchive-dev libfmt-dev nlohmann-json3-dev libtracecmd-dev libtraceevent-dev libtracefs-dev libzstd-dev nettle-dev"
TEST_PACKAGES="catch2 sqlite3 python3-jsonschema libxml2-utils man-db mandoc zsh bsdutils bsdextrautils tar gzip bzip2 xz-utils zstd util-linux
chromium chromium-driver python3-selenium fonts-dejavu-core"
TIDY_PACKAGES="clang-tidy"
BENCH_PACKAGES="libbenchmark-dev time xz-utils"

need() {
    missing=""
    for package in $1; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    root=""
    [ "$(id -u)" = 0 ] || root=sudo
    echo "installing:$missing" >&2
    $root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

configure() {
    cmake --preset "$1" -DMMREPLAY_RECORDINGS="${RECORDINGS:-}" -DMMREPLAY_CORPUS="${CORPUS:-}" "$2" >/dev/null
    cmake --build --preset "$1"
}

case "${1:-}" in
demo)
    need "$BUILD_PACKAGES"
    configure release -DBUILD_TESTING=OFF
    status=0
    build/release/mmreplay analyze samples/410-x86-fired-nochurn.tar.xz || status=$?
    # 1 says that something was found, and here something must be.
    [ "$status" = 1 ]
    ;;
test)
    need "$BUILD_PACKAGES $TEST_PACKAGES"
    configure dev -DBUILD_TESTING=ON
    ctest --preset dev
    ;;
asan)
    need "$BUILD_PACKAGES $TEST_PACKAGES"
    configure asan -DBUILD_TESTING=ON
    ctest --preset asan
    ;;
tidy)
    need "$BUILD_PACKAGES $TEST_PACKAGES $TIDY_PACKAGES"
    configure dev -DBUILD_TESTING=ON
    find parser replay db rules report cli -name '*.cc' -print0 |
        xargs -0 -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet
    ;;
bench)
    need "$BUILD_PACKAGES $BENCH_PACKAGES"
    tests/bench/run_stages
    tests/bench/run
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
