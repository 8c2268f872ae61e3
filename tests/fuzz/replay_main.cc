// Runs the targets over inputs without a fuzzer.
//   fuzz_replay [TARGET...]                what was kept of earlier finds, the seeds, and a few mutations of
//   each fuzz_replay --run TARGET FILE...       these inputs fuzz_replay --write-seeds FOLDER PATH...
//                                          the seeds of these folders beside our own, a folder per target
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "parser/error.h"
#include "parser/numbers.h"
#include "tests/fuzz/mutate_lines.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

const std::string kSource = MMREPLAY_SOURCE_DIR;

std::string ReadInput(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Seeds OwnSeeds(const std::vector<std::string>& more_folders) {
  std::vector<std::string> folders = {kSource + "/samples", kSource + "/tests/cases", kSource + "/rules"};
  folders.insert(folders.end(), more_folders.begin(), more_folders.end());
  return MakeSeeds(RecordingsBelow(folders));
}

// What a target was running when it ended the program, for a look at it.
const FuzzTarget* running = nullptr;
std::string_view running_input;

void KeepRunningInput(int signal) {
  std::string path = "fuzz-failed-" + std::string(running ? running->name : "none");
  std::fprintf(stderr, "%s: the input is in %s\n", running ? std::string(running->name).c_str() : "none",
               path.c_str());
  if (FILE* file = std::fopen(path.c_str(), "wb")) {
    std::fwrite(running_input.data(), 1, running_input.size(), file);
    std::fclose(file);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Run(const FuzzTarget& target, const std::string& input) {
  running = &target;
  running_input = input;
  target.run(input);
}

// What went wrong once, told by name before it runs: a crash tells nothing after.
size_t RunKept(const FuzzTarget& target) {
  std::vector<std::string> files;
  fs::path folder = fs::path(kSource) / "tests/fuzz/cases" / target.name;
  if (!fs::exists(folder)) return 0;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());
    Run(target, ReadInput(file));
  }
  return files.size();
}

// In place of libFuzzer's: a byte here and there.
size_t FlipBytes(uint8_t* bytes, size_t size, size_t limit) {
  std::minstd_rand random(static_cast<uint32_t>(size + limit));
  for (int i = 0; i < 4 && size > 0; ++i) bytes[random() % size] = static_cast<uint8_t>(random());
  return size;
}

// Each changes what the one before made, and every now and then the seed itself.
void RunMutated(const FuzzTarget& target, const std::string& seed, uint32_t times) {
  constexpr uint32_t kSteps = 16;
  std::string input;
  for (uint32_t i = 0; i < times; ++i) {
    if (i % kSteps == 0) input = seed;
    uint32_t number = i + static_cast<uint32_t>(seed.size()) * 7919;  // another one for each seed
    if (target.lines) {
      std::string mutated = MutateLines(input, target.max_size, number, FlipBytes);
      bool same = i % kSteps != 0 || mutated == MutateLines(input, target.max_size, number, FlipBytes);
      Require(same && mutated.size() <= target.max_size, "mutations are repeatable and within bounds");
      input = std::move(mutated);
    } else {
      FlipBytes(reinterpret_cast<uint8_t*>(input.data()), input.size(), number);
      if (i % 4 == 3) input = CrossBytes(input, seed, target.max_size, number);
    }
    Run(target, input);
  }
}

int RunAll(const std::set<std::string>& names, std::optional<uint32_t> mutations,
           const std::vector<std::string>& more) {
  Seeds seeds = OwnSeeds(more);
  ForEachTarget([&](const FuzzTarget& target) {
    std::string name(target.name);
    if (!names.empty() && !names.contains(name)) return;
    std::clock_t start = std::clock();
    size_t kept = RunKept(target);
    Require(!seeds[name].empty(), "each target has seeds");
    uint32_t each = mutations.value_or(std::max(1U, 8 / target.cost));
    for (const std::string& seed : seeds[name]) {
      Run(target, seed);
      RunMutated(target, seed, each);
    }
    double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%-18s %4zu kept, %4zu seeds, %7zu mutated, %6.2f s cpu\n", name.c_str(), kept,
                seeds[name].size(), seeds[name].size() * each, took);
    std::fflush(stdout);
  });
  return 0;
}

int WriteSeeds(const fs::path& folder, const std::vector<std::string>& more) {
  for (const auto& [target, seeds] : OwnSeeds(more)) {
    fs::create_directories(folder / target);
    int number = 0;
    for (const std::string& seed : seeds)
      std::ofstream(folder / target / ("seed-" + std::to_string(number++)), std::ios::binary) << seed;
  }
  return 0;
}

int Main(std::vector<std::string> words) {
  auto take = [&] {
    if (words.empty()) throw Error("fuzz_replay: something is missing behind the last option");
    std::string word = words.front();
    words.erase(words.begin());
    return word;
  };
  std::string first = words.empty() ? std::string() : words[0];
  if (first == "--write-seeds") {
    take();
    std::string folder = take();
    return WriteSeeds(folder, words);
  }
  if (first == "--run") {
    take();
    const FuzzTarget* target = FindTarget(take());
    if (!target) throw Error("fuzz_replay: there is no such target");
    for (const std::string& file : words) Run(*target, ReadInput(file));
    return 0;
  }
  std::optional<uint32_t> mutations;
  std::vector<std::string> more;
  while (!words.empty() && words[0].starts_with("--")) {
    std::string option = take();
    auto number = ParseDecimal(option == "--mutations" ? take() : "");
    if (number) {
      mutations = static_cast<uint32_t>(*number);
    } else if (option == "--seeds") {
      more.push_back(take());
    } else {
      throw Error("fuzz_replay: " + option + ": is no option, or has no number");
    }
  }
  return RunAll({words.begin(), words.end()}, mutations, more);
}

}  // namespace
}  // namespace mmreplay

int main(int argc, char** argv) {
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) std::signal(signal, mmreplay::KeepRunningInput);
  try {
    return mmreplay::Main({argv + 1, argv + argc});
  } catch (const mmreplay::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
