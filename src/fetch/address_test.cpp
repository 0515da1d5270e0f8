#include "fetch/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace sheaf::fetch {
namespace {

struct Case {
    const char* text;
    bool is_public;
};

constexpr std::array kCases{
    Case{"0.0.0.0", false},
    Case{"0.1.2.3", false},
    Case{"1.1.1.1", true},
    Case{"8.8.8.8", true},
    Case{"9.255.255.255", true},
    Case{"10.0.0.0", false},
    Case{"10.255.255.255", false},
    Case{"11.0.0.0", true},
    Case{"100.63.255.255", true},
    Case{"100.64.0.0", false},
    Case{"100.100.100.200", false},
    Case{"100.127.255.255", false},
    Case{"100.128.0.0", true},
    Case{"126.255.255.255", true},
    Case{"127.0.0.1", false},
    Case{"127.255.255.254", false},
    Case{"128.0.0.1", true},
    Case{"168.63.129.15", true},
    Case{"168.63.129.16", false},
    Case{"169.253.255.255", true},
    Case{"169.254.0.0", false},
    Case{"169.254.169.254", false},
    Case{"169.255.0.0", true},
    Case{"172.15.255.255", true},
    Case{"172.16.0.1", false},
    Case{"172.31.255.255", false},
    Case{"172.32.0.0", true},
    Case{"192.0.0.1", false},
    Case{"192.0.0.192", false},
    Case{"192.0.1.1", true},
    Case{"192.0.2.1", false},
    Case{"192.0.3.1", true},
    Case{"192.88.99.1", false},
    Case{"192.88.100.1", true},
    Case{"192.167.255.255", true},
    Case{"192.168.0.1", false},
    Case{"192.168.255.255", false},
    Case{"192.169.0.0", true},
    Case{"198.17.255.255", true},
    Case{"198.18.0.1", false},
    Case{"198.19.255.255", false},
    Case{"198.20.0.0", true},
    Case{"198.51.99.255", true},
    Case{"198.51.100.1", false},
    Case{"203.0.112.255", true},
    Case{"203.0.113.77", false},
    Case{"223.255.255.255", true},
    Case{"224.0.0.1", false},
    Case{"239.255.255.255", false},
    Case{"240.0.0.1", false},
    Case{"255.255.255.255", false},
    Case{"::", false},
    Case{"::1", false},
    Case{"::2", false},
    Case{"::7f00:1", false},
    Case{"::127.0.0.1", false},
    Case{"::8.8.8.8", false},
    Case{"::ffff:127.0.0.1", false},
    Case{"::ffff:10.1.2.3", false},
    Case{"::ffff:a9fe:a9fe", false},
    Case{"::ffff:8.8.8.8", true},
    Case{"0:0:0:0:0:ffff:7f00:1", false},
    Case{"::ffff:0:127.0.0.1", false},
    Case{"64:ff9b::10.0.0.1", false},
    Case{"64:ff9b::a9fe:a9fe", false},
    Case{"64:ff9b::8.8.8.8", true},
    Case{"64:ff9b:1::8.8.8.8", false},
    Case{"100::1", false},
    Case{"2000::1", true},
    Case{"2001::1", false},
    Case{"2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
    Case{"2001:10::1", false},
    Case{"2001:20::1", false},
    Case{"2001:1ff:ffff::1", false},
    Case{"2001:200::1", true},
    Case{"2001:4860:4860::8888", true},
    Case{"2001:db8::1", false},
    Case{"2001:db9::1", true},
    Case{"2002:7f00:1::", false},
    Case{"2002:c0a8:101::1", false},
    Case{"2002:808:808::1", true},
    Case{"2606:4700:4700::1111", true},
    Case{"3ffe::1", false},
    Case{"3fff::1", false},
    Case{"3fff:1000::1", true},
    Case{"4000::1", false},
    Case{"5f00::1", false},
    Case{"fc00::1", false},
    Case{"fd00:ec2::254", false},
    Case{"fdff:ffff::1", false},
    Case{"fe80::1", false},
    Case{"febf::1", false},
    Case{"fec0::1", false},
    Case{"ff02::1", false},
    Case{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
};

TEST(IsPublic, EveryKindOfAddressAndItsEdges) {
    for (const Case& one : kCases) {
        const auto address = parse_ip(one.text);
        ASSERT_TRUE(address) << one.text;
        EXPECT_EQ(is_public(*address), one.is_public) << one.text;
    }
}

TEST(ParseIp, TakesNoLooseForms) {
    for (const char* const text :
         {"", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.", " 127.0.0.1", "127.0.0.1\n",
          "127.0.0.256", "1.2.3.4.5", "[::1]", "fe80::1%eth0", "localhost", "::1/128", "1:2:3:4:5:6:7:8:9",
          "010.0.0.1"}) {
        EXPECT_FALSE(parse_ip(text)) << text;
    }
    EXPECT_FALSE(parse_ip(std::string_view("127.0.0.1\0", 10)));
}

TEST(ParseNetwork, TakesBothFamiliesAndSingleAddresses) {
    EXPECT_TRUE(parse_network("10.0.0.0/8")->contains(*parse_ip("10.200.0.1")));
    EXPECT_FALSE(parse_network("10.0.0.0/8")->contains(*parse_ip("11.0.0.1")));
    EXPECT_TRUE(parse_network("10.1.2.3/9")->contains(*parse_ip("10.127.0.1")));
    EXPECT_FALSE(parse_network("10.1.2.3/9")->contains(*parse_ip("10.128.0.1")));
    EXPECT_TRUE(parse_network("127.0.0.1")->contains(*parse_ip("::ffff:127.0.0.1")));
    EXPECT_FALSE(parse_network("127.0.0.1")->contains(*parse_ip("127.0.0.2")));
    EXPECT_TRUE(parse_network("fd00::/8")->contains(*parse_ip("fdab::1")));
    EXPECT_FALSE(parse_network("::/0")->contains(*parse_ip("10.0.0.1"))) << "the families are apart";
    EXPECT_TRUE(parse_network("0.0.0.0/0")->contains(*parse_ip("255.0.0.1")));
    for (const char* const text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1",
                                   "10.0.0.0/8x", "10/8", "::ffff:10.0.0.0/104", "ten"}) {
        EXPECT_FALSE(parse_network(text)) << text;
    }
}

TEST(AddressRules, AnAllowedNetworkOpensItsPortsAndNothingElse) {
    const auto rules = AddressRules::make({"10.1.0.0/16"});
    ASSERT_TRUE(rules);
    EXPECT_TRUE(rules->allows({*parse_ip("10.1.2.3"), 6379}));
    EXPECT_FALSE(rules->allows({*parse_ip("10.2.2.3"), 80}));
    EXPECT_TRUE(rules->allows({*parse_ip("8.8.8.8"), 80}));
    EXPECT_TRUE(rules->allows({*parse_ip("8.8.8.8"), 8443}));
    for (const std::uint16_t port :
         std::initializer_list<std::uint16_t>{0, 22, 25, 53, 3306, 5432, 6379, 11211, 27017}) {
        EXPECT_FALSE(rules->allows({*parse_ip("8.8.8.8"), port})) << port;
    }
    EXPECT_FALSE(AddressRules::make({"10.0.0.0/8", "nonsense"}));
}

TEST(EndpointOf, ReadsWhatTheKernelWouldConnectTo) {
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = htons(8080);
    ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
    const auto endpoint = endpoint_of(reinterpret_cast<const sockaddr&>(mapped));
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(endpoint->address, *parse_ip("127.0.0.1"));
    EXPECT_EQ(endpoint->port, 8080);

    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    EXPECT_FALSE(endpoint_of(reinterpret_cast<const sockaddr&>(local)));
}

}  // namespace
}  // namespace sheaf::fetch
