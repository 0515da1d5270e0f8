#include "backend/scene/boundaries.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sheaf::backend::scene {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 36;
constexpr double kFps = 25;

using Pixel = std::array<int, 3>;
using Picture = std::function<Pixel(double x, double y)>;

// A picture with structure of its own: a sum of waves that `seed` chooses.
Picture scene_of(unsigned seed, Pixel base = {120, 120, 120}) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> any(0, 1);
    struct Wave {
        double x, y, phase;
        std::array<double, 3> size;
    };
    std::vector<Wave> waves;
    for (int i = 0; i < 8; ++i) {
        waves.push_back({any(random) * 0.8 - 0.4,
                         any(random) * 0.8 - 0.4,
                         any(random) * 6.3,
                         {any(random) * 25, any(random) * 25, any(random) * 25}});
    }
    return [waves, base](double x, double y) {
        Pixel pixel = base;
        for (const Wave& wave : waves) {
            const double value = std::sin(wave.x * x + wave.y * y + wave.phase);
            for (std::size_t c = 0; c < 3; ++c) pixel[c] += static_cast<int>(wave.size[c] * value);
        }
        return pixel;
    };
}

// Frames as they would come from a video at kFps.
class Film {
public:
    // `picture(x, y)` drawn for each of `count` frames, shifted and with noise as asked.
    struct Take {
        int frames = 25;
        double pan = 0;    // pixels a frame
        double noise = 0;  // levels
        double gain = 1;
        double gain_step = 0;  // added each frame
    };

    Film& shoot(const Picture& picture, Take take) {
        for (int i = 0; i < take.frames; ++i) {
            const double gain = take.gain + take.gain_step * i;
            add(
                [&](double x, double y) {
                    Pixel pixel = picture(x + take.pan * i, y);
                    for (int& channel : pixel) channel = static_cast<int>(channel * gain);
                    return pixel;
                },
                take.noise);
        }
        return *this;
    }

    Film& dissolve(const Picture& from, const Picture& to, int frames) {
        for (int i = 0; i < frames; ++i) {
            const double share = (i + 1.0) / (frames + 1.0);
            add(
                [&](double x, double y) {
                    const Pixel a = from(x, y);
                    const Pixel b = to(x, y);
                    Pixel mixed{};
                    for (std::size_t c = 0; c < 3; ++c)
                        mixed[c] = static_cast<int>(a[c] * (1 - share) + b[c] * share);
                    return mixed;
                },
                0);
        }
        return *this;
    }

    std::vector<Boundary> boundaries() const { return find_boundaries(maker_.steps()); }
    std::vector<double> times() const {
        std::vector<double> all;
        for (const Boundary& boundary : boundaries()) all.push_back(boundary.time);
        return all;
    }
    double now() const { return frames_ / kFps; }

private:
    template <class Draw>
    void add(const Draw& draw, double noise) {
        std::normal_distribution<double> grain(0, std::max(noise, 1e-9));
        std::string rgb(static_cast<std::size_t>(kWidth * kHeight * 3), '\0');
        for (int y = 0; y < kHeight; ++y) {
            for (int x = 0; x < kWidth; ++x) {
                const Pixel pixel = draw(x, y);
                for (std::size_t c = 0; c < 3; ++c) {
                    const int value = pixel[c] + static_cast<int>(noise > 0 ? grain(random_) : 0);
                    rgb[static_cast<std::size_t>(y * kWidth + x) * 3 + c] =
                        static_cast<char>(std::clamp(value, 0, 255));
                }
            }
        }
        maker_.push(make_sketch(frames_ / kFps, kWidth, kHeight, rgb));
        ++frames_;
    }

    StepMaker maker_;
    std::mt19937 random_{7};
    int frames_ = 0;
};

const Picture kWhite = [](double, double) { return Pixel{255, 255, 255}; };
const Picture kBlack = [](double, double) { return Pixel{0, 0, 0}; };

TEST(Boundaries, AVideoWithoutFramesHasNone) {
    EXPECT_TRUE(find_boundaries({}).empty());
}

TEST(Boundaries, CutsAreFoundAtTheFirstFrameOfTheNewShot) {
    Film film;
    film.shoot(scene_of(1), {.frames = 30})
        .shoot(scene_of(2), {.frames = 20})
        .shoot(scene_of(3), {.frames = 40});
    EXPECT_THAT(film.times(),
                testing::ElementsAre(testing::DoubleNear(1.2, 1e-9), testing::DoubleNear(2.0, 1e-9)));
}

