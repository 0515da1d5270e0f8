#include "app/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sheaf::app {
namespace {

using namespace std::chrono_literals;

std::string fault_of(std::string_view toml) {
    const auto config = parse_config(toml, "test.toml");
    return config ? "none" : config.error().message;
}

TEST(Config, WithoutAnythingTheEmbeddedModelsServe) {
    const auto config = parse_config("", "defaults");
    ASSERT_TRUE(config);
    ASSERT_EQ(config->models.size(), 2U);
    EXPECT_EQ(config->models[0].name, "pegasus1.5");
    EXPECT_EQ(config->models[0].backend, BackendKind::scene);
    EXPECT_EQ(config->models[1].name, "practice");
    EXPECT_EQ(config->models[1].backend, BackendKind::scripted);
    EXPECT_EQ(config->listen, "127.0.0.1:8080") << "loopback unless told otherwise";
}

TEST(Config, ReadsWhatTheVendorsMayBeSetTo) {
    const auto config = parse_config(R"(
        v1_batches = "sail"
        [limits]
        batch_time_s = 60
        [anthropic]
        refuses_sampling = true
        batch_items_max = 5
        [openai]
        batch_lines_max = 7
        [sail]
        batch_bytes_max = 5000
    )",
                                     "test.toml");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->v1_batches, dialect::SharedList::sail);
    EXPECT_TRUE(config->anthropic_refuses_sampling);
    EXPECT_EQ(config->anthropic.batch_items_max, 5U);
    EXPECT_EQ(config->anthropic.batch_time, 60s) << "what expires does so after the same time everywhere";
    EXPECT_EQ(config->openai.batch_time, 60s);
    EXPECT_EQ(config->openai.lines_max, 7U);
    EXPECT_EQ(config->sail.body_bytes_max, 5000U);
    EXPECT_NE(fault_of("v1_batches = \"other\""), "none");
    EXPECT_NE(fault_of("[anthropic]\nrefuses_sampling = 1"), "none");
}

TEST(Config, ReadsWhatIsSet) {
    const auto config = parse_config(R"(
        listen = "0.0.0.0:9000"
        data = "/srv/sheaf"
        stop_grace_s = 2.5
        [limits]
        batch_time_s = 3
        active_batches_max = 7
        [fetch]
        allowed_networks = ["10.0.0.0/8"]
        [[model]]
        name = "practice"
        backend = "scripted"
        delay_ms = 20
        fail_rate = 0.25
        concurrency = 64
    )",
                                     "test.toml");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->data, "/srv/sheaf");
    EXPECT_EQ(config->stop_grace, 2500ms);
    EXPECT_EQ(config->limits.batch_time, 3s);
    EXPECT_EQ(config->limits.active_batches_max, 7U);
    EXPECT_EQ(config->fetch.allowed_networks, (std::vector<std::string>{"10.0.0.0/8"}));
    ASSERT_EQ(config->models.size(), 1U);
    EXPECT_EQ(config->models[0].scripted.delay, 20ms);
    EXPECT_EQ(config->models[0].concurrency, 64U);
    EXPECT_EQ(config->models[0].live_concurrency, 16U);
}

TEST(Config, WebhooksReachPublicAddressesAloneUnlessToldOtherwise) {
    EXPECT_TRUE(parse_config("", "defaults")->webhook_posts.allowed_networks.empty());
    const auto named = parse_config("[webhooks]\nallowed_networks = [\"10.1.0.0/16\"]", "test.toml");
    ASSERT_TRUE(named) << named.error().message;
    EXPECT_EQ(named->webhook_posts.allowed_networks, std::vector<std::string>{"10.1.0.0/16"});
    const auto all = parse_config("[webhooks]\nallow_private = true", "test.toml");
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(all->webhook_posts.allowed_networks, (std::vector<std::string>{"0.0.0.0/0", "::/0"}));
}

TEST(Config, WaitsBetweenAttemptsAreAnArrayOfSeconds) {
    const auto config = parse_config("[webhooks]\nretry_waits_s = [0.5, 30]\nanswer_time_s = 3", "test.toml");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->webhooks.webhook_retries.waits, (std::vector<std::chrono::milliseconds>{500ms, 30s}));
    EXPECT_EQ(config->webhooks.webhook_time, 3s);
    for (const char* const bad : {"5", "[\"5\"]", "[-1]", "[true]", "[1, [2]]"}) {
        EXPECT_EQ(fault_of(std::string("[webhooks]\nretry_waits_s = ") + bad),
                  "webhooks: retry_waits_s must be an array of numbers of seconds")
            << bad;
    }
}

