// What completes symmetric matrices, against the definition, for every size and place that a caller may have.
#include <doctest/doctest.h>

#include <hessorbit/kernel/symmetric.hpp>

#include <vector>

using namespace hessorbit;

namespace {

// Entry (i, j) of the upper triangle; what is below, and beside the block, is −1.
template <class T>
std::vector<T> upper_triangle(Index rows, Index stride, Index n) {
    std::vector<T> matrix(rows * stride, T(-1));
    for (Index i = 0; i < n; ++i)
        for (Index j = i; j < n; ++j) matrix[i * stride + j] = T(100 * i + j + 1);
    return matrix;
}

template <class T>
void check_block(Index stride, Index n) {
    const std::vector<T> before = upper_triangle<T>(n + 1, stride, n);
    std::vector<T> after = before;
    reflect(after.data(), stride, n);
    bool right = true;
    for (Index i = 0; i <= n; ++i)
        for (Index j = 0; j < stride; ++j)
            right &= after[i * stride + j] == before[i < n && j < i ? j * stride + i : i * stride + j];
    CHECK(right);
}

}  // namespace

TEST_CASE_TEMPLATE("reflect writes the lower triangle of a block and nothing else", T, double, long double) {
    for (Index n = 0; n <= 70; ++n)
        for (const Index more : {0, 1, 9}) check_block<T>(n + more, n);
}

TEST_CASE("reflect_rows writes its rows alone, wherever they begin and end") {
    const Index n = 45;
    const std::vector<double> before = upper_triangle<double>(n, n, n);
    for (Index begin = 0; begin < n; ++begin)
        for (Index end = begin; end <= n; ++end) {
            std::vector<double> after = before;
            reflect_rows(after.data(), n, {begin, end});
            bool right = true;
            for (Index i = 0; i < n; ++i)
                for (Index j = 0; j < n; ++j)
                    right &= after[i * n + j] == before[i >= begin && i < end && j < i ? j * n + i : i * n + j];
            CHECK(right);
        }
}

TEST_CASE("complete_symmetric adds its shift to the diagonal once") {
    for (const Index n : {1, 2, 7, 8, 9, 33}) {
        std::vector<double> matrix = upper_triangle<double>(n, n, n);
        complete_symmetric(matrix.data(), n, 0.5);
        for (Index i = 0; i < n; ++i)
            for (Index j = 0; j < n; ++j)
                CHECK(matrix[i * n + j] == 100 * std::min(i, j) + std::max(i, j) + 1 + (i == j ? 0.5 : 0));
    }
}
