// Gauss–Legendre nodes and weights on [−1, 1], by Newton's method on the Legendre polynomial.
#pragma once

#include <array>
#include <cmath>
#include <numbers>

namespace hessorbit::population {

template <int points, class T = double>
struct Legendre {
    std::array<T, points> node, weight;

    Legendre() {
        constexpr int n = points;
        for (int i = 0; i < n; ++i) {
            long double x = std::cos(std::numbers::pi_v<long double> * (i + 0.75L) / (n + 0.5L)), slope = 1;
            for (int iteration = 0; iteration < 20; ++iteration) {
                long double before = 1, value = x;
                for (int k = 2; k <= n; ++k) {
                    const long double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
                    before = value, value = next;
                }
                slope = n * (before - x * value) / (1 - x * x);
                x -= value / slope;
            }
            node[i] = static_cast<T>(-x), weight[i] = static_cast<T>(2 / ((1 - x * x) * slope * slope));
        }
    }
};

}  // namespace hessorbit::population
