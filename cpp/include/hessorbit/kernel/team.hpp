// The threads that work on one chunk together. Work is split so that each number is made by one thread alone, in an
// order that does not depend on how many there are: results keep their bits at any thread count.
#pragma once

#include "range.hpp"

#include <exception>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace hessorbit {

struct Team {
    int rank = 0, size = 1;

    // This member's part of 0 … count − 1, cut at multiples of `multiple`.
    Range share(Index count, Index multiple = 1) const {
        const Index pieces = (count + multiple - 1) / multiple;
        return {std::min(count, pieces * rank / size * multiple), std::min(count, pieces * (rank + 1) / size * multiple)};
    }

    Columns columns(Index count) const {
        const Range range = share(count, row_multiple);
        return {range.begin, range.end - range.begin};
    }

    // A lone member may be one of several in an enclosing region, whose barrier it must not enter.
    void barrier() const {
        if (size == 1) return;
#pragma omp barrier
    }
};

inline int max_threads() {
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 1;
#endif
}

// Runs body(team) on `threads` threads at once. An exception must not leave an OpenMP region: the first one is thrown
// again after it. (A body that may throw must not wait at barriers.)
template <class Body>
void with_team(int threads, Body body) {
#if defined(_OPENMP)
    if (threads > 1) {
        std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
        {
            try {
                body(Team{omp_get_thread_num(), omp_get_num_threads()});
            } catch (...) {
#pragma omp critical(hessorbit_team)
                if (!failure) failure = std::current_exception();
            }
        }
        if (failure) std::rethrow_exception(failure);
        return;
    }
#endif
    body(Team{});
}

}  // namespace hessorbit
