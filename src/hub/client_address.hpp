// From where a request came, also behind proxies.
#pragma once

#include <locara/http/message.hpp>
#include <locara/hub/addresses.hpp>

#include <span>
#include <string>

namespace locara::hub {

/// An address, and whether it is known to be the client's own.
struct ClientAddress {
    IpAddress address;
    bool direct = true; ///< No proxy is in between, as far as the request tells.
};

/// The peer; or, if that is one of `proxies`, the last address of X-Forwarded-For that is none of
/// them: what stands before it is the client's word, and is not believed. What is no address there
/// ends the search, at the proxy that passed it on. A peer on a unix socket is ::.
ClientAddress client_address(const http::Request& request, std::span<const AddressRange> proxies);

/// Whether the peer is believed what it says of the way here (X-Forwarded-Proto): it is one of
/// `proxies`, or a program on this machine.
bool is_proxy(const http::Request& request, std::span<const AddressRange> proxies);

/// As inet_ntop(3) writes it, IPv4 as IPv4.
std::string render(const IpAddress& address);

} // namespace locara::hub
