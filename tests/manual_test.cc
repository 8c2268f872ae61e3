// Help, manual page, completions and the query cookbook: what they show is run.
#include "cli/manual.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/command.h"
#include "parser/lines.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

// The lines below "Examples:" that are commands: indented by two.
std::vector<std::string> ExamplesIn(const std::string& help) {
  std::vector<std::string> examples;
  size_t start = help.find("Examples:\n");
  REQUIRE(start != std::string::npos);
  ForEachLine(std::string_view(help).substr(start), [&](std::string_view line) {
    if (line.starts_with("  mmreplay ")) examples.emplace_back(line.substr(2));
  });
  return examples;
}

// A folder that has what examples name, and the program under its name. `ssh` keeps what it is sent.
class Playground {
 public:
  Playground() {
    bin_ = folder_.path() + "/bin";
    const std::string rule =
        "-- name: long_wait\n-- severity: info\n-- summary: s\n-- why: w\n-- requires: page_waits\n-- "
        "reference: r\n"
        "\nSELECT 'latent' AS grade, 'page_waits' AS subject, id AS subject_id, pfn, pid, 'long' AS summary "
        "FROM page_waits\n";
    std::string make = "mkdir " + bin_ + " " + folder_.path() + "/my-rules && ln -s $MMREPLAY " + bin_ +
                       "/mmreplay && ln -s \"$PWD/samples\" " + folder_.path() +
                       "/samples && printf '#!/bin/sh\\ncat > sent\\n' > " + bin_ + "/ssh && chmod +x " +
                       bin_ + "/ssh && tar -C " + folder_.path() +
                       " --strip-components=1 -xf samples/x86-fired.tar.xz";
    REQUIRE(Shell(make).exit_code == 0);
    folder_.Write("my-rules/long_wait.sql", rule);
  }

  Run Do(const std::string& command) const {
    return Shell("cd " + folder_.path() + " && export PATH=" + bin_ + ":$PATH && " + command);
  }
  const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
  std::string bin_;
};

// The completions bash would offer for these words, the last being typed.
std::set<std::string> Bash(const TemporaryFolder& folder, const std::vector<std::string>& words) {
  std::string script = folder.Write("completion", BashCompletion());
  std::string array;
  for (const std::string& word : words) array += " '" + word + "'";
  Run run = Shell("cd " + folder.path() +
                  " && bash -c 'source \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
                  "_mmreplay; printf \"%s\\n\" \"${COMPREPLY[@]}\"' " +
                  script + array);
  CAPTURE(run.err);
  CHECK(run.err.empty());
  std::set<std::string> offered;
  ForEachLine(run.out, [&](std::string_view line) {
    if (!line.empty()) offered.emplace(line);
  });
  return offered;
}

}  // namespace

TEST_CASE("the examples of each --help run", "[manual]") {
  Playground playground;
  REQUIRE(playground.Do("mmreplay analyze -o race.db samples/x86-fired.tar.xz").exit_code == 1);
  std::vector<std::string> helps = {"mmreplay --help"};
  for (const Command& command : Commands()) helps.push_back("mmreplay " + command.name + " --help");
  CHECK(helps.size() >= 8);
  for (const std::string& help : helps) {
    Run asked = playground.Do(help);
    CHECK(asked.exit_code == 0);
    CHECK(asked.err.empty());
    CHECK(asked.out.starts_with(help == "mmreplay --help" ? "mmreplay: " : "Usage: mmreplay "));
    ForEachLine(asked.out, [&](std::string_view line) {
      CAPTURE(std::string(line));
      CHECK((line.size() <= 100 || line.starts_with("  mmreplay ")));
    });
    std::vector<std::string> examples = ExamplesIn(asked.out);
    CHECK(examples.size() >= 2);
    for (const std::string& example : examples) {
      Run run = playground.Do(example);
      CAPTURE(example, run.err);
      bool judges = example.starts_with("mmreplay analyze") || example.starts_with("mmreplay triage") ||
                    example.starts_with("mmreplay replay");
      CHECK((run.exit_code == 0 || (judges && run.exit_code == 1)));
      bool complains = run.err.find("mmreplay: ") != std::string::npos &&
                       run.err.find("had been judged before") == std::string::npos;
      CHECK_FALSE(complains);
      if (example.find('>') == std::string::npos && example.find('|') == std::string::npos)
        CHECK_FALSE(run.out.empty());
    }
  }
  // What went through a pipe or into a file.
  CHECK(playground.Do("sh -n sent && grep -q mmreplay sent").exit_code == 0);
  CHECK(playground.Do("python3 -m json.tool race.sarif > /dev/null").exit_code == 0);
  CHECK(playground.Do("mmreplay --version").out.starts_with("mmreplay "));
}

