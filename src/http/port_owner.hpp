// Who listens on a TCP port, as far as /proc tells an ordinary user.
#pragma once

#include <cstdint>
#include <string>

namespace locara::http {

/// " (held by process 4711, 'nginx')", or empty when nobody says. Reads /proc/net/tcp, tcp6 and the
/// descriptors of the processes we may look at (proc(5)). For error messages only.
std::string describe_port_owner(std::uint16_t port);

} // namespace locara::http
