#pragma once

#include <string_view>

#include "db/embedded_sql.h"

namespace mmreplay {

// samples/capture/mmreplay-capture, compiled in.
std::string_view CaptureScript();

}  // namespace mmreplay
