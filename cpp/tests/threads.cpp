// Threads that share work: every part once, phases in order, whatever helpers can be had.
#include "problem.hpp"

#include <doctest/doctest.h>

#include <hessorbit/kernel/team.hpp>

#include <functional>
#include <stdexcept>

#if defined(HESSORBIT_POSIX_THREADS)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace hessorbit;

namespace {

void share_in(Pool& pool, int threads, Index count, const std::function<void(Share&)>& body) {
    std::pair<Index, const std::function<void(Share&)>&> work{count, body};
    Job job(
        threads, 1, &work, [](void* of, int) { return static_cast<decltype(&work)>(of)->first; },
        [](void* of, Share& share) { static_cast<decltype(&work)>(of)->second(share); });
    pool.run(job);
}

// Helpers use their pool for as long as the process lives, so it is never destroyed.
Pool& pool_that_starts(Pool::Start start) {
    static auto& pools = *new std::vector<Pool*>;
    return *pools.emplace_back(new Pool(start));
}

// How often each of `count` parts was done.
std::vector<int> visits(int threads, Index count) {
    std::vector<int> done(static_cast<std::size_t>(count));
    share_parts(threads, count, [&](Share& share) {
        for (const Part part : share) ++done[static_cast<std::size_t>(part.index)];
    });
    return done;
}

}  // namespace

TEST_CASE("every part is done once") {
    for (int repeat = 0; repeat < 300; ++repeat)
        for (const int threads : {1, 2, 3, 8})
            for (const Index count : {0, 1, 2, 7, 100}) REQUIRE(visits(threads, count) == std::vector<int>(count, 1));
    CHECK(visits(4, 20000) == std::vector<int>(20000, 1));
}

TEST_CASE("no two threads of a job have the same rank at a time") {
    constexpr int threads = 5;
    std::vector<std::atomic<int>> inside(threads);
    std::atomic<int> wrong{0};
    for (int repeat = 0; repeat < 200; ++repeat)
        share_parts(threads, 50, [&](Share& share) {
            if (share.rank < 0 || share.rank >= threads || ++inside[share.rank] != 1) ++wrong;
            for ([[maybe_unused]] const Part part : share) std::this_thread::yield();
            --inside[share.rank];
        });
    CHECK(wrong == 0);
}

TEST_CASE("a phase begins when the one before it is done") {
    const std::vector<Index> sizes{3, 0, 40, 1, 1, 0, 17, 0};
    for (const int threads : {1, 2, 4})
        for (int repeat = 0; repeat < 200; ++repeat) {
            std::vector<std::atomic<Index>> done(sizes.size());
            std::atomic<int> wrong{0};
            const auto parts = [&](int phase) { return sizes[phase]; };
            share_phases(threads, static_cast<int>(sizes.size()), parts, [&](Share& share) {
                for (const Part part : share) {
                    for (int before = 0; before < part.phase; ++before)
                        if (done[before] != sizes[before]) ++wrong;
                    ++done[part.phase];
                }
            });
            for (std::size_t phase = 0; phase < sizes.size(); ++phase) REQUIRE(done[phase] == sizes[phase]);
            REQUIRE(wrong == 0);
        }
}

// The second call in a row finds helpers awake.
TEST_CASE("short calls in a row share every part, and are given up as a whole") {
    for (const int threads : {2, 3})
        for (const Index count : {2, 3, 9})
            for (int repeat = 0; repeat < 2000; ++repeat) {
                std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
                std::atomic<int> wrong{0};
                const bool fails = repeat % 7 == 0;
                const auto call = [&] {
                    share_parts(threads, count, [&](Share& share) {
                        if (share.rank >= threads) ++wrong;
                        for (const Part part : share) {
                            if (++done[static_cast<std::size_t>(part.index)] != 1) ++wrong;
                            if (fails && part.index == 1) throw std::runtime_error("part");
                        }
                    });
                };
                if (fails) {
                    REQUIRE_THROWS_WITH_AS(call(), "part", std::runtime_error);
                } else {
                    call();
                    for (const std::atomic<int>& each : done) REQUIRE(each == 1);
                }
                REQUIRE(wrong == 0);
            }
}

TEST_CASE("what a part throws is thrown again, once, and the threads work on") {
    for (const int threads : {1, 2, 4})
        for (int repeat = 0; repeat < 100; ++repeat) {
            const auto failing = [&] {
                share_parts(threads, 20, [&](Share& share) {
                    for (const Part part : share)
                        if (part.index >= repeat % 20) throw std::runtime_error("part");
                });
            };
            CHECK_THROWS_WITH_AS(failing(), "part", std::runtime_error);
            REQUIRE(visits(threads, 10) == std::vector<int>(10, 1));
        }
}

TEST_CASE("parts share work of their own") {
    for (const int threads : {1, 2, 4})
        for (int repeat = 0; repeat < 50; ++repeat) {
            std::atomic<Index> sum{0};
            share_parts(threads, 6, [&](Share& outer) {
                for (const Part part : outer)
                    share_parts(threads, 7, [&](Share& inner) {
                        for (const Part detail : inner) sum += 100 * part.index + detail.index;
                    });
            });
            REQUIRE(sum == 7 * 100 * 15 + 6 * 21);
        }
}

TEST_CASE("several threads call at once") {
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([&, caller] {
            for (int repeat = 0; repeat < 200; ++repeat)
                if (visits(2 + caller % 2, 30) != std::vector<int>(30, 1)) ++wrong;
        });
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("threads that cannot be started are done without") {
    Pool& none = pool_that_starts([](Pool&) { return false; });
    Pool& one = pool_that_starts([](Pool& pool) {
        static std::atomic<bool> started{false};
        if (started.exchange(true)) return false;
        std::thread([&pool] { pool.help(); }).detach();
        return true;
    });
    for (Pool* pool : {&none, &one})
        for (int repeat = 0; repeat < 100; ++repeat) {
            std::atomic<Index> sum{0};
            std::atomic<int> most_rank{0};
            share_in(*pool, 8, 40, [&](Share& share) {
                if (share.rank > most_rank) most_rank = share.rank;
                for (const Part part : share) sum += part.index;
            });
            REQUIRE(sum == 780);
            REQUIRE(most_rank <= (pool == &one ? 1 : 0));
        }
}

TEST_CASE("interrupted calls throw, and the next ones work") {
    static std::atomic<bool> asked_to_stop{false};
    interruption_question = [] { return asked_to_stop.load(); };
    for (const int threads : {1, 2, 4}) {
        asked_to_stop = true;
        std::atomic<bool> endless{true};
        const auto call = [&] {
            share_parts(threads, 4, [&](Share& share) {
                for ([[maybe_unused]] const Part part : share)
                    while (endless) stop_if_interrupted();
            });
        };
        CHECK_THROWS_AS(call(), Interrupted);
        asked_to_stop = false;
        CHECK(visits(threads, 10) == std::vector<int>(10, 1));
    }
    interruption_question = nullptr;
}

#if defined(HESSORBIT_POSIX_THREADS) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked child shares work again") {
    const testing::Problem problem{.widths = {2, 30, 1}, .samples = 5000};
    Objective<double> objective = problem.objective<double>();
    const std::vector<double> theta = problem.theta<double>();
    std::vector<double> expected(theta.size() * theta.size()), found(expected.size());
    objective.hessian(theta.data(), 1, 4, false, expected.data());
    for (int repeat = 0; repeat < 5; ++repeat) {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            alarm(60);  // a child that hangs ends by this
            objective.hessian(theta.data(), 1, 4, false, found.data());
            _exit(found == expected ? 0 : 1);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
}
#endif
