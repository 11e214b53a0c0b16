// Eigenvalues in two stages: what each stage keeps, and known spectra.
#include <doctest/doctest.h>

#include <hessorbit/eigenvalues.hpp>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

using namespace hessorbit;

namespace {

// Whole numbers, so that sums of a few are exact.
std::vector<double> whole_numbers(Index n) {
    std::vector<double> matrix(static_cast<std::size_t>(n * n));
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j <= i; ++j) {
            const auto entry = static_cast<double>((31 * i + 17 * j + i * j) % 101 - 50);
            matrix[static_cast<std::size_t>(i * n + j)] = matrix[static_cast<std::size_t>(j * n + i)] = entry;
        }
    return matrix;
}

// Sums of the eigenvalues and of their squares, of a symmetric matrix.
std::pair<double, double> traces(const std::vector<double>& matrix, Index n) {
    double trace = 0, squares = 0;
    for (Index i = 0; i < n; ++i) trace += matrix[static_cast<std::size_t>(i * n + i)];
    for (const double entry : matrix) squares += entry * entry;
    return {trace, squares};
}

}  // namespace

TEST_CASE("blocks are transposed") {
    constexpr Index stride = lane_count + 3;
    std::vector<double> from(stride * lane_count), to(stride * lane_count);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<double>(i);
    transpose(from.data(), stride, to.data(), stride);
    for (Index i = 0; i < lane_count; ++i)
        for (Index j = 0; j < lane_count; ++j)
            CHECK(to[static_cast<std::size_t>(i * stride + j)] == from[static_cast<std::size_t>(j * stride + i)]);
}

TEST_CASE("each stage keeps the trace and the sum of squares") {
    for (const Index n : {1, 2, 3, 15, 16, 17, 18, 31, 33, 34, 64, 100, 129}) {
        const std::vector<double> matrix = whole_numbers(n);
        const auto [trace, squares] = traces(matrix, n);
        const double tolerance = 100 * std::numeric_limits<double>::epsilon() * static_cast<double>(n);
        BandReduction reduction(matrix.data(), n, 1);
        Band band = reduction();
        const auto check = [&](Index width) {
            double sum = 0, square = 0;
            for (Index j = 0; j < band.size(); ++j)
                for (Index i = j; i < std::min(j + width + 1, band.size()); ++i) {
                    const double entry = *band.at(i, j);
                    sum += i == j ? entry : 0, square += (i == j ? 1 : 2) * entry * entry;
                }
            CHECK(std::abs(sum - trace) <= tolerance * std::sqrt(squares));
            CHECK(std::abs(square - squares) <= tolerance * squares);
        };
        check(Band::bandwidth);
        BulgeChasing(band, n, 2);
        check(1);
    }
}

TEST_CASE("known eigenvalues of a tridiagonal matrix, whatever the number of threads") {
    for (const Index n : {1, 2, 5, 32, 33, 100}) {
        const auto size = static_cast<std::size_t>(n);
        const Tridiagonal second_differences(std::vector<double>(size, 2.0), std::vector<double>(size - 1, -1.0));
        const std::vector<double> values = second_differences.eigenvalues(1);
        CHECK(values == second_differences.eigenvalues(3));
        for (Index k = 0; k < n; ++k) {
            const double angle = std::numbers::pi * static_cast<double>(k + 1) / static_cast<double>(n + 1);
            CHECK(std::abs(values[static_cast<std::size_t>(k)] - (2 - 2 * std::cos(angle))) <= 4e-15);
        }
    }
}

TEST_CASE("parts that do not touch, and eigenvalues that coincide") {
    const Tridiagonal pairs({1, 1, 1, 1, 0, 0}, {1, 0, 1, 0, 0});
    const std::vector<double> values = pairs.eigenvalues(1), expected{0, 0, 0, 0, 2, 2};
    for (std::size_t k = 0; k < 6; ++k) CHECK(std::abs(values[k] - expected[k]) <= 4e-15);
}

TEST_CASE("eigenvalues have the same bits on any number of threads") {
    for (const Index n : {1, 2, 17, 40, 150}) {
        const std::vector<double> matrix = whole_numbers(n);
        const std::vector<double> values = symmetric_eigenvalues(matrix.data(), n, 1);
        for (const int threads : {2, 3, 8}) CHECK(symmetric_eigenvalues(matrix.data(), n, threads) == values);
    }
}
