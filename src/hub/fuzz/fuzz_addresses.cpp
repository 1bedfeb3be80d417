// Addresses and ranges, and what proxies say of where a request came from. The input's lines are
// X-Forwarded-For fields; its first line is the peer, and its second a range of proxies.
#include "../client_address.hpp"

#include <algorithm>

using namespace locara;

namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        lines.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

void check_address(const std::string& text) {
    const auto address = hub::IpAddress::parse(text);
    if (!address) {
        return;
    }
    const std::string written = hub::render(*address);
    LOCARA_ASSERT(hub::IpAddress::parse(written) == address);
    LOCARA_ASSERT(address->is_v4() == (written.find(':') == std::string::npos));
    LOCARA_ASSERT(address->prefix(128) == *address);
    LOCARA_ASSERT(address->client().client() == address->client());
    // A range is what it says it is, by every bit of it.
    for (unsigned bits = 0; bits <= 128; ++bits) {
        const auto first = address->prefix(bits);
        LOCARA_ASSERT(first.prefix(bits) == first);
        LOCARA_ASSERT(!first.is_v4() || bits >= 96);
        const unsigned length = first.is_v4() ? bits - 96 : bits;
        const auto range =
            hub::AddressRange::parse(hub::render(first) + "/" + std::to_string(length));
        LOCARA_ASSERT(range && range->contains(*address) && range->contains(first));
    }
    const auto alone = hub::AddressRange::parse(text);
    LOCARA_ASSERT(alone && alone->contains(*address));
    LOCARA_ASSERT(!alone->contains(*hub::IpAddress::parse("203.0.113.77")) ||
                  written == "203.0.113.77");
}

/// Whether an address stands in a list of them.
bool is_listed(const hub::IpAddress& address, const std::vector<std::string>& lists) {
    for (const std::string& list : lists) {
        for (std::size_t begin = 0; begin <= list.size();) {
            const std::size_t end = std::min(list.find(',', begin), list.size());
            std::string one = list.substr(begin, end - begin);
            while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) {
                one.erase(0, 1);
            }
            while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) {
                one.pop_back();
            }
            if (hub::IpAddress::parse(one) == address) {
                return true;
            }
            begin = end + 1;
        }
    }
    return false;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::string> lines =
        lines_of(std::string_view(reinterpret_cast<const char*>(data), size));
    for (const std::string& line : lines) {
        check_address(line);
    }
    lines.resize(std::max<std::size_t>(lines.size(), 2));
    http::Request request;
    request.peer.address = lines[0];
    for (std::size_t i = 2; i < lines.size(); ++i) {
        request.headers.add("x-forwarded-FOR", lines[i]);
    }
    std::vector<std::string> told;
    for (const auto& [name, value] : request.headers.fields()) {
        told.push_back(value);
    }
    const auto peer = hub::IpAddress::parse(lines[0]).value_or(hub::IpAddress());
    const auto from_nobody = hub::client_address(request, {});
    LOCARA_ASSERT(from_nobody.address == peer && from_nobody.direct == told.empty());

    const auto range = hub::AddressRange::parse(lines[1]);
    if (!range) {
        LOCARA_ASSERT(range.error().code() == ErrorCode::InvalidArgument);
        return 0;
    }
    const std::vector<hub::AddressRange> proxies = {*range};
    const auto client = hub::client_address(request, proxies);
    LOCARA_ASSERT(client.direct == told.empty());
    LOCARA_ASSERT(client.address == peer || is_listed(client.address, told));
    LOCARA_ASSERT(range->contains(peer) || client.address == peer); // Strangers are not believed.
    // Who is believed is a proxy; what a client writes in front changes nothing.
    LOCARA_ASSERT(!hub::IpAddress::parse(lines[0]) || !range->contains(peer) ||
                  hub::is_proxy(request, proxies));
    if (!told.empty() && !range->contains(client.address) && client.address != peer) {
        http::Request forged = request;
        forged.headers.remove("X-Forwarded-For");
        forged.headers.add("X-Forwarded-For", "198.51.100.9, " + told.front());
        for (std::size_t i = 1; i < told.size(); ++i) {
            forged.headers.add("X-Forwarded-For", told[i]);
        }
        LOCARA_ASSERT(hub::client_address(forged, proxies).address == client.address);
    }
    return 0;
}
