// Pictures, sounds, videos, fonts and WebAssembly: where the layout that a file declares ends.
//
// One small walk for each family of containers, from part to part by the lengths that the file
// states. What is inside the parts is not looked at: nothing here decodes. Not walked: the frames
// of FLAC, which have no length.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/sniff.hpp>

#include <cstdint>

namespace locara::formats {

/// Whether walk_media() knows the kind.
bool is_media(Kind kind);

struct Layout {
    std::uint64_t end = 0; ///< Behind the last whole part and the zeros that pad it.
    bool whole = false;    ///< All parts that the layout asks for are there.
};

/// `kind` is what the file sniffs as, and is_media(). Memory does not depend on the file; a layout
/// of more than 4,000,000 parts is not whole. Io if a read fails.
Result<Layout> walk_media(const ByteSource& source, Kind kind);

} // namespace locara::formats
