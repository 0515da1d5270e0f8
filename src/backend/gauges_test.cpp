#include "backend/gauges.h"

#include <gtest/gtest.h>

namespace sheaf::backend {
namespace {

TEST(ParseGauges, ReadsWhatVllmShows) {
    const auto gauges = parse_gauges(
        "# HELP vllm:num_requests_running Number of requests.\n"
        "# TYPE vllm:num_requests_running gauge\n"
        "vllm:num_requests_running{engine=\"0\",model_name=\"a \\\"}\\\" b\"} 12.0\n"
        "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 3.0\n"
        "vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 99\n"
        "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.25\n"
        "vllm:e2e_request_latency_seconds_bucket{le=\"+Inf\"} 7\n");
    ASSERT_TRUE(gauges);
    EXPECT_EQ(gauges->running, 12);
    EXPECT_EQ(gauges->waiting, 3);
    EXPECT_EQ(gauges->cache_use, 0.25);
}

TEST(ParseGauges, SumsSeveralEngines) {
    const auto gauges = parse_gauges(
        "vllm:num_requests_running{engine=\"0\"} 12\nvllm:num_requests_running{engine=\"1\"} 8\r\n"
        "vllm:num_requests_waiting{engine=\"0\"} 1 1700000000\nvllm:num_requests_waiting{engine=\"1\"} 2\n"
        "vllm:gpu_cache_usage_perc{engine=\"0\"} 0.5\nvllm:gpu_cache_usage_perc{engine=\"1\"} 0.75");
    ASSERT_TRUE(gauges);
    EXPECT_EQ(gauges->running, 20);
    EXPECT_EQ(gauges->waiting, 3);
    EXPECT_EQ(gauges->cache_use, 0.75);
}

TEST(ParseGauges, KnowsSglangAndLlamaServer) {
    const auto sglang = parse_gauges(
        "sglang:num_running_reqs{model_name=\"m\"} 4.0\nsglang:num_queue_reqs{model_name=\"m\"} 1.0\n"
        "sglang:token_usage{model_name=\"m\"} 0.28\n");
    ASSERT_TRUE(sglang);
    EXPECT_EQ(sglang->running, 4);
    EXPECT_EQ(sglang->cache_use, 0.28);
    const auto llama = parse_gauges("llamacpp:requests_processing 2\nllamacpp:requests_deferred 5\n");
    ASSERT_TRUE(llama);
    EXPECT_EQ(llama->waiting, 5);
    EXPECT_EQ(llama->cache_use, std::nullopt);
}

TEST(ParseGauges, WhatIsNoSuchPageTellsNothing) {
    for (const auto* page :
         {"", "{\"error\":\"no\"}", "process_cpu_seconds_total 4\n", "vllm:num_requests_running 3\n",
          "vllm:num_requests_running{a=\"b 3\nvllm:num_requests_waiting NaN\n", "\n\n#\n{} 1\n"})
        EXPECT_FALSE(parse_gauges(page)) << page;
}

}  // namespace
}  // namespace sheaf::backend
