#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sockaddr;

// Which addresses a client may make us connect to. Pure: no look-ups, no packets.
namespace sheaf::fetch {

// In network order. An IPv4 address that is written as an IPv6 one (::ffff:10.0.0.1) is the IPv4 address.
struct IpAddress {
    bool is_v6 = false;
    std::array<unsigned char, 16> bytes{};  // the first four of IPv4
    bool operator==(const IpAddress&) const = default;
};

// Dotted decimal with four numbers, or IPv6 without brackets and without a zone. Nothing else.
std::optional<IpAddress> parse_ip(std::string_view text);

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
};
// Nullopt for anything but IPv4 and IPv6.
std::optional<Endpoint> endpoint_of(const sockaddr& address);

// "10.0.0.0/8", or a single address.
struct Network {
    IpAddress base;
    unsigned prefix_bits = 0;
    bool contains(const IpAddress& address) const;
};
std::optional<Network> parse_network(std::string_view text);

// Whether the address belongs to the public internet: not private, loopback, link-local, shared, reserved,
// documentation, multicast or a cloud platform's own. Addresses that carry an IPv4 one (NAT64, 6to4) are as
// public as that. Unknown kinds are not public.
bool is_public(const IpAddress& address);

// Ports of services that are no web servers but could be made to do things by a request: mail, SSH,
// databases.
bool is_refused_port(std::uint16_t port);

class AddressRules {
public:
    // invalid: one of the networks is none.
    static Result<AddressRules> make(const std::vector<std::string>& allowed_networks);
    // In an allowed network; or public, and not a refused port.
    bool allows(const Endpoint& endpoint) const;

private:
    std::vector<Network> allowed_;
};

}  // namespace sheaf::fetch
