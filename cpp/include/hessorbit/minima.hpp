// The global minimum nearest to each of many θ₀: minima/role_costs.hpp says what the global minima are,
// minima/search.hpp how the nearest is found.
#pragma once

#include "kernel/team.hpp"
#include "minima/piece.hpp"
#include "minima/search.hpp"

#include <cmath>
#include <utility>
#include <vector>

namespace hessorbit::minima {

struct Found {
    Assignment::Minimum minimum;
    double distance, lower_bound;
    int64_t nodes;
};

// The power of 2 by which weights of largest absolute value `size` are multiplied so that their squares, and squares of
// products of two, are float64 numbers: 1, unless they are very large or very small.
inline double unit_of(double size) {
    constexpr double largest = 1e75, smallest = 1e-75;
    if (size == 0 || (size >= smallest && size <= largest)) return 1;
    int exponent;
    std::frexp(size > largest ? size / largest : size, &exponent);
    return std::ldexp(1.0, -exponent);
}

inline double size_of(const Weights& weights) {
    return std::max({weights.incoming.cwiseAbs().maxCoeff(), weights.outgoing.cwiseAbs().maxCoeff(),
                     weights.output.cwiseAbs().maxCoeff()});
}

inline Geometry in_units_of(double unit, Geometry geometry) {
    geometry.incoming *= unit;
    geometry.outgoing *= unit;
    if (geometry.bias) geometry.bias = geometry.bias->in_units_of(unit);
    return geometry;
}

inline Weights in_units_of(double unit, Weights weights) {
    weights.incoming *= unit;
    weights.outgoing *= unit;
    weights.output *= unit;
    return weights;
}

// All terms of the distance² are of one degree in the weights, so that it is found in units in which it does not
// overflow.
inline Found nearest(const Geometry& geometry, const Weights& start, const Options& options) {
    const double size =
        std::max({size_of(start), geometry.incoming.cwiseAbs().maxCoeff(), geometry.outgoing.cwiseAbs().maxCoeff()});
    const double unit = unit_of(size);
    const Geometry geometry_there = in_units_of(unit, geometry);
    const Weights start_there = in_units_of(unit, start);
    const RoleCosts costs(geometry_there, start_there);
    auto [minimum, value, lower, nodes] = Search(costs, options).run();
    minimum.weights = in_units_of(1 / unit, std::move(minimum.weights));
    return {std::move(minimum), std::sqrt(value) / unit, std::sqrt(lower) / unit, nodes};
}

// The distance of a point from the equations of a piece: the root of the sum of their squared residuals.
inline double violation(const Geometry& geometry, const Weights& point, const Piece& piece) {
    const double size =
        std::max({size_of(point), geometry.incoming.cwiseAbs().maxCoeff(), geometry.outgoing.cwiseAbs().maxCoeff()});
    const double unit = unit_of(size);
    const Geometry geometry_there = in_units_of(unit, geometry);
    const Weights point_there = in_units_of(unit, point);
    return std::sqrt(Violation(geometry_there, point_there, piece).squared()) / unit;
}

// One search for each start; searches are independent, so the results are the same for any number of threads.
inline std::vector<Found> nearest(const Geometry& geometry, const std::vector<Weights>& starts, const Options& options,
                                  int threads) {
    std::vector<Found> results(starts.size());
    share_parts(threads, static_cast<Index>(starts.size()), [&](Share& share) {
        for (const Part start : share) results[start.index] = nearest(geometry, starts[start.index], options);
    });
    return results;
}

}  // namespace hessorbit::minima
