#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace mmreplay {

// What ends a run: an input that cannot be read, a rule that is wrong, a disk that is full. The
// text names the object first ("x.txt: is a directory"). Thrown by any module, caught in main.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the system says of an errno: "No such file or directory".
inline std::string Reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace mmreplay