TEST_CASE("the manual page says what the help says, and lint has nothing against it", "[manual]") {
  TemporaryFolder folder;
  std::string page = folder.Write("mmreplay.1", ManualPage("2026-11-23"));
  Run run = Shell("MANWIDTH=200 LC_ALL=C.UTF-8 man --warnings=all -l " + page + " | col -b");
  CHECK(run.err.empty());
  std::string text;  // on one line, blanks once
  for (std::string_view word : SplitWords([&] {
         std::replace(run.out.begin(), run.out.end(), '\n', ' ');
         return std::string_view(run.out);
       }()))
    text += std::string(word) + " ";
  for (const Command& command : Commands()) {
    for (const Option& option : command.options) {
      std::string name = "--" + option.name.substr(0, option.name.find(','));
      CAPTURE(command.name, name);
      CHECK(text.find(name) != std::string::npos);
      CHECK(HelpText(command).find(name) != std::string::npos);
    }
    for (const Example& example : command.examples) {
      CAPTURE(example.line);
      std::string line;
      for (std::string_view word : SplitWords(example.line)) line += std::string(word) + " ";
      CHECK(text.find(line) != std::string::npos);
    }
  }
  if (Shell("command -v mandoc").exit_code == 0) {
    run = Shell("mandoc -T lint -W warning " + page);
    CHECK(run.out.empty());
    CHECK(run.err.empty());
  }
}

TEST_CASE("bash completes commands, options, values and files", "[manual]") {
  TemporaryFolder folder;
  using Offered = std::set<std::string>;
  CHECK(Bash(folder, {"mmreplay", "an"}) == Offered{"analyze"});
  CHECK(Bash(folder, {"mmreplay", ""}).size() == Commands().size() + 2);
  for (const Command& command : Commands()) {
    Offered options = Bash(folder, {"mmreplay", command.name, "--"});
    Offered expected = {"--help"};
    for (const Option& option : command.options)
      expected.insert("--" + option.name.substr(0, option.name.find(',')));
    CAPTURE(command.name);
    CHECK(options == expected);
  }
  CHECK(Bash(folder, {"mmreplay", "analyze", "--format", "j"}) == Offered{"json", "jsonl", "junit"});
  // bash breaks words at '='.
  CHECK(Bash(folder, {"mmreplay", "analyze", "--format", "=", "sa"}) == Offered{"sarif"});
  CHECK(Bash(folder, {"mmreplay", "analyze", "--format", "="}).count("sarif") == 1);
  CHECK(Bash(folder, {"mmreplay", "analyze", "--require", "wait"}) == Offered{"wait_on_freed_page"});
  CHECK(Bash(folder, {"mmreplay", "analyze", "--input-format", "tr"}) ==
        Offered{"trace-cmd-report", "trace.dat", "tracefs"});
  CHECK(Bash(folder, {"mmreplay", "rules", "ex"}) == Offered{"explain"});
  CHECK(Bash(folder, {"mmreplay", "rules", "explain", "double"}) == Offered{"double_free"});
  CHECK(Bash(folder, {"mmreplay", "rules", "--rules", "x", "explain", "double"}) == Offered{"double_free"});
  CHECK(Bash(folder, {"mmreplay", "query", "race.db", "@wai"}) == Offered{"@waits"});
  CHECK(Bash(folder, {"mmreplay", "query", "race.db", "@", "wai"}) == Offered{"waits"});
  folder.Write("tr ce.txt", "");
  REQUIRE(Shell("mkdir '" + folder.path() + "/tr folder'").exit_code == 0);
  CHECK(Bash(folder, {"mmreplay", "analyze", "tr"}) == Offered{"tr ce.txt", "tr folder"});
  CHECK(Bash(folder, {"mmreplay", "analyze", "x", "tr"}) == Offered{"tr ce.txt", "tr folder"});
  CHECK(Bash(folder, {"mmreplay", "analyze", "-o", "tr"}) == Offered{"tr ce.txt", "tr folder"});
  CHECK(Bash(folder, {"mmreplay", "analyze", "--rules", "tr"}) == Offered{"tr folder"});
  CHECK(Bash(folder, {"mmreplay", "page", "race.db", "tr"}).empty());
  CHECK(Bash(folder, {"mmreplay", "nonsense", ""}).empty());
}

