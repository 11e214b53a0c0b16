// The two products over rows, on small integers, whose sums are exact in any order.
#include <doctest/doctest.h>

#include <hessorbit/kernel/rows.hpp>

#include <vector>

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

TEST_CASE_TEMPLATE("contract_columns adds products of rows that lie anywhere", T, double, long double) {
    constexpr Index tile = Lanes<T>::right;
    for (Index n : {8, 24, 104})
        for (Index left_count = 1; left_count <= 13; ++left_count)
            for (Index columns = 1; columns <= 3; ++columns) {
                Rows<T> left = integers<T>(left_count, n, 1), right = integers<T>(columns * tile, n, 4);
                const Index step = (left_count + 2) * tile;
                std::vector<const T*> l, r;
                for (Index a = 0; a < left_count; ++a) l.push_back(&left(left_count - 1 - a, 0));
                for (Index b = 0; b < columns * tile; ++b) r.push_back(&right(b, 0));
                std::vector<T> out(columns * step + row_multiple, T(3));
                contract_columns<T>(l.data(), left_count, r.data(), columns, n, out.data(), step);
                for (Index a = 0; a < left_count + 2; ++a)
                    for (Index b = 0; b < columns * tile; ++b) {
                        T expected = 3;
                        for (Index k = 0; a < left_count && k < n; ++k)
                            expected += left(left_count - 1 - a, k) * right(b, k);
                        REQUIRE(out[b / tile * step + a * tile + b % tile] == expected);
                    }
            }
}

TEST_CASE_TEMPLATE("multiply_rows adds products row by row", T, double, long double) {
    for (Index n : {8, 24, 56})
        for (Index count = 1; count <= 5; ++count) {
            Rows<T> a = integers<T>(2 * count, n, 1), b = integers<T>(count, n, 4), out(1, n);
            const RowsView<T> every_other(a.data(), 2 * a.cols());
            multiply_rows<T>(every_other, RowsView<T>(b), count, n, out.data());
            for (Index k = 0; k < n; ++k) {
                T expected = 0;
                for (Index i = 0; i < count; ++i) expected += a(2 * i, k) * b(i, k);
                REQUIRE(out(0, k) == expected);
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
