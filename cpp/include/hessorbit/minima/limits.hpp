// When a search has to end: its time is over, or somebody asks for it. Everything that can take long polls.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

namespace hessorbit::minima {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Thrown where a search has to end; what has been found and shown by then stands.
struct Ended {};

// One for each search, which runs on one thread.
class Limits {
public:
    Limits() = default;
    Limits(double seconds, std::function<bool()> stop) : seconds_(seconds), stop_(std::move(stop)) {}

    // For work of less than a microsecond: looks at the clock at every 16th call.
    void poll() {
        if ((++calls_ & 15) == 0) check();
    }

    void check() {
        if (seconds_ == infinity && !stop_) return;
        const double passed = std::chrono::duration<double>(Clock::now() - start_).count();
        if (passed >= seconds_) throw Ended{};
        if (!stop_ || passed < next_question_) return;
        next_question_ = passed + between_questions;
        if (stop_()) throw Ended{};
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr double between_questions = 0.01;  // seconds; asking may wait for other threads

    double seconds_ = infinity, next_question_ = 0;
    std::function<bool()> stop_;
    Clock::time_point start_ = Clock::now();
    std::uint64_t calls_ = 0;
};

}  // namespace hessorbit::minima
