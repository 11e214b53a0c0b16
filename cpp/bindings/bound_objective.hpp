// An objective as Python holds it.
#pragma once

#include "names.hpp"
#include "threads.hpp"

#include <hessorbit/full_range.hpp>

#include <memory>
#include <type_traits>

namespace hessorbit::bindings {

// An objective with the number of threads asked for; 0 follows OpenMP's limit at each call.
template <class T>
struct BoundObjective {
    std::conditional_t<std::is_same_v<T, double>, FullRangeObjective, Objective<T>> core;
    int threads;

    int team() const { return thread_count(threads); }
};

// How float64 gets at long double, which `_common` holds; set when a module with objectives in float64 is made.
inline WideObjectiveFactory wide_objective_factory = nullptr;
inline constexpr const char* wide_objective_capsule = "wide_objective_factory";

template <class T>
std::unique_ptr<BoundObjective<T>> bound(const Network& network, const Loss& loss, T l2, Data<T> data, int threads) {
    thread_count(threads);
    if constexpr (std::is_same_v<T, double>)
        return std::unique_ptr<BoundObjective<T>>(
            new BoundObjective<T>{{network, loss, l2, std::move(data), wide_objective_factory}, threads});
    else
        return std::unique_ptr<BoundObjective<T>>(new BoundObjective<T>{{network, loss, l2, std::move(data)}, threads});
}

}  // namespace hessorbit::bindings
