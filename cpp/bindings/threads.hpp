// How many threads a call uses.
#pragma once

#include "bindings.hpp"

#include <hessorbit/kernel/team.hpp>

#include <algorithm>

namespace hessorbit::bindings {

inline constexpr int most_threads = 1024;  // beyond, systems cannot start them

// The number of threads asked for, refused where it is none; 0 asks for as many as OpenMP would use.
inline int thread_count(int threads) {
    require(threads >= 0 && threads <= most_threads, "threads: expected a number from 0 to 1024");
    return std::min(threads > 0 ? threads : max_threads(), most_threads);
}


}  // namespace hessorbit::bindings
