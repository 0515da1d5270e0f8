#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dialect/dialect.h"
#include "dialect/dialect_world.h"

// What every dialect keeps, in its own words. The suite stands in dialect_conformance_test.cpp; a dialect
// runs it with an adapter in its folder and one line:
//
//   INSTANTIATE_TEST_SUITE_P(Sail, DialectConformance, testing::Values(make_subject<SailSubject>));
namespace sheaf::dialect {

class DialectConformance;

// A result as a client of the dialect reads it.
struct ShownResult {
    std::string item;  // what tells it from the others of its batch
    bool succeeded = false;
    std::string text;  // as it came
    bool operator==(const ShownResult&) const = default;
};

// A call whose body is larger than the dialect was told to take.
struct OversizeCall {
    Asked asked;
    std::size_t bytes_max = 0;  // no more of it than that, and one piece, may be read
};

// Speaks one dialect. Built over the services of the suite, which outlive it.
class DialectSubject {
public:
    virtual ~DialectSubject() = default;
    virtual Dialect& dialect() = 0;
    // All that its clients call; more than the dialect's own where it shares paths with other vendors.
    virtual void add_routes(http::Router& router) { dialect().add_routes(router); }
    // Whether the body is an error as the dialect tells it.
    virtual bool is_error(const std::string& body) const = 0;

    // The call whose body brings the items.
    virtual Asked bring_items(std::size_t count) = 0;
    virtual Asked create_malformed() = 0;
    virtual OversizeCall create_oversize() = 0;
    // Makes a batch by all the calls that a client needs for it, and returns its id as the client sees it.
    virtual std::string create(std::size_t items) = 0;

    virtual std::string print_id(const BatchId& id) const = 0;
    virtual std::optional<BatchId> parse_id(const std::string& id) const = 0;
    // What may stand in an answer about a batch and tells it from the same answer about another: its id, and
    // where there are such, the ids of its results and of the call.
    virtual std::vector<std::string> ids_in(const Answered&, const std::string& id) const { return {id}; }
    virtual Asked retrieve(const std::string& id) = 0;
    virtual Asked cancel(const std::string& id) = 0;
    // Also where the dialect does not offer it.
    virtual Asked remove(const std::string& id) = 0;
    // The calls that read what became of its items, for one batch with `items` of them.
    virtual std::vector<Asked> read_results(const std::string& id, std::size_t items) = 0;
    // What is told of every item by now, in any order. May be empty while a batch is not laid out.
    virtual std::vector<ShownResult> results(const std::string& id, std::size_t items) = 0;

    virtual Asked unknown_path() = 0;
    virtual core::Answer good_answer() = 0;
    // After how long what has not run expires; nullopt: never.
    virtual std::optional<std::chrono::seconds> lifetime() const = 0;
};

using MakeSubject = std::unique_ptr<DialectSubject> (*)(DialectConformance& world);

template <class Subject>
std::unique_ptr<DialectSubject> make_subject(DialectConformance& world) {
    return std::make_unique<Subject>(world);
}

class DialectConformance : public DialectWorld, public testing::WithParamInterface<MakeSubject> {
public:
    DialectConformance();
    ~DialectConformance() override;

    // For subjects.
    using DialectWorld::accounts;
    using DialectWorld::assets;
    using DialectWorld::batches;
    using DialectWorld::build_batches;
    using DialectWorld::build_files;
    using DialectWorld::call;
    using DialectWorld::files;
    using DialectWorld::limits;
    using DialectWorld::live;
    using DialectWorld::webhooks;
    async::Executor executor() { return io.get_executor(); }
    // The id of an asset that is ready; `bytes` begins with the word that says what it is.
    std::string ready_asset(std::string_view bytes);

protected:
    std::string created(std::size_t items);
    void work_on(const std::string& id, std::uint32_t count, const core::Ending& ending);
    void lay_out(const std::string& id);
    // What the account has: nothing of a refused call may be in it.
    std::size_t stored();
    Answered as_other(Asked asked);
    // The body of an answer about a batch; the same for every batch of which the same is told.
    std::string told(const Answered& answered, const std::string& id) const;

    std::unique_ptr<DialectSubject> subject;
};

}  // namespace sheaf::dialect
