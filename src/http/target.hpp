// The target of a request, taken apart. Apart from the server, so that it can be fuzzed.
#pragma once

#include <locara/http/message.hpp>

namespace locara::http {

/// Sets path, segments and query from the method and the target, which may be any bytes.
/// InvalidArgument when the target does not start with '/' (but for "*" of OPTIONS), and as
/// split_path and Query::parse; the path is set even then.
Status parse_target(Request& request);

} // namespace locara::http
