// mmreplay_manual man DATE | bash | zsh: prints the manual page or a completion. Used by the build only.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "cli/manual.h"

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "";
  std::string text = what == "man" && argc > 2 ? mmreplay::ManualPage(argv[2])
                     : what == "bash"          ? mmreplay::BashCompletion()
                     : what == "zsh"           ? mmreplay::ZshCompletion()
                                               : "";
  fmt::print("{}", text);
  return text.empty() ? 2 : 0;
}
