// Polynomials of low degree, and the rule that integrates them exactly against the normal density.
#pragma once

#include <array>
#include <numbers>
#include <cmath>

namespace hessorbit::population {

// Σ_k c_k z^k
template <class T>
struct Polynomial {
    static constexpr int most = 3;
    std::array<T, most + 1> c{};
    int degree = -1;  // −1: 0

    Polynomial() = default;
    Polynomial(std::initializer_list<T> coefficients) {
        for (const T each : coefficients) {
            c[++degree] = each;
        }
        while (degree >= 0 && c[degree] == 0) --degree;
    }

    bool zero() const { return degree < 0; }

    template <class Z>
    Z operator()(Z z) const {
        Z sum = 0;
        for (int k = degree; k >= 0; --k) sum = sum * z + c[k];
        return sum;
    }

    Polynomial derivative() const { return {c[1], 2 * c[2], 3 * c[3]}; }
};

// Σ_i weight_i f(node_i) is E[f(t)], t ~ N(0, 1), for polynomials f of degree below 2·count (Gauss–Hermite).
struct HermiteRule {
    int count;
    std::array<long double, 4> node, weight;
};

inline const HermiteRule& hermite_rule(int degree) {
    static const long double inner = std::sqrt(3 - std::sqrt(6.0L)), outer = std::sqrt(3 + std::sqrt(6.0L));
    static const long double light = (3 - std::sqrt(6.0L)) / 12, heavy = (3 + std::sqrt(6.0L)) / 12;
    static const std::array<HermiteRule, 4> rules{{
        {1, {0}, {1}},
        {2, {-1, 1}, {0.5L, 0.5L}},
        {3, {-std::numbers::sqrt3_v<long double>, 0, std::numbers::sqrt3_v<long double>}, {1 / 6.0L, 2 / 3.0L, 1 / 6.0L}},
        {4, {-outer, -inner, inner, outer}, {light, heavy, heavy, light}},
    }};
    return rules[degree / 2];
}

}  // namespace hessorbit::population
