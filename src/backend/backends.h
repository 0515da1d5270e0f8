#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/blocking.h"
#include "backend/admission.h"
#include "backend/backend.h"
#include "base/result.h"
#include "base/secret.h"
#include "core/inference.h"

namespace sheaf::backend {

// How a video is shown to a model.
struct SamplingOptions {
    double frames_per_second = 1;
    std::uint32_t frames_max = 64;
    int long_edge_max = 640;
    std::uint32_t context_tokens = 0;  // of the model; 0: not known; the server refuses what does not fit
};

// A model server that Sheaf starts when there is work for it, and stops again.
struct ManagedOptions {
    std::string name;                               // of the model, for the log
    std::vector<std::string> command;               // {port} in it stands for the port it is to serve on
    std::chrono::milliseconds start_time{600'000};  // until it answers
    std::chrono::milliseconds idle_time{600'000};   // without work, after which it is stopped
    std::chrono::milliseconds stop_grace{10'000};   // from SIGTERM to SIGKILL
    std::chrono::milliseconds first_wait{1'000};    // before it is started again; doubled each time
    std::chrono::milliseconds wait_max{60'000};
    std::vector<std::string> keeper{"/proc/self/exe", "model-keeper"};  // runs model_keeper_main
};
// The words of a command: parted by blanks, but for those between "…" or '…'. No shell reads it, and nothing
// else is special. invalid: a quote that does not end, or no word at all.
Result<std::vector<std::string>> split_command(std::string_view text);
// What the program named by `keeper` does: argv is its own name, any word, the grace in milliseconds and the
// command. It runs that, and kills it with all that it started when its standard input ends.
int model_keeper_main(int argc, char** argv);

// A model on one server or several, of any make that speaks HTTP: vLLM, SGLang, llama-server, Ollama, a
// vendor's own. A model request goes through untouched but for the model's name where the servers speak its
// protocol, and is translated to the first of Chat Completions, Messages and Responses that they speak where
// they do not. Videos are analysed through Chat Completions.
struct RelayOptions {
    std::vector<std::string> urls;  // "http://127.0.0.1:8000/v1"; none of a managed server
    std::optional<ManagedOptions> managed;
    std::string model;  // the name the servers know
    Secret key;         // sent as a bearer token, to /messages as x-api-key too; or empty
    std::vector<core::Protocol> protocols{core::Protocol::chat_completions, core::Protocol::embeddings};
    std::chrono::milliseconds answer_time{600'000};
    SamplingOptions sampling;
    std::optional<AdmissionRules> admission;  // of each server; nullopt: no limit of its own
};
// invalid: a URL that is none.
Result<std::unique_ptr<Backend>> make_relay_backend(async::Executor executor, RelayOptions options);

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
