#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "async/blocking.h"
#include "backend/backend.h"
#include "base/result.h"
#include "base/secret.h"

namespace sheaf::backend {

// Any OpenAI-compatible server with POST {url}/chat/completions and, for video, a vision model.
struct ChatOptions {
    std::string url;    // "http://127.0.0.1:8000/v1"
    std::string model;  // the name the server knows
    Secret key;         // sent as a bearer token, if not empty
    double frames_per_second = 1;
    std::uint32_t frames_max = 64;
    int long_edge_max = 640;
    std::chrono::milliseconds answer_time{600'000};
    std::uint32_t context_tokens = 0;  // 0: not known; the server refuses what does not fit
};
Result<std::unique_ptr<Backend>> make_chat_backend(async::Executor executor, ChatOptions options);

// Analyses the video itself, without a model. CPU-bound work runs on `lane`.
struct SceneOptions {
    double ocr_every_s = 2;  // at least one look for text per so many seconds, and one per shot
    std::uint32_t ocr_frames_max = 240;
};
std::unique_ptr<Backend> make_scene_backend(async::Lane& lane, SceneOptions options);

// Answers, delays and faults by rule.
struct ScriptedOptions {
    std::string answer = "scripted answer for {custom_id}";  // {custom_id}, {prompt}, {attempt} are replaced
    std::chrono::milliseconds delay{0};
    std::chrono::milliseconds delay_spread{0};  // added, uniform
    double fail_rate = 0;                       // of items that fail for good
    double broken_rate = 0;                     // of attempts that break
    double overload_rate = 0;                   // of attempts answered "slow down"
    std::uint64_t seed = 1;
};
std::unique_ptr<Backend> make_scripted_backend(ScriptedOptions options);

}  // namespace sheaf::backend
