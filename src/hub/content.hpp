// A file of the chunk store as the body of an answer.
#pragma once

#include <locara/cas/cas.hpp>
#include <locara/http/message.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>

namespace locara::hub {

/// Any range of the file: raw chunks leave by sendfile, packed ones are unpacked on the way. The
/// store is borrowed until the body is sent. Opened only when its bytes are asked for.
http::RangedBody open_content(const cas::Cas& cas, const xet::FileHash& file, std::uint64_t size);

} // namespace locara::hub
