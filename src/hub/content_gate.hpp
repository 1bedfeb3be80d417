// The gate before content becomes part of a revision, whichever way it came.
#pragma once

#include "services.hpp"

#include <locara/formats/byte_source.hpp>

#include <string_view>

namespace locara::hub {

/// A file of the chunk store, as the gate reads it: by ranges. Borrows the store.
class StoredSource final : public formats::ByteSource {
  public:
    StoredSource(const cas::Cas& cas, const xet::FileHash& file, std::uint64_t size)
        : cas_(cas), file_(file), size_(size) {}

    std::uint64_t size() const override { return size_; }

    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

  private:
    const cas::Cas& cas_;
    const xet::FileHash file_;
    const std::uint64_t size_;
};

/// Asks the gate. Refused, with path, reason and rule, if it refuses; what it flags is kept: a
/// curator decides whether it is ever listed. Blocks: for the pool only.
Status
pass_gate(const Services& services, const formats::ByteSource& content, std::string_view path);

} // namespace locara::hub
