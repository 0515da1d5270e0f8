#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async/task_group.h"
#include "backend/backends.h"
#include "blob/blob_store.h"
#include "media/decoders.h"

extern char** environ;

// A video whose cuts, words and silences are known, made with the ffmpeg program, analysed through the real
// media port: what the report is worth.
namespace sheaf::backend {
namespace {

constexpr double kFps = 25;
constexpr const char* kFont = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

struct Caption {
    std::string text;
    std::string x;
    int y = 0;
    int size = 0;
    std::string colour;
    std::string style = {};  // more options of drawtext
};

// One shot: a source of pictures, 640x360 at kFps, and the words on it.
struct Take {
    std::string source;
    double seconds = 0;
    std::vector<Caption> captions = {};
};

std::string sized(const std::string& source) {
    return source + "=s=640x360:r=25";
}

const std::string kBoxed = "box=1:boxcolor=black@0.8:boxborderw=6";
const std::string kBoxedLight = "box=1:boxcolor=white:boxborderw=6";

std::vector<Take> takes() {
    return {
        {sized("testsrc2"), 1.6, {{"Evening Headlines", "60", 250, 32, "white", kBoxed}}},
        {sized("mandelbrot"), 1.2, {{"Fractal Garden", "30", 20, 26, "black"}}},
        // The same kind of picture, elsewhere and in other colours.
        {sized("mandelbrot") + ":start_scale=0.3:start_x=-0.75:start_y=0.1", 1.0},
        {sized("life") + ":mold=10:ratio=0.5:seed=3:death_color=#C83232:life_color=#00ff00", 1.0},
        {sized("life") + ":mold=10:ratio=0.3:seed=9:death_color=#3232C8:life_color=#00ff00", 0.8},
        {sized("cellauto") + ":rule=110:seed=5",
         1.0,
         {{"Cellular Automaton", "80", 150, 30, "white", kBoxed}}},
        // Two noisy grounds of nearly one gray.
        {"color=c=#606060:s=640x360:r=25,noise=alls=40:allf=t:all_seed=1", 0.8},
        {"color=c=#707070:s=640x360:r=25,noise=alls=40:allf=t:all_seed=2", 0.8},
        {sized("gradients") + ":seed=1:speed=0.02:duration=20",
         1.2,
         {{"Mountain River", "60+60*t", 100, 40, "white"}}},
        {sized("gradients") + ":seed=2:speed=0.02:duration=20",
         1.2,
         {{"Purple Elephant", "100", 200, 24, "black"}}},
        {sized("smptebars"), 0.4},
        {sized("rgbtestsrc"), 0.4},
        {sized("testsrc"), 0.4},
        // The same scene, later.
        {sized("testsrc") + ",trim=start=9,setpts=PTS-STARTPTS", 0.8},
        {"color=c=white:s=640x360:r=25",
         1.2,
         {{"Chapter Seven", "120", 60, 60, "black"}, {"small print below", "200", 300, 14, "gray"}}},
        {"color=c=#102030:s=640x360:r=25",
         1.2,
         {{"Kitchen Window", "40", 80, 18, "#8090a0"}, {"Bridge", "400-50*t", 250, 36, "yellow"}}},
        // Dark pictures of little contrast.
        {sized("mandelbrot") + ",eq=brightness=-0.35:contrast=0.4", 0.8},
        {sized("mandelbrot") +
             ":start_scale=0.05:start_x=-0.745:start_y=0.12,eq=brightness=-0.35:contrast=0.4",
         0.8},
        // Fast camera motion, and a jump to another place of the same ground.
        {"mandelbrot=s=960x540:r=25:start_scale=0.01:start_x=-0.745:start_y=0.12:end_scale=0.0099,"
         "crop=640:360:x=150*t:y=20",
         1.6},
        {"mandelbrot=s=960x540:r=25:start_scale=0.01:start_x=-0.745:start_y=0.12:end_scale=0.0099,"
         "crop=640:360:x=300-150*t:y=170",
         1.6,
         {{"Harbour Station", "150", 300, 28, "black", kBoxedLight}}},
        {sized("pal75bars"), 0.4},
        {sized("yuvtestsrc"), 0.4},
        {"color=c=#204060:s=640x360:r=25,drawgrid=w=40:h=40:c=white@0.5", 0.6},
        {"color=c=#204060:s=640x360:r=25,drawgrid=w=70:h=50:c=white@0.5", 0.6},
        {sized("testsrc2") + ",trim=start=20,setpts=PTS-STARTPTS,hue=h=90",
         1.2,
         {{"Weather Tomorrow", "20+40*t", 300, 30, "white", kBoxed}}},
        {sized("testsrc2") + ",trim=start=28,setpts=PTS-STARTPTS,hflip,hue=h=90", 1.2},
        {sized("cellauto") + ":rule=30:seed=7", 0.8},
        // Two white frames are a flash, not two cuts.
        {sized("smptehdbars") + ",drawbox=c=white:t=fill:enable='between(n,12,13)'", 1.2},
        {"color=c=#305030:s=640x360:r=25",
         1.6,
         {{"Orchestra tickets available", "50", 60, 22, "white"},
          {"Doctor Forest", "60", 150, 48, "#e0c040"},
          {"library opening hours", "300", 320, 16, "#c0c0c0"}}},
        {sized("yuvtestsrc") + ",hflip,eq=saturation=0.2", 0.8},
        {"color=c=#b03030:s=640x360:r=25",
         1.2,
         {{"BREAKING NEWS", "100", 40, 44, "white"},
          {"storm reaches coast", "60", 300, 20, "white", kBoxed}}},
    };
}

struct Silence {
    double start = 0;
    double end = 0;
};
constexpr std::array kSilences{Silence{3.0, 4.5}, Silence{10.0, 10.8}, Silence{18.2, 21.0}};

int run(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_t child = 0;
    if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) return -1;
    int status = 0;
    if (::waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string drawn(const Caption& caption) {
    std::string filter = fmt::format(",drawtext=fontfile={}:text='{}':x='{}':y={}:fontsize={}:fontcolor={}",
                                     kFont, caption.text, caption.x, caption.y, caption.size, caption.colour);
    if (!caption.style.empty()) filter += ":" + caption.style;
    return filter;
}

bool make_video(const std::filesystem::path& path, double length) {
    std::vector<std::string> command{"ffmpeg", "-nostdin", "-y", "-v", "error"};
    std::string graph;
    std::string joined;
    int index = 0;
    for (const Take& take : takes()) {
        std::string source = take.source;
        for (const Caption& caption : take.captions) source += drawn(caption);
        command.insert(command.end(), {"-f", "lavfi", "-t", fmt::format("{}", take.seconds), "-i", source});
        graph += fmt::format("[{}:v]format=yuv420p,setsar=1,fps=25[v{}];", index, index);
        joined += fmt::format("[v{}]", index);
        ++index;
    }
    std::string silent;
    for (const Silence& silence : kSilences) {
        silent += fmt::format("{}between(t,{},{})", silent.empty() ? "" : "+", silence.start, silence.end);
    }
    command.insert(command.end(), {"-f", "lavfi", "-t", fmt::format("{}", length), "-i",
                                   fmt::format("aevalsrc='if({},0,0.25*sin(2*PI*440*t))':s=44100", silent)});
    graph += fmt::format("{}concat=n={}:v=1:a=0[out]", joined, index);
    command.insert(command.end(), {"-filter_complex", graph, "-map", "[out]", "-map",
                                   fmt::format("{}:a", index), "-c:v", "libx264", "-preset", "superfast",
                                   "-crf", "20", "-c:a", "aac", "-b:a", "96k", path.string()});
    return run(command) == 0;
}

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : lower(text) + " ") {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    return words;
}

class GroundTruth : public testing::Test {
protected:
    static void SetUpTestSuite() {
        char name[] = "/tmp/sheaf-scene-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        folder() = name;
        for (const Take& take : takes()) length() += take.seconds;
        ASSERT_TRUE(make_video(folder() / "truth.mp4", length()))
            << "ffmpeg and fonts-dejavu-core are needed";
    }
    static void TearDownTestSuite() { std::filesystem::remove_all(folder()); }