TEST_CASE("the zsh completion is zsh, and names all options", "[manual]") {
  std::string zsh = ZshCompletion();
  CHECK(zsh.starts_with("#compdef mmreplay\n"));
  for (const Command& command : Commands()) {
    CHECK(zsh.find("    " + command.name + ")\n") != std::string::npos);
    for (const Option& option : command.options) {
      std::string name = "--" + option.name.substr(0, option.name.find(','));
      CHECK(zsh.find(name) != std::string::npos);
    }
  }
  if (Shell("command -v zsh").exit_code != 0) return;
  TemporaryFolder folder;
  Run run = Shell("zsh -n " + folder.Write("_mmreplay", zsh));
  CAPTURE(run.err);
  CHECK(run.exit_code == 0);
  CHECK(Shell("zsh -n " + folder.Write("wrong", zsh + "case")).exit_code != 0);
}

TEST_CASE("errors say what to do next, as JSON too where it was asked for", "[manual]") {
  struct Case {
    std::string command;
    std::string message;
    std::string file;  // empty: none
    int line;          // 0: none
    std::string next;
  };
  TemporaryFolder folder;
  std::string rule = folder.Write("bad.sql", "-- nmae: y\n");
  std::string text = folder.Write("a b.txt", "one\ntwo\n");
  const std::vector<Case> cases = {
      {"analyze /no/such/file", "/no/such/file: No such file or directory", "/no/such/file", 0,
       "check the path"},
      {"analyze '" + text + "'", text + " looks like", text, 0, ""},
      {"analyze --rules " + folder.path() + " samples/x86-fired.tar.xz", rule + ":1:4: unknown key", rule, 1,
       "mmreplay analyze --help"},
      {"analyze --fail-on=never samples/x86-fired.tar.xz", "--fail-on: never", "", 0,
       "mmreplay analyze --help"},
      {"analyze --nonsense", "analyze: ", "", 0, "see mmreplay analyze --help"},
      {"analyze -o samples samples/x86-fired.tar.xz", "samples: is a directory", "samples", 0,
       "name of a file"},
      {"report README.md", "README.md: is not a database", "README.md", 0, "mmreplay analyze -o DB INPUT"},
      {"frobnicate", "frobnicate: no such command", "", 0, "see mmreplay --help"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.command);
    Run plain = Shell("$MMREPLAY " + one.command);
    CHECK(plain.exit_code == 2);
    CHECK(plain.out.empty());
    CHECK(plain.err.starts_with("mmreplay: " + one.message));
    CHECK(plain.err.find(one.next) != std::string::npos);
    for (const char* format : {"--format json", "--format=jsonl", "--form sarif"}) {
      Run run = Shell("$MMREPLAY " + one.command + " " + format);
      CAPTURE(format, run.out);
      CHECK(run.exit_code == 2);
      CHECK(run.err == plain.err);
      REQUIRE(std::count(run.out.begin(), run.out.end(), '\n') == 1);
      nlohmann::json error = nlohmann::json::parse(run.out)["error"];
      CHECK(error["message"].get<std::string>().starts_with(one.message));
      CHECK(error["file"] == (one.file.empty() ? nlohmann::json(nullptr) : nlohmann::json(one.file)));
      CHECK(error["line"] == (one.line == 0 ? nlohmann::json(nullptr) : nlohmann::json(one.line)));
      CHECK(error["next"].get<std::string>().find(one.next) != std::string::npos);
      std::string file = folder.Write("error.json", run.out);
      CHECK(Shell("python3 tests/validate.py error.schema.json " + file).exit_code == 0);
      CHECK(Shell("python3 tests/validate.py report-lines.schema.json --lines " + file).exit_code == 0);
    }
    // Nobody asked.
    CHECK(Shell("$MMREPLAY " + one.command + " --format junit").out.empty());
  }
  std::string db = folder.path() + "/race.db";
  REQUIRE(Shell("$MMREPLAY analyze -o " + db + " samples/x86-fired.tar.xz").exit_code == 1);
  nlohmann::json error = nlohmann::json::parse(
      Shell("$MMREPLAY query " + db + " 'SELECT id,\n  pfm FROM page_waits' --format json").out)["error"];
  CHECK(error["file"] == "query");
  CHECK(error["line"] == 2);
  CHECK(error["column"] == 3);
  CHECK(error["next"].get<std::string>().find("mmreplay query --help") != std::string::npos);
}

