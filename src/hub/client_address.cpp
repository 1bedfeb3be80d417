#include "client_address.hpp"

#include <locara/base/ascii.hpp>

#include <arpa/inet.h>

namespace locara::hub {
namespace {

std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

} // namespace

ClientAddress client_address(const http::Request& request, std::span<const AddressRange> proxies) {
    ClientAddress client;
    client.address = IpAddress::parse(request.peer.address).value_or(IpAddress());
    // Several fields are one list, in their order (RFC 9110, section 5.3): from the last backwards.
    const auto& fields = request.headers.fields();
    for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
        if (!equals_ignoring_case(field->first, "X-Forwarded-For")) {
            continue;
        }
        client.direct = false;
        std::string_view list = field->second;
        while (contains(proxies, client.address)) {
            const std::size_t comma = list.rfind(',');
            const auto before = IpAddress::parse(
                trim(list.substr(comma == std::string_view::npos ? 0 : comma + 1)));
            if (!before) {
                return client;
            }
            client.address = *before;
            if (comma == std::string_view::npos) {
                break;
            }
            list = list.substr(0, comma);
        }
    }
    return client;
}

bool is_proxy(const http::Request& request, std::span<const AddressRange> proxies) {
    static const std::vector<AddressRange> kHere = loopback();
    const auto peer = IpAddress::parse(request.peer.address);
    return peer && (contains(proxies, *peer) || contains(kHere, *peer));
}

std::string render(const IpAddress& address) {
    char text[INET6_ADDRSTRLEN] = "";
    const std::uint8_t* const bytes = address.bytes().data();
    if (address.is_v4()) {
        ::inet_ntop(AF_INET, bytes + 12, text, sizeof text);
    } else {
        ::inet_ntop(AF_INET6, bytes, text, sizeof text);
    }
    return text;
}

} // namespace locara::hub
