// Making and keeping chunk indexes. Private to the module.
#pragma once

#include "layout.hpp"

#include <locara/store/chunk_index.hpp>
#include <locara/xet/chunker.hpp>

namespace locara::store {

/// What index_file found, as an index without xorbs.
Result<IndexedFile> make_indexed(const crypto::Sha256Digest& digest, const xet::FileIndex& found);

/// Writes the index of a file, in place of what is there. Errors as ChunkIndex::render; NoSpace.
Status write_index(const Layout& layout, const IndexedFile& file);

} // namespace locara::store