TEST(Boundaries, CutsThreeTenthsOfASecondApartAreAllFound) {
    Film film;
    for (unsigned i = 0; i < 10; ++i) film.shoot(scene_of(i), {.frames = 8});
    EXPECT_EQ(film.times().size(), 9U);
}

TEST(Boundaries, ScenesOfTheSameMeanColourAreToldApart) {
    Film film;
    for (unsigned i = 0; i < 6; ++i)
        film.shoot(scene_of(40 + i, {128, 128, 128}), {.frames = 20, .noise = 6});
    EXPECT_EQ(film.times().size(), 5U);
}

TEST(Boundaries, DarkScenesOfLittleContrastAreToldApart) {
    Film film;
    film.shoot(scene_of(1), {.frames = 20, .noise = 1, .gain = 0.15});
    film.shoot(scene_of(2), {.frames = 20, .noise = 1, .gain = 0.15});
    EXPECT_THAT(film.times(), testing::ElementsAre(testing::DoubleNear(0.8, 1e-9)));
}

TEST(Boundaries, AStillPictureHasNone) {
    Film film;
    film.shoot(scene_of(1), {.frames = 200});
    EXPECT_TRUE(film.boundaries().empty());
}

TEST(Boundaries, NoiseGivesNone) {
    Film film;
    film.shoot(scene_of(1), {.frames = 100, .noise = 30});
    EXPECT_TRUE(film.boundaries().empty());
}

TEST(Boundaries, AFastPanGivesNone) {
    Film film;
    film.shoot(scene_of(1), {.frames = 30}).shoot(scene_of(1), {.frames = 60, .pan = 3});
    EXPECT_TRUE(film.boundaries().empty());
}

TEST(Boundaries, AFlashGivesNone) {
    for (const int length : {1, 2, 4}) {
        Film film;
        film.shoot(scene_of(1), {.frames = 40})
            .shoot(kWhite, {.frames = length})
            .shoot(scene_of(1), {.frames = 40});
        EXPECT_TRUE(film.boundaries().empty()) << length << " frames";
    }
}

TEST(Boundaries, ACutBesideAFlashIsStillFound) {
    Film film;
    film.shoot(scene_of(1), {.frames = 40}).shoot(kWhite, {.frames = 2}).shoot(scene_of(1), {.frames = 40});
    film.shoot(scene_of(2), {.frames = 40});
    EXPECT_THAT(film.times(), testing::ElementsAre(testing::DoubleNear(82 / kFps, 1e-9)));
}

TEST(Boundaries, AChangeOfExposureGivesNone) {
    Film film;
    film.shoot(scene_of(1), {.frames = 40, .gain = 0.7});
    film.shoot(scene_of(1), {.frames = 15, .gain = 0.7, .gain_step = 0.02})
        .shoot(scene_of(1), {.frames = 40});
    EXPECT_TRUE(film.boundaries().empty());
}

TEST(Boundaries, ADissolveIsOneBoundaryInItsMiddle) {
    for (const int length : {10, 25, 45}) {
        Film film;
        film.shoot(scene_of(1), {.frames = 75, .noise = 2});
        const double middle = film.now() + length / kFps / 2;
        film.dissolve(scene_of(1), scene_of(2), length).shoot(scene_of(2), {.frames = 75, .noise = 2});
        const std::vector<Boundary> found = film.boundaries();
        ASSERT_EQ(found.size(), 1U) << length << " frames";
        EXPECT_EQ(found[0].kind, BoundaryKind::gradual);
        EXPECT_NEAR(found[0].time, middle, 0.3);
        EXPECT_LT(found[0].start, found[0].time);
        EXPECT_GT(found[0].end, found[0].time);
    }
}

TEST(Boundaries, AFadeThroughBlackIsOneBoundary) {
    Film film;
    film.shoot(scene_of(1), {.frames = 60}).dissolve(scene_of(1), kBlack, 15).shoot(kBlack, {.frames = 5});
    const double black = film.now();
    film.dissolve(kBlack, scene_of(2), 15).shoot(scene_of(2), {.frames = 60});
    const std::vector<Boundary> found = film.boundaries();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NEAR(found[0].time, black, 0.5);
}

TEST(Boundaries, FramesOfChangingSizeDoNotConfuse) {
    StepMaker maker;
    maker.push(make_sketch(0, 4, 4, std::string(48, 'a')));
    maker.push(make_sketch(0.04, 6, 2, std::string(36, 'a')));
    maker.push(make_sketch(0.08, 1, 1, std::string(3, 'a')));
    EXPECT_EQ(maker.steps().size(), 3U);
    find_boundaries(maker.steps());
}

}  // namespace
}  // namespace sheaf::backend::scene