TEST(Config, WhatIsWrongIsNamed) {
    EXPECT_EQ(fault_of("lissten = \"x\""), "lissten is not a setting");
    EXPECT_EQ(fault_of("[limits]\nbatch_tims_s = 1"), "limits.batch_tims_s is not a setting");
    EXPECT_EQ(fault_of("listen = 8080"), "listen must be a string");
    EXPECT_EQ(fault_of("[limits]\nactive_batches_max = 1.5"),
              "limits: active_batches_max must be a whole number");
    EXPECT_EQ(fault_of("[[model]]\nname = \"x\"\nbackend = \"magic\""),
              "model[0]: backend must be \"chat\", \"messages\", \"responses\", \"scene\" or \"scripted\", "
              "not \"magic\"");
    EXPECT_EQ(fault_of("[[model]]\nbackend = \"scene\""), "model[0]: every [[model]] needs a name");
    EXPECT_EQ(fault_of("[[model]]\nname = \"a\"\n[[model]]\nname = \"a\""),
              "two [[model]] entries are named \"a\"");
    EXPECT_EQ(fault_of("[[model]]\nname = \"a\"\nbackend = \"scripted\"\nfail_rate = 2"),
              "model[0]: fail_rate must be from 0 to 1, not 2");
    EXPECT_NE(fault_of("listen = ").find("line 1"), std::string::npos);
}

// A model on servers, with further settings.
std::string a_model(std::string_view backend, std::string_view more) {
    return fmt::format("[[model]]\nname = \"a\"\nmodel = \"b\"\nbackend = \"{}\"\n{}", backend, more);
}

std::vector<core::Protocol> protocols_of(std::string_view backend, std::string_view more) {
    const auto config =
        parse_config(a_model(backend, "url = \"http://h/v1\"\n" + std::string(more)), "test.toml");
    EXPECT_TRUE(config) << config.error().message;
    return config ? config->models[0].relay.protocols : std::vector<core::Protocol>{};
}

TEST(Config, AKindOfServerSpeaksItsProtocolUnlessMoreAreNamed) {
    using enum core::Protocol;
    using Protocols = std::vector<core::Protocol>;
    EXPECT_EQ(protocols_of("chat", ""), (Protocols{chat_completions, embeddings}));
    EXPECT_EQ(protocols_of("messages", ""), Protocols{messages});
    EXPECT_EQ(protocols_of("responses", ""), Protocols{responses});
    EXPECT_EQ(protocols_of("chat", "protocols = [\"messages\", \"chat\", \"chat\"]"),
              (Protocols{messages, chat_completions}));
}

TEST(Config, AModelMayHaveSeveralServers) {
    const auto config =
        parse_config(a_model("chat", "urls = [\"http://a:1/v1\", \"http://b:2/v1\"]"), "test.toml");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->models[0].relay.urls, (std::vector<std::string>{"http://a:1/v1", "http://b:2/v1"}));
}

TEST(Config, HowManyCallsServersGetAtOnceIsFoundOutUnlessANumberIsGiven) {
    const auto model = [](std::string_view more) {
        const auto config = parse_config(
            a_model("chat", "urls = [\"http://a:1/v1\", \"http://b:2/v1\"]\n" + std::string(more)),
            "test.toml");
        EXPECT_TRUE(config) << config.error().message;
        return config->models[0];
    };
    for (const auto* word : {"", "concurrency = \"auto\""}) {
        ASSERT_TRUE(model(word).relay.admission) << word;
        EXPECT_EQ(model(word).relay.admission->most, 1024U);
        EXPECT_EQ(model(word).concurrency, 2048U) << "of each server";
    }
    EXPECT_EQ(model("concurrency_max = 10").relay.admission->most, 10U);
    EXPECT_FALSE(model("concurrency = 64").relay.admission);
    EXPECT_EQ(model("concurrency = 64").concurrency, 64U);
    EXPECT_EQ(fault_of(a_model("chat", "url = \"http://h/v1\"\nconcurrency = \"many\"")),
              "model[0]: concurrency must be a number or \"auto\"");
    EXPECT_EQ(fault_of(a_model("chat", "url = \"http://h/v1\"\nconcurrency = true")),
              "model[0]: concurrency must be a number");
    EXPECT_EQ(fault_of("[[model]]\nname = \"a\"\nbackend = \"scripted\"\nconcurrency = \"auto\""),
              "model[0]: concurrency must be a number: \"auto\" is for model servers");
}

