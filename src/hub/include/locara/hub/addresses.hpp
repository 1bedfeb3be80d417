// IP addresses and ranges of them: who is a proxy, who may see the metrics, whom limits are for.
//
// Text as inet_pton(3) reads it; ranges as "10.0.0.0/8" or "2001:db8::/32" (RFC 4632, RFC 4291). An
// IPv4 address inside IPv6 ("::ffff:10.0.0.1") is that IPv4 address. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// 16 bytes, IPv4 as ::ffff:a.b.c.d.
class IpAddress {
  public:
    /// Nothing if the text is no IP address: a host name, a port, a zone.
    static std::optional<IpAddress> parse(std::string_view text);

    bool is_v4() const;

    /// The address with all but its first `bits` bits (of 128) cleared.
    IpAddress prefix(unsigned bits) const;

    /// What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, which one machine
    /// commonly has all of.
    IpAddress client() const { return is_v4() ? *this : prefix(64); }

    const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

    auto operator<=>(const IpAddress&) const = default;

  private:
    std::array<std::uint8_t, 16> bytes_{};
};

class AddressRange {
  public:
    /// An address, or one with "/bits". InvalidArgument with what was found; also if bits behind
    /// the prefix are set.
    static Result<AddressRange> parse(std::string_view text);

    bool contains(const IpAddress& address) const { return address.prefix(bits_) == first_; }

    bool operator==(const AddressRange&) const = default;

  private:
    IpAddress first_;
    unsigned bits_ = 128; ///< Of 128.
};

bool contains(std::span<const AddressRange> ranges, const IpAddress& address);

/// 127.0.0.0/8 and ::1.
std::vector<AddressRange> loopback();

} // namespace locara::hub
