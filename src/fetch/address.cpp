#include "fetch/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/check.h"

namespace sheaf::fetch {
namespace {

// IANA's registry of special-purpose addresses, and what clouds keep for themselves.
constexpr std::array kNotPublicV4{
    "0.0.0.0/8",         // this network
    "10.0.0.0/8",        // private
    "100.64.0.0/10",     // shared by carriers; some clouds' metadata
    "127.0.0.0/8",       // loopback
    "168.63.129.16/32",  // Azure's platform service, though in public space
    "169.254.0.0/16",    // link-local; most clouds' metadata
    "172.16.0.0/12",     // private
    "192.0.0.0/24",      // protocol assignments
    "192.0.2.0/24",      // documentation
    "192.31.196.0/24",   // AS112
    "192.52.193.0/24",   // AMT
    "192.88.99.0/24",    // 6to4 relays
    "192.168.0.0/16",    // private
    "192.175.48.0/24",   // AS112
    "198.18.0.0/15",     // benchmarking
    "198.51.100.0/24",   // documentation
    "203.0.113.0/24",    // documentation
    "224.0.0.0/4",       // multicast
    "240.0.0.0/4",       // reserved, and broadcast
};

// Of IPv6 only 2000::/3 is in use, and these are its special parts. All the rest is not public: unspecified,
// loopback, IPv4-compatible, discard, unique local, link-local, site-local, multicast.
constexpr std::string_view kGlobalV6 = "2000::/3";
constexpr std::array kNotPublicV6{
    "2001::/23",          // protocol assignments: Teredo, benchmarking, ORCHID
    "2001:db8::/32",      // documentation
    "2620:4f:8000::/48",  // AS112
    "3ffe::/16",          // 6bone, given back
    "3fff::/20",          // documentation
};

constexpr std::string_view kNat64 = "64:ff9b::/96";
constexpr std::string_view kSixToFour = "2002::/16";

// What a browser refuses, and the usual databases, caches and control planes.
constexpr std::array<std::uint16_t, 104> kRefusedPorts{
    0,    1,    7,    9,    11,   13,   15,   17,   19,   20,   21,    22,    23,    25,    37,
    42,   43,   53,   69,   77,   79,   87,   95,   101,  102,  103,   104,   109,   110,   111,
    113,  115,  117,  119,  123,  135,  137,  138,  139,  143,  161,   179,   389,   427,   445,
    465,  512,  513,  514,  515,  526,  530,  531,  532,  540,  548,   554,   556,   563,   587,
    601,  636,  873,  989,  990,  993,  995,  1433, 1521, 1719, 1720,  1723,  2049,  2181,  2375,
    2376, 2379, 2380, 3128, 3306, 3389, 3659, 4045, 4190, 5060, 5061,  5432,  5672,  5900,  5984,
    6000, 6379, 6443, 6566, 6667, 6697, 9042, 9092, 9200, 9300, 10080, 10250, 11211, 27017,
};

Network known_network(std::string_view text) {
    const auto network = parse_network(text);
    CHECK(network.has_value(), "a network of our own tables is one");
    return *network;
}

template <std::size_t count>
std::vector<Network> known_networks(const std::array<const char*, count>& texts) {
    std::vector<Network> networks;
    for (const char* const text : texts) networks.push_back(known_network(text));
    return networks;
}

IpAddress make_v4(const unsigned char* bytes) {
    IpAddress address;
    std::copy_n(bytes, 4, address.bytes.begin());
    return address;
}

IpAddress make_v6(const unsigned char* bytes) {
    constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(mapped.begin(), mapped.end(), bytes)) return make_v4(bytes + 12);
    IpAddress address{.is_v6 = true};
    std::copy_n(bytes, 16, address.bytes.begin());
    return address;
}

bool is_in(const IpAddress& address, const std::vector<Network>& networks) {
    return std::ranges::any_of(networks, [&](const Network& network) { return network.contains(address); });
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
    const std::string terminated(text);
    if (terminated.size() != std::strlen(terminated.c_str())) return std::nullopt;
    std::array<unsigned char, 16> bytes{};
    if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return make_v4(bytes.data());
    if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return make_v6(bytes.data());
    return std::nullopt;
}

std::optional<Endpoint> endpoint_of(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &address, sizeof in);
        return Endpoint{make_v4(reinterpret_cast<const unsigned char*>(&in.sin_addr)), ntohs(in.sin_port)};
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &address, sizeof in);
        return Endpoint{make_v6(in.sin6_addr.s6_addr), ntohs(in.sin6_port)};
    }
    return std::nullopt;
}

bool Network::contains(const IpAddress& address) const {
    if (address.is_v6 != base.is_v6) return false;
    for (unsigned bit = 0; bit < prefix_bits; bit += 8) {
        const unsigned left = std::min(8U, prefix_bits - bit);
        const auto mask = static_cast<unsigned char>(0xff00U >> left);
        if (((address.bytes[bit / 8] ^ base.bytes[bit / 8]) & mask) != 0) return false;
    }
    return true;
}

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const std::string_view address = text.substr(0, slash);
    const auto base = parse_ip(address);
    if (!base) return std::nullopt;
    // A prefix of ::ffff:0:0/96 counts other bits than one of IPv4.
    if (!base->is_v6 && address.find(':') != std::string_view::npos) return std::nullopt;
    Network network{.base = *base, .prefix_bits = base->is_v6 ? 128U : 32U};
    if (slash == std::string_view::npos) return network;
    const std::string_view digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return std::nullopt;
    if (bits > network.prefix_bits) return std::nullopt;
    network.prefix_bits = bits;
    return network;
}

bool is_public(const IpAddress& address) {
    static const std::vector<Network> not_public_v4 = known_networks(kNotPublicV4);
    static const std::vector<Network> not_public_v6 = known_networks(kNotPublicV6);
    static const Network global_v6 = known_network(kGlobalV6);
    static const Network nat64 = known_network(kNat64);
    static const Network six_to_four = known_network(kSixToFour);

    if (!address.is_v6) return !is_in(address, not_public_v4);
    if (nat64.contains(address)) return is_public(make_v4(address.bytes.data() + 12));
    if (six_to_four.contains(address)) return is_public(make_v4(address.bytes.data() + 2));
    return global_v6.contains(address) && !is_in(address, not_public_v6);
}

bool is_refused_port(std::uint16_t port) {
    return std::ranges::binary_search(kRefusedPorts, port);
}

Result<AddressRules> AddressRules::make(const std::vector<std::string>& allowed_networks) {
    AddressRules rules;
    for (const std::string& text : allowed_networks) {
        const auto network = parse_network(text);
        if (!network)
            return fail(ErrorCode::invalid, "\"" + text + "\" is not a network such as 10.0.0.0/8.");
        rules.allowed_.push_back(*network);
    }
    return rules;
}

bool AddressRules::allows(const Endpoint& endpoint) const {
    if (is_in(endpoint.address, allowed_)) return true;
    return is_public(endpoint.address) && !is_refused_port(endpoint.port);
}

}  // namespace sheaf::fetch
