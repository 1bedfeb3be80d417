// What sniffing and the scan share beyond the public header.
#pragma once

#include <locara/formats/byte_source.hpp>

namespace locara::formats {

/// Whether all of it is UTF-8 without NUL. Reads everything, in small blocks.
Result<bool> is_text(const ByteSource& source);

} // namespace locara::formats
