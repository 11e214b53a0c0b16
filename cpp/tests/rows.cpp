// The two products over rows, on small integers, whose sums are exact in any order.
#include <doctest/doctest.h>

#include <hessorbit/kernel/rows.hpp>

using namespace hessorbit;

namespace {

template <class T>
Rows<T> integers(Index rows, Index columns, Index seed) {
    Rows<T> result(rows, columns);
    for (Index i = 0; i < rows; ++i)
        for (Index n = 0; n < columns; ++n) result(i, n) = static_cast<T>((seed + 7 * i + 5 * n + i * n) % 11 - 5);
    return result;
}

}  // namespace

TEST_CASE_TEMPLATE("contract sums samples away", T, double, long double) {
    for (Index n : {8, 16, 24, 64, 104})
        for (Index left_count = 1; left_count <= 13; ++left_count)
            for (Index right_count = 1; right_count <= 9; ++right_count) {
                Rows<T> left = integers<T>(left_count, n, 1), right = integers<T>(right_count, n, 4);
                Matrix<T> product = Matrix<T>::Zero(left_count, right_count);
                contract<T>(RowsView<T>(left), left_count, RowsView<T>(right), right_count, n,
                            [&](Index a, Index b, T sum) { product(a, b) += sum; });
                for (Index a = 0; a < left_count; ++a)
                    for (Index b = 0; b < right_count; ++b) {
                        T expected = 0;
                        for (Index k = 0; k < n; ++k) expected += left(a, k) * right(b, k);
                        REQUIRE(product(a, b) == expected);
                    }
            }
}

TEST_CASE_TEMPLATE("combine applies a matrix to rows", T, double, long double) {
    for (Index n : {8, 16, 24, 56})
        for (Index out_count = 1; out_count <= 9; ++out_count)
            for (Index in_count = 1; in_count <= 6; ++in_count) {
                const Index stride = in_count + 2;
                Rows<T> matrix = integers<T>(out_count, stride, 2), in = integers<T>(in_count, n, 3);
                Rows<T> out = integers<T>(out_count, n, 9);
                const Rows<T> before = out;
                combine<T, true>(matrix.data(), stride, out_count, in_count, RowsView<T>(in), RowsView<T>(out), n);
                for (Index i = 0; i < out_count; ++i)
                    for (Index k = 0; k < n; ++k) {
                        T expected = before(i, k);
                        for (Index j = 0; j < in_count; ++j) expected += matrix(i, j) * in(j, k);
                        REQUIRE(out(i, k) == expected);
                    }
                const Rows<T> accumulated = out;
                combine<T>(matrix.data(), stride, out_count, in_count, RowsView<T>(in), RowsView<T>(out), n);
                REQUIRE((out + before == accumulated).all());
            }
}

TEST_CASE_TEMPLATE("sum_row adds a row", T, double, long double) {
    for (Index n = 8; n <= 80; n += 8) {
        Rows<T> row = integers<T>(1, n, 5);
        T expected = 0;
        for (Index k = 0; k < n; ++k) expected += row(0, k);
        CHECK(sum_row(row.data(), n) == expected);
    }
}
