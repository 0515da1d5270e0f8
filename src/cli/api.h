#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/secret.h"
#include "cli/failure.h"
#include "cli/request_file.h"
#include "http/client.h"

namespace sheaf::cli {

// Where a chunk goes: a URL that is signed and needs no key.
struct ChunkUrl {
    std::uint32_t chunk_index = 0;  // from 1
    std::string url;
};

struct UploadSession {
    std::string upload_id;
    std::string asset_id;
    std::uint64_t chunk_size = 0;
    std::uint32_t total_chunks = 0;
    std::vector<ChunkUrl> urls;  // of the first chunks
};

struct UploadedChunk {
    std::uint32_t chunk_index = 0;
    std::string etag;  // without quotes
    std::uint64_t bytes = 0;
};

struct AssetState {
    std::string status;
    std::string error;
};

struct BatchState {
    std::string batch_id;
    std::string dialect;  // the API it came in by
    std::string status;   // accepted, running, canceling; once it is over, why: completed, canceled …
    bool is_over = false;
    std::string created_at;
    std::uint64_t total = 0, queued = 0, running = 0, ready = 0, failed = 0, canceled = 0, expired = 0;
    std::string json;  // as it came

    std::uint64_t done() const { return ready + failed + canceled + expired; }
};

struct BatchPage {
    std::vector<BatchState> batches;
    bool is_last = true;
};

struct CreatedBatch {
    std::string batch_id;  // as its API prints it
    std::string json;      // as it came
};

// The server's APIs as far as the commands use them: uploads and analyses in the TwelveLabs dialect, requests
// in the dialect they were written for, and all that is done with batches below /sheaf/v1. docs/api has each
// of them whole.
//
// Belongs to one executor. Failures are sentences for the user, with the exit code they mean.
class Api {
public:
    // `server` as in "http://127.0.0.1:8080".
    static Outcome<std::unique_ptr<Api>> make(async::Executor executor, std::string server, Secret key);

    async::Task<Outcome<UploadSession>> open_upload(std::string file_name, std::uint64_t bytes);
    async::Task<Outcome<std::vector<ChunkUrl>>> sign_chunks(std::string upload_id, std::uint32_t start,
                                                            std::uint32_t count);
    // Returns the ETag, without quotes. Tries again a few times where that may help.
    async::Task<Outcome<std::string>> put_chunk(std::string url, std::string bytes);
    async::Task<Outcome<>> report_chunks(std::string upload_id, std::vector<UploadedChunk> chunks);
    async::Task<Outcome<AssetState>> find_asset(std::string asset_id);

    // A batch of analyses, from the body of the call that creates it.
    async::Task<Outcome<CreatedBatch>> create_analyses(std::string body);
    // A batch of requests, by the calls that its dialect has for it.
    async::Task<Outcome<CreatedBatch>> create_requests(RequestFile requests);

    // A batch of any dialect, by its id in any form.
    async::Task<Outcome<BatchState>> find_batch(std::string batch_id);
    // Newest first, those older than `after`; empty: from the newest on.
    async::Task<Outcome<BatchPage>> list_batches(std::string after, std::uint32_t count_max);
    async::Task<Outcome<BatchState>> cancel_batch(std::string batch_id);
    async::Task<Outcome<>> delete_batch(std::string batch_id);
    // Hands over each line without its end, in order. A line callback that returns a failure ends the call
    // with it.
    using LineSink = std::function<Outcome<>(std::string_view line)>;
    async::Task<Outcome<>> read_results(std::string batch_id, LineSink line);
    // The same of a batch's receipt.
    async::Task<Outcome<>> read_receipt(std::string batch_id, LineSink line);
    // The lines of results in the order in which lines become durable, behind the first `after` of them,
    // until the batch has ended. A connection that is silent for too long counts as lost.
    async::Task<Outcome<>> follow_results(std::string batch_id, std::uint64_t after, LineSink line);

private:
    Api(async::Executor executor, std::string server, std::string prefix, Secret key,
        std::unique_ptr<http::Client> client)
        : executor_(executor),
          server_(std::move(server)),
          prefix_(std::move(prefix)),
          key_(std::move(key)),
          client_(std::move(client)) {}

    http::ClientRequest request(std::string method, std::string path, std::string body) const;
    async::Task<Outcome<std::string>> call(http::ClientRequest request, int wanted_status);
    // A call that creates a batch: tried again where that may help, under one key, so that it is created
    // once. `id` is the member of the answer that has the batch's id.
    async::Task<Outcome<CreatedBatch>> create(http::ClientRequest request, int wanted_status,
                                              std::string_view id);
    async::Task<Outcome<std::string>> upload_input(std::string lines);
    // Hands over the lines of an answer but for empty ones.
    async::Task<Outcome<>> read_lines(http::ClientRequest get, LineSink line);
    Failure explain(const Error& error) const;

    async::Executor executor_;
    std::string server_;
    std::string prefix_;  // of all paths
    Secret key_;
    std::unique_ptr<http::Client> client_;
    std::map<std::string, std::unique_ptr<http::Client>> chunk_clients_;  // by origin
};

}  // namespace sheaf::cli
