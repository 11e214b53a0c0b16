// What derivatives of the loss need of a pair of neurons: moments of products of derivatives of their activations.
#pragma once

#include <array>

namespace hessorbit::population {

// Pairs (order of φ, order of ψ) that derivatives need: of the loss the first, of the gradient the first three.
inline constexpr std::array<std::array<int, 2>, 6> products{{{0, 0}, {1, 0}, {0, 1}, {2, 0}, {0, 2}, {1, 1}}};

inline constexpr int product_of(int left, int right) {
    for (int i = 0; i < 6; ++i)
        if (products[i][0] == left && products[i][1] == right) return i;
    return -1;
}

// Of derivatives of the loss up to an order.
inline constexpr int product_count(int order) { return order < 0 ? 0 : order == 0 ? 1 : order == 1 ? 3 : 6; }

// The degree of the moments that are needed of a product.
inline constexpr int needed_degree(int product) { return product == 0 ? 0 : product < 3 ? 1 : 2; }

// M₀₀, M₁₀, M₀₁, M₂₀, M₁₁, M₀₂; those beyond the degree that is needed need not be there.
template <class T>
using Moments = std::array<T, 6>;

template <class T>
using PairMoments = std::array<Moments<T>, 6>;

}  // namespace hessorbit::population
