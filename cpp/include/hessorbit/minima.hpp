// The global minimum nearest to each of many θ₀: minima/problem.hpp says what the global minima are, minima/search.hpp
// how the nearest is found.
#pragma once

#include "minima/search.hpp"
#include "kernel/team.hpp"

#include <atomic>
#include <vector>

namespace hessorbit::minima {

inline Nearest nearest(const Geometry& geometry, const Weights& start, const Options& options) {
    const Problem problem(geometry, start);
    return Search(problem, options).run();
}

// One search for each start; searches are independent, so the results are the same for any number of threads. The
// calling thread asks `options.stop`, for all; where that was true, results are missing or have gaps.
inline std::vector<Nearest> nearest(const Geometry& geometry, const std::vector<Weights>& starts, const Options& options,
                                    int threads) {
    std::vector<Nearest> results(starts.size());
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stopped{false};
    with_team(std::min<int>(threads > 0 ? threads : max_threads(), static_cast<int>(starts.size())), [&](const Team& team) {
        Options own = options;
        own.stop = [&] {
            if (team.rank == 0 && options.stop && options.stop()) stopped = true;
            return stopped.load();
        };
        for (std::size_t b = next++; b < starts.size() && !own.stop(); b = next++)
            results[b] = nearest(geometry, starts[b], own);
    });
    return results;
}

}  // namespace hessorbit::minima
