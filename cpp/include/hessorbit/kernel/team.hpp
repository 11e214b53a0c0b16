// Work shared among threads: the one place where anything in the core is done by several.
#pragma once

#include "pool.hpp"

#include <cstdlib>
#include <thread>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace hessorbit {

// Threads that a call may take where its caller names no number: OpenMP's limit, which the environment, the CPUs of the
// process and threadpoolctl govern. It is all that OpenMP is used for.
inline int max_threads() {
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    const char* const limit = std::getenv("OMP_NUM_THREADS");
    const int wanted = limit ? std::atoi(limit) : 0;
    return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#endif
}

// Calls body(share) on up to `threads` threads, the calling one among them; together their shares hold every part of
// every phase once, with parts(phase) of each (job.hpp). What a part throws is thrown again here, once.
template <class Pieces, class Body>
void share_phases(int threads, int phases, const Pieces& parts, const Body& body) {
    struct Work {
        const Pieces& parts;
        const Body& body;
    } work{parts, body};
    Job job(
        threads, phases, &work, [](void* of, int phase) -> Index { return static_cast<Work*>(of)->parts(phase); },
        [](void* of, Share& share) { static_cast<Work*>(of)->body(share); });
    if (threads > 1)
        Pool::shared().run(job);
    else
        job.run_alone();
}

// The same for parts 0 … count − 1 of one phase.
template <class Body>
void share_parts(int threads, Index count, const Body& body) {
    share_phases(
        static_cast<int>(std::min<Index>(threads, count)), 1, [count](int) { return count; }, body);
}

}  // namespace hessorbit
