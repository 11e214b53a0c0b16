// Inertias and solutions by LDLᵀ, and the triangle in which it is kept.
#include <doctest/doctest.h>

#include <hessorbit/ldlt.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

using namespace hessorbit;

TEST_CASE("columns of a lower triangle lie apart, in step with rows") {
    for (const Index n : {1, 8, 63, 64, 65, 130, 300}) {
        LowerColumns lower(n);
        CHECK(lower.groups_from(0) == (n + 63) / 64);
        for (Index g = 0; g < lower.groups_from(0); ++g)
            for (Index j = lower.group(g).begin; j < lower.group(g).end; ++j) {
                CHECK(reinterpret_cast<std::uintptr_t>(lower.column(j)) % 64 == 0);
                std::fill(lower.column(j) + lower.group(g).begin, lower.column(j) + padded(n), static_cast<double>(j));
            }
        for (Index j = 0; j < n; ++j)
            for (Index i = j; i < padded(n); ++i) REQUIRE(lower.column(j)[i] == static_cast<double>(j));
    }
}

// A = 2 n · 1 on the antidiagonal, and min(i, j) + 1 elsewhere: whole numbers, so that products with a vector are exact.
TEST_CASE("solutions of whole numbers, whatever the number of threads") {
    for (const Index n : {1, 2, 7, 33, 65, 129, 300, 600}) {
        std::vector<double> matrix(static_cast<std::size_t>(n * n));
        for (Index i = 0; i < n; ++i)
            for (Index j = 0; j < n; ++j)
                matrix[static_cast<std::size_t>(i * n + j)] =
                    static_cast<double>(i + j + 1 == n ? 2 * n * n : std::min(i, j) + 1);
        std::vector<double> x(static_cast<std::size_t>(3 * n)), b(x.size(), 0.0);
        for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<double>(k % 7) - 3;
        for (Index i = 0; i < n; ++i)
            for (Index j = 0; j < n; ++j)
                for (Index c = 0; c < 3; ++c)
                    b[static_cast<std::size_t>(3 * i + c)] +=
                        matrix[static_cast<std::size_t>(i * n + j)] * x[static_cast<std::size_t>(3 * j + c)];
        std::vector<double> one = b, two = b;
        const Ldlt alone(matrix.data(), n, 0.0, 1), shared(matrix.data(), n, 0.0, 2);
        alone.solve(one.data(), 3), shared.solve(two.data(), 3);
        CHECK(one == two);
        CHECK(alone.inertia() == shared.inertia());
        // Row sums of the rest are n (n + 1)/2 at most, so A's condition number is below 3: errors are some 100 eps ‖x‖.
        for (std::size_t k = 0; k < x.size(); ++k) CHECK(std::abs(one[k] - x[k]) <= 1e-11);
        // The antidiagonal outweighs the rest: as many eigenvalues ±2 n² as it has, an odd one in the middle positive.
        CHECK(alone.inertia() == std::pair<Index, Index>(n / 2, 0));
    }
}
