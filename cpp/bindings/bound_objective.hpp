// An objective as Python holds it.
#pragma once

#include "names.hpp"

#include <hessorbit/objective.hpp>

namespace hessorbit::bindings {

inline int thread_count(int threads) { return threads > 0 ? threads : max_threads(); }

// An objective with the number of threads asked for; 0 follows OpenMP's limit at each call.
template <class T>
struct BoundObjective {
    Objective<T> core;
    int threads;

    int team() const { return thread_count(threads); }
};

}  // namespace hessorbit::bindings
