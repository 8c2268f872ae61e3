#!/bin/sh
# Sets up, builds and runs mmreplay on Debian 12: nothing but the base system is expected.
#   ./build.sh demo    build, then analyse a bundled real recording
#   ./build.sh test    build, then the whole test suite
#   ./build.sh asan    the suite under AddressSanitizer and UndefinedBehaviorSanitizer
#   ./build.sh tidy    clang-tidy over the sources
#   ./build.sh fuzz [SECONDS]    libFuzzer on each target of tests/fuzz for so long (default: 30)
#   ./build.sh coverage    lines and branches the suite reaches
#   ./build.sh bench   what each stage costs, and whole runs beside what they cost at least
# RECORDINGS and CORPUS may name folders of further recordings and logs to test against.
set -eu
cd "$(dirname "$0")"

BUILD_PACKAGES="g++ cmake ninja-build pkg-config libboost-program-options-dev libsqlite3-dev libre2-dev
libarchive-dev zlib1g-dev libbz2-dev liblzma-dev libfmt-dev nlohmann-json3-dev libtracecmd-dev libtraceevent-dev libtracefs-dev libzstd-dev nettle-dev libjemalloc-dev"
TEST_PACKAGES="catch2 sqlite3 python3-jsonschema libxml2-utils man-db mandoc zsh bsdutils bsdextrautils tar gzip bzip2 xz-utils zstd util-linux
chromium chromium-driver python3-selenium fonts-dejavu-core"
TIDY_PACKAGES="clang-tidy"
FUZZ_PACKAGES="clang-14 libclang-rt-14-dev llvm-14"
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

# fuzz SECONDS: each target for so long, or a multiple where a run takes long, from the seeds of samples/, tests/cases,
# RECORDINGS and CORPUS; fuzz smoke: the seeds and a few runs more, the same ones every time. What is found stays in
# build/fuzz/found, the corpora in build/fuzz/corpus.
fuzz() {
    need "$BUILD_PACKAGES $FUZZ_PACKAGES"
    configure fuzz -DBUILD_TESTING=OFF
    build=build/fuzz
    mkdir -p $build/found
    # shellcheck disable=SC2086
    $build/fuzz_replay --write-seeds $build/seeds ${RECORDINGS:-} ${CORPUS:-}
    failed=""
    targets=$($build/mmreplay_fuzz --list)
    while read -r target size cost; do
        mkdir -p "$build/corpus/$target"
        kept="tests/fuzz/cases/$target"
        [ -d "$kept" ] || kept=""
        limit="-runs=$((200 / cost)) -seed=1"
        [ "$1" = smoke ] || limit="-max_total_time=$(($1 * cost))"
        # shellcheck disable=SC2086
        if $build/mmreplay_fuzz "$target" $limit -timeout=60 -rss_limit_mb=3000 -max_len="$size" \
            -print_final_stats=1 -artifact_prefix="$build/found/$target-" "$build/corpus/$target" \
            "$build/seeds/$target" $kept >"$build/$target.log" 2>&1 </dev/null; then
            runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
            echo "fuzz: $target: $runs runs"
        else
            tail -n 40 "$build/$target.log" >&2
            failed="$failed $target"
        fi
    done <<EOF
$targets
EOF
    [ -z "$failed" ] || { echo "fuzz: failed:$failed (inputs in $build/found, logs in $build)" >&2; exit 1; }
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
    fuzz smoke
    ctest --preset dev -j "$(nproc)"
    ;;
asan)
    need "$BUILD_PACKAGES $TEST_PACKAGES"
    configure asan -DBUILD_TESTING=ON
    ctest --preset asan -j "$(nproc)"
    ;;
fuzz)
    fuzz "${2:-30}"
    ;;
coverage)
    need "$BUILD_PACKAGES $TEST_PACKAGES $FUZZ_PACKAGES"
    configure coverage -DBUILD_TESTING=ON
    build=build/coverage
    rm -rf $build/profiles
    mkdir -p $build/profiles
    # What a test measures of time or memory may be out of bounds here: the figures come all the same.
    LLVM_PROFILE_FILE="$PWD/$build/profiles/%m.profraw" ctest --preset coverage -j "$(nproc)" || true
    # Processes that were killed leave profiles that cannot be read.
    llvm-profdata-14 merge -failure-mode=all -o $build/all.profdata $build/profiles/*.profraw
    llvm-cov-14 report $build/mmreplay -object $build/mmreplay_tests -object $build/recordings_test \
        -object $build/corpus_test -object $build/fuzz_replay -instr-profile=$build/all.profdata \
        parser replay db rules report cli
    ;;
tidy)
    need "$BUILD_PACKAGES $TIDY_PACKAGES"
    configure release -DBUILD_TESTING=OFF
    find parser replay db rules report cli -name '*.cc' -print0 |
        xargs -0 -P "$(nproc)" -n 4 clang-tidy -p build/release --quiet
    ;;
bench)
    need "$BUILD_PACKAGES $BENCH_PACKAGES"
    tests/bench/run_stages
    tests/bench/run
    ;;
*)
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
