// Counts what a test program's own server sends by sendfile(2): linked in, its sendfile stands
// before that of libc.
#pragma once

#include <cstdint>

namespace locara::test {

/// Bytes that sendfile has moved in this process so far. Thread-safe.
std::uint64_t sendfile_bytes();

} // namespace locara::test