TEST(Config, AModelServerMayBeACommandToStart) {
    using Words = std::vector<std::string>;
    for (const auto* command : {"command = \"serve 'a b' --port {port}\"",
                                "command = [\"serve\", \"a b\", \"--port\", \"{port}\"]"}) {
        const auto config = parse_config(
            a_model("chat", std::string(command) + "\nidle_time_s = 5\nstart_time_s = 7"), "test.toml");
        ASSERT_TRUE(config) << config.error().message;
        const auto& managed = config->models[0].relay.managed;
        ASSERT_TRUE(managed);
        EXPECT_EQ(managed->command, (Words{"serve", "a b", "--port", "{port}"}));
        EXPECT_EQ(managed->name, "a");
        EXPECT_EQ(managed->idle_time, 5s);
        EXPECT_EQ(managed->start_time, 7s);
        EXPECT_EQ(config->models[0].concurrency, 1024U);
    }
    EXPECT_EQ(fault_of(a_model("chat", "command = \"serve\"")),
              "model[0]: command must say by {port} where the server is to listen");
    EXPECT_EQ(fault_of(a_model("chat", "command = \"serve '{port}\"")),
              "model[0]: a quote in the command does not end");
    EXPECT_EQ(fault_of(a_model("chat", "command = \"serve {port}\"\nurl = \"http://h/v1\"")),
              "model[0]: url is for a server that runs, command for one to start: set one of them");
    EXPECT_EQ(fault_of(a_model("chat", "url = \"http://h/v1\"\nidle_time_s = 5")),
              "model[0].idle_time_s is not a setting");
}

TEST(Config, WhatIsWrongWithAModelServerIsNamed) {
    EXPECT_EQ(fault_of(a_model("messages", "")),
              "model[0]: a model server needs url = \"http://host:port/v1\"");
    EXPECT_EQ(fault_of("[[model]]\nname = \"a\"\nbackend = \"chat\"\nurl = \"http://h/v1\""),
              "model[0]: a model server needs model = \"the name the server knows\"");
    EXPECT_EQ(fault_of(a_model("chat", "url = \"http://h/v1\"\nurls = [\"http://i/v1\"]")),
              "model[0]: url is for one server, urls for several: set one of them");
    EXPECT_EQ(fault_of(a_model("chat", "urls = [\"http://h/v1\", \"http://h/v1\"]")),
              "model[0]: urls names a server twice");
    EXPECT_EQ(fault_of(a_model("chat", "urls = \"http://h/v1\"")),
              "model[0]: urls must be an array of strings");
    EXPECT_EQ(fault_of(a_model("chat", "url = \"http://h/v1\"\nprotocols = [\"chat\", \"grpc\"]")),
              "model[0]: protocols may name \"chat\", \"messages\", \"responses\" and \"embeddings\", not "
              "\"grpc\"");
    EXPECT_EQ(fault_of(a_model("responses", "url = \"http://h/v1\"\nprotocols = [\"chat\"]")),
              "model[0]: protocols must name \"responses\" when backend = \"responses\"");
    EXPECT_EQ(fault_of(a_model("scripted", "url = \"http://h/v1\"")), "model[0].model is not a setting");
}

TEST(Config, AddressesHaveAHostAndAPort) {
    EXPECT_EQ(parse_address("127.0.0.1:0")->port, 0);
    EXPECT_EQ(parse_address("[::1]:8080")->host, "::1");
    EXPECT_EQ(parse_address("localhost:65535")->port, 65535);
    for (const char* bad : {"", "8080", ":8080", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:80x"}) {
        EXPECT_FALSE(parse_address(bad)) << bad;
    }
}

}  // namespace
}  // namespace sheaf::app
