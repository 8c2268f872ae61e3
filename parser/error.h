#pragma once

#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace mmreplay {

// What ends a run: an input that cannot be read, a rule that is wrong, a disk that is full. The
// text names the object first ("x.txt: is a directory"). Thrown by any module, caught in main.
class Error : public std::runtime_error {
 public:
  // One sentence: an end of a line in it is one of a name. `below`: lines to be shown below it.
  explicit Error(const std::string& what, std::vector<std::string> below = {})
      : std::runtime_error(what), below_(std::move(below)) {}

  const std::vector<std::string>& below() const { return below_; }

 private:
  std::vector<std::string> below_;
};

// What the system says of an errno: "No such file or directory".
inline std::string Reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace mmreplay
