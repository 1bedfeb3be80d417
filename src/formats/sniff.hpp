// What the scan asks of sniffing beyond the kind.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/sniff.hpp>

#include <string_view>

namespace locara::formats {

/// A row of the table of kinds.
struct KindRow {
    Kind kind;
    std::string_view name; ///< As in verdicts: "gguf", "7z", ...
    std::string_view rule; ///< What the gate says of every file of this kind; empty: look into it.
};

const KindRow& row_of(Kind kind);

enum class Controls {
    Layout, ///< Tab, newline, form feed, carriage return and escape.
    Any,    ///< All but NUL.
};

/// Whether all of the source is UTF-8 with no other control characters than these. Io if a read
/// fails.
Result<bool> is_text(const ByteSource& source, Controls controls = Controls::Layout);

/// Whether an HDF5 signature stands where readers look for one: at 0, 512, 1024, 2048 and so on.
/// Io if a read fails.
Result<bool> holds_hdf5(const ByteSource& source);

} // namespace locara::formats