TEST_CASE("progress and speed are for terminals", "[manual]") {
  CHECK(Shell("$MMREPLAY analyze samples/x86-fired.tar.xz").err.empty());
  // script(1) gives the program one. Its report goes to a file.
  Run run =
      Shell("script -qec \"$MMREPLAY analyze samples/x86-fired.tar.xz > /dev/null\" /dev/null < /dev/null");
  CHECK(run.out.find(" events/s") != std::string::npos);
}

TEST_CASE("the cookbook's queries print what it shows", "[manual]") {
  TemporaryFolder folder;
  Playground playground;
  std::string cookbook = ReadFile(MMREPLAY_SOURCE_DIR "/db/README.md");
  // "    mmreplay analyze -o race.db samples/x86-fired.tar.xz       # ..."
  int databases = 0;
  ForEachLine(cookbook, [&](std::string_view line) {
    if (!line.starts_with("    mmreplay analyze -o ")) return;
    ++databases;
    CHECK(playground.Do(std::string(line)).exit_code <= 1);
  });
  CHECK(databases == 3);

  // A block of code and the block below it.
  auto for_each = [&](const std::string& language, auto check) {
    int blocks = 0;
    const std::string opening = "```" + language + "\n";
    for (size_t at = cookbook.find(opening); at != std::string::npos; at = cookbook.find(opening, at + 1)) {
      size_t code_start = at + opening.size();
      size_t code_end = cookbook.find("```\n```\n", code_start);
      REQUIRE(code_end != std::string::npos);
      size_t shown_start = code_end + 8;
      check(cookbook.substr(code_start, code_end - code_start),
            cookbook.substr(shown_start, cookbook.find("```", shown_start) - shown_start));
      ++blocks;
    }
    return blocks;
  };
  int queries = for_each("sql", [&](const std::string& sql, const std::string& shown) {
    std::string database = sql.substr(3, sql.find('\n') - 3);  // "-- race.db"
    playground.folder().Write("query.sql", sql);
    Run run = playground.Do("mmreplay query " + database + " \"$(cat query.sql)\"");
    CAPTURE(sql, run.err);
    CHECK(run.out == shown);
    // Nothing in it is ours alone.
    Run shell = playground.Do("sqlite3 -readonly " + database + " < query.sql");
    CHECK(shell.err.empty());
    CHECK(std::count(shell.out.begin(), shell.out.end(), '\n') + 2 ==
          std::count(shown.begin(), shown.end(), '\n'));
  });
  CHECK(queries >= 15);
  bool pandas = Shell("python3 -c 'import pandas'").exit_code == 0;
  int programs = for_each("python", [&](const std::string& code, const std::string& shown) {
    if (code.find("import pandas") != std::string::npos && !pandas) return;
    playground.folder().Write("program.py", code);
    Run run = playground.Do("python3 program.py");
    CAPTURE(code, run.err);
    CHECK(run.out == shown);
  });
  CHECK(programs == 2);
}

}  // namespace mmreplay
