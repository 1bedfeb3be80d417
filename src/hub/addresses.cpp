#include <locara/hub/addresses.hpp>

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace locara::hub {
namespace {

constexpr std::size_t kAddressBytes = 45; // INET6_ADDRSTRLEN without its NUL
constexpr unsigned kV4Bits = 96;          // in front of an IPv4 address

} // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.empty() || text.size() > kAddressBytes || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    const std::string copy(text);
    IpAddress address;
    if (::inet_pton(AF_INET6, copy.c_str(), address.bytes_.data()) == 1) {
        return address;
    }
    address.bytes_ = {};
    address.bytes_[10] = address.bytes_[11] = 0xff;
    if (::inet_pton(AF_INET, copy.c_str(), address.bytes_.data() + kV4Bits / 8) == 1) {
        return address;
    }
    return std::nullopt;
}

bool IpAddress::is_v4() const {
    constexpr std::array<std::uint8_t, kV4Bits / 8> kMapped = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin());
}

IpAddress IpAddress::prefix(unsigned bits) const {
    IpAddress out = *this;
    for (unsigned i = 0; i < out.bytes_.size(); ++i) {
        const unsigned kept = bits > i * 8 ? std::min(bits - i * 8, 8U) : 0;
        out.bytes_[i] = static_cast<std::uint8_t>(out.bytes_[i] & (0xff00U >> kept));
    }
    return out;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
    const auto bad = [&](const char* why) {
        return Error(ErrorCode::InvalidArgument,
                     "found \"" + std::string(text.substr(0, 60)) + "\", " + why +
                         "; write an IP address or a range such as 10.0.0.0/8");
    };
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) {
        return bad("which is no address");
    }
    AddressRange range;
    range.first_ = *address;
    if (slash != std::string_view::npos) {
        const std::string_view length = text.substr(slash + 1);
        const unsigned before = address->is_v4() ? kV4Bits : 0;
        unsigned bits = 0;
        const auto [end, error] =
            std::from_chars(length.data(), length.data() + length.size(), bits);
        if (error != std::errc() || end != length.data() + length.size() || bits > 128 - before) {
            return bad("whose length is out of range");
        }
        range.bits_ = before + bits;
        if (address->prefix(range.bits_) != *address) {
            return bad("which has bits set behind its length");
        }
    }
    return range;
}

bool contains(std::span<const AddressRange> ranges, const IpAddress& address) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& range) {
        return range.contains(address);
    });
}

std::vector<AddressRange> loopback() {
    return {*AddressRange::parse("127.0.0.0/8"), *AddressRange::parse("::1")};
}

} // namespace locara::hub