    static std::filesystem::path& folder() {
        static std::filesystem::path path;
        return path;
    }
    static double& length() {
        static double seconds = 0;
        return seconds;
    }

    core::Outcome analyse(const core::VideoAnalysis& analysis) {
        const std::filesystem::path path = folder() / "truth.mp4";
        boost::asio::io_context home;
        async::Lane lane(2);
        const auto media = media::make_ffmpeg_media({.worker_command = {"/proc/self/exe", "media-worker"}});
        const auto backend = make_scene_backend(lane, {});
        async::TaskGroup group(home.get_executor());
        core::Outcome outcome = core::Broken{{"", "did not end"}};
        auto task = [&]() -> async::Task<void> {
            const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
            auto file = std::make_shared<const blob::BlobFile>(fd, std::filesystem::file_size(path));
            auto info = co_await media->probe(file);
            if (!info) {
                outcome = core::Broken{{"", info.error().message}};
                co_return;
            }
            Job job{.inference = analysis};
            job.video = media->open("truth", file, std::move(*info));
            outcome = co_await backend->run(std::move(job));
        };
        group.spawn(task());
        home.run();
        return outcome;
    }
};

std::string why(const core::Outcome& outcome) {
    if (const auto* refused = std::get_if<core::Refused>(&outcome)) return refused->failure.message;
    if (const auto* broken = std::get_if<core::Broken>(&outcome)) return broken->failure.message;
    return {};
}

TEST_F(GroundTruth, CutsAndWordsAreFoundInTheirShots) {
    core::SegmentDefinition shots{.id = "shots", .description = "every shot"};
    shots.fields.push_back({.name = "on_screen_text", .type = core::FieldType::array});
    const core::Outcome outcome =
        analyse({.output = core::SegmentsOutput{.definitions = {shots}}, .max_tokens = 32'768});
    ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome)) << why(outcome);
    const std::string& text = std::get<core::Answer>(outcome).text;

    struct Found {
        double start = 0;
        double end = 0;
        std::vector<std::string> words;
    };
    std::vector<Found> found;
    simdjson::dom::parser parser;
    for (const auto segment : parser.parse(text)["shots"].get_array()) {
        Found shot{.start = segment["start_time"].get_double(), .end = segment["end_time"].get_double()};
        for (const auto line : segment["metadata"]["on_screen_text"].get_array()) {
            for (std::string& word : words_of(std::string(std::string_view(line))))
                shot.words.push_back(std::move(word));
        }
        found.push_back(std::move(shot));
    }
    ASSERT_FALSE(found.empty());
    EXPECT_DOUBLE_EQ(found.front().start, 0);

    std::vector<bool> used(found.size(), false);
    std::string missed;
    std::size_t cuts = 0;
    std::size_t hits = 0;
    std::size_t words = 0;
    std::size_t read = 0;
    double start = 0;
    for (const Take& take : takes()) {
        const double end = start + take.seconds;
        if (start > 0) {
            ++cuts;
            bool is_hit = false;
            for (std::size_t i = 1; i < found.size() && !is_hit; ++i) {
                is_hit = !used[i] && std::abs(found[i].start - start) <= 2 / kFps + 1e-3;
                if (is_hit) used[i] = true;
            }
            hits += is_hit ? 1 : 0;
            if (!is_hit) missed += fmt::format(" {:.2f}", start);
        }
        for (const Caption& caption : take.captions) {
            for (const std::string& word : words_of(caption.text)) {
                ++words;
                const bool is_read = std::any_of(found.begin(), found.end(), [&](const Found& shot) {
                    return shot.start < end - 0.1 && shot.end > start + 0.1 &&
                           std::find(shot.words.begin(), shot.words.end(), word) != shot.words.end();
                });
                read += is_read ? 1 : 0;
                if (!is_read) missed += " " + word;
            }
        }
        start = end;
    }
    ASSERT_GE(cuts, 20U);
    ASSERT_GE(words, 30U);
    const std::size_t wrong = found.size() - 1 - hits;
    EXPECT_GE(static_cast<double>(hits), 0.95 * static_cast<double>(cuts)) << "missed:" << missed;
    EXPECT_LE(static_cast<double>(wrong), 0.05 * static_cast<double>(cuts)) << text;
    EXPECT_GE(static_cast<double>(read), 0.9 * static_cast<double>(words)) << "missed:" << missed;
}

double seconds_of(const std::string& clock) {
    return std::stod(clock.substr(0, 2)) * 3600 + std::stod(clock.substr(3, 2)) * 60 +
           std::stod(clock.substr(6, 6));
}

TEST_F(GroundTruth, SilencesAreFoundWithinATenthAndAHalfOfASecond) {
    const core::Outcome outcome = analyse({.prompt = {.text = "Is it silent?"}, .max_tokens = 32'768});
    ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome)) << why(outcome);
    const std::string& text = std::get<core::Answer>(outcome).text;
    EXPECT_EQ(text.find("Signal analysis without a language model"), 0U);
    std::size_t at = text.find("\nSilences");
    ASSERT_NE(at, std::string::npos) << text;
    at = text.find('\n', at + 1);
    std::vector<Silence> found;
    while (text.compare(at, 3, "\n- ") == 0) {
        found.push_back({seconds_of(text.substr(at + 3, 12)), seconds_of(text.substr(at + 18, 12))});
        at = text.find('\n', at + 1);
    }
    ASSERT_EQ(found.size(), kSilences.size()) << text;
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i].start, kSilences[i].start, 0.15);
        EXPECT_NEAR(found[i].end, kSilences[i].end, 0.15);
    }
}

TEST_F(GroundTruth, AWindowLimitsWhatIsAnalysed) {
    core::SegmentDefinition shots{.id = "shots", .description = "every shot"};
    shots.fields.push_back({.name = "shot_start", .type = core::FieldType::timestamp});
    const core::Outcome outcome = analyse({.output = core::SegmentsOutput{.definitions = {shots}},
                                           .max_tokens = 32'768,
                                           .start_time = 2.0,
                                           .end_time = 6.0});
    ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome)) << why(outcome);
    simdjson::dom::parser parser;
    const simdjson::dom::array segments =
        parser.parse(std::get<core::Answer>(outcome).text)["shots"].get_array();
    ASSERT_EQ(segments.size(), 5U) << std::get<core::Answer>(outcome).text;
    EXPECT_DOUBLE_EQ(segments.at(0)["start_time"].get_double(), 2.0);
    EXPECT_NEAR(segments.at(1)["start_time"].get_double(), 2.8, 0.081);
    EXPECT_DOUBLE_EQ(segments.at(4)["end_time"].get_double(), 6.0);
}

}  // namespace
}  // namespace sheaf::backend
