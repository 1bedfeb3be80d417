// SHA-256 (FIPS 180-4, by OpenSSL): digests as a type, and hashing of streams, buffers and files.
//
// Threads: a Sha256 belongs to one thread; everything else is plain values.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/result.hpp>

#include <array>
#include <compare>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace locara::crypto {

/// A SHA-256 value. As text: 64 lower-case hex digits.
struct Sha256Digest {
    std::array<std::byte, 32> bytes{};

    /// Takes exactly 64 lower-case hex digits, InvalidArgument otherwise. Every digest that comes
    /// from outside passes here before it becomes part of a path.
    static Result<Sha256Digest> parse(std::string_view text);
    std::string render() const;

    auto operator<=>(const Sha256Digest&) const = default;
};

/// Hashes a stream: update as often as wanted, then finish once.
class Sha256 {
  public:
    Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void update(ByteView bytes);

    /// The digest of everything so far. The object is spent afterwards.
    Sha256Digest finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

Sha256Digest sha256(ByteView bytes);

/// Hashes an open file from its first to its last byte, in constant memory. `progress`, if given,
/// is called with the bytes of each block (a few hundred KiB); when it returns false the answer is
/// Cancelled.
Result<Sha256Digest> sha256_file(const Fd& fd,
                                 const std::function<bool(std::size_t)>& progress = nullptr);

} // namespace locara::crypto

template <> struct std::hash<locara::crypto::Sha256Digest> {
    std::size_t operator()(const locara::crypto::Sha256Digest& digest) const noexcept;
};
