// The fuzzer: mmreplay_fuzz TARGET [OPTIONS OF LIBFUZZER] [FOLDER OR FILE...]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/mutate_lines.h"
#include "tests/fuzz/target.h"

namespace {

const mmreplay::FuzzTarget* chosen = nullptr;

std::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

size_t Return(const std::string& text, uint8_t* data) {
  std::copy(text.begin(), text.end(), data);
  return text.size();
}

}  // namespace

extern "C" {

size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

int LLVMFuzzerInitialize(int* argc, char*** argv) {
  // Processes that libFuzzer starts get its options only.
  const char* name = std::getenv("MMREPLAY_FUZZ_TARGET");
  if (*argc > 1 && mmreplay::FindTarget((*argv)[1])) {
    name = (*argv)[1];
    setenv("MMREPLAY_FUZZ_TARGET", name, 1);
    std::copy(*argv + 2, *argv + *argc + 1, *argv + 1);
    --*argc;
  }
  if (name) chosen = mmreplay::FindTarget(name);
  if (chosen) return 0;
  if (*argc > 1 && std::string_view((*argv)[1]) == "--list") {
    mmreplay::ForEachTarget([](const mmreplay::FuzzTarget& target) {
      std::printf("%.*s %zu %u\n", static_cast<int>(target.name.size()), target.name.data(), target.max_size,
                  target.cost);
    });
    std::exit(0);
  }
  std::fputs("mmreplay_fuzz TARGET [OPTIONS OF LIBFUZZER] [FOLDER OR FILE...]; mmreplay_fuzz --list\n",
             stderr);
  std::exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen->run(TextOf(data, size));
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  if (!chosen->lines) return LLVMFuzzerMutate(data, size, max_size);
  return Return(mmreplay::MutateLines(TextOf(data, size), max_size, seed, LLVMFuzzerMutate), data);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t* one, size_t one_size, const uint8_t* other, size_t other_size,
                                 uint8_t* out, size_t max_size, unsigned seed) {
  auto cross = chosen->lines ? mmreplay::CrossLines : mmreplay::CrossBytes;
  return Return(cross(TextOf(one, one_size), TextOf(other, other_size), max_size, seed), out);
}

}  // extern "C"
