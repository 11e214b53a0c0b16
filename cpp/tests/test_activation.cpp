// Activations: float64 against 80-bit long double (which the Python tests hold against mpmath), and what a row may be.
#include <doctest/doctest.h>

#include <hessorbit/activation.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

using namespace hessorbit;

namespace {

// σ, σ', σ'' of n points, which need not be a multiple of row_multiple.
template <class T>
struct Results {
    std::array<Rows<T>, 3> derivatives;

    Results(const Activation& activation, const std::vector<T>& z) {
        Rows<T> row = Rows<T>::Zero(1, padded(static_cast<Index>(z.size())));
        std::copy(z.begin(), z.end(), row.data());
        for (Rows<T>& d : derivatives) d.setConstant(1, row.cols(), T(-77));
        evaluate<T>(activation, row.data(), row.cols(), derivatives[0].data(), derivatives[1].data(),
                    derivatives[2].data());
    }

    T operator()(int order, std::size_t i) const { return derivatives[order](0, static_cast<Index>(i)); }
};

Activation standard(const ActivationDescription& description) {
    return {description.kind, description.parameter.value_or(0)};
}

bool same(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }
bool same(long double a, long double b) { return a == b && std::signbit(a) == std::signbit(b); }

// Every size of float64 and both signs, dense where functions bend.
std::vector<double> points() {
    std::vector<double> z{0.0};
    const auto both = [&](double x) { z.push_back(x), z.push_back(-x); };
    for (int i = 1; i < 20000; ++i) both(i * (12.0 / 20000) + 1e-7 * (i % 13));
    for (int i = 1; i < 20000; ++i) both(i * (45.0 / 20000) + 1e-7 * (i % 11));
    for (int i = 0; i < 8000; ++i) both(std::ldexp(1 + i / 8000.0, -i * 1074 / 8000));
    for (int i = 0; i < 4000; ++i) both(700 + i * (60.0 / 4000));
    for (int i = 0; i < 4000; ++i) both(std::ldexp(1 + i / 4000.0, i / 200));
    return z;
}

// The first of the two terms of a derivative that may cancel; 0 where there is but one.
long double term(ActivationKind kind, int order, long double z) {
    const auto of = [&](ActivationKind other, int n) { return Results<long double>({other, 0}, {z})(n, 0); };
    if (kind == ActivationKind::silu && order == 1) return of(ActivationKind::sigmoid, 0);
    if (kind == ActivationKind::silu && order == 2) return 2 * of(ActivationKind::sigmoid, 1);
    if (kind == ActivationKind::gelu && order == 1) return of(ActivationKind::normal_cdf, 0);
    if (kind == ActivationKind::gelu && order == 2) return 2 * of(ActivationKind::normal_cdf, 1);
    if (kind == ActivationKind::g && order == 2) return of(ActivationKind::sigmoid, 1);
    return 0;
}

// The last place of a double of this size.
double unit(long double size) {
    int exponent;
    std::frexp(size, &exponent);
    return std::ldexp(1.0, std::max(exponent - 53, -1074));
}

template <class T>
std::vector<T> ordinary(std::size_t n) {
    std::vector<T> z;
    for (std::size_t i = 0; i < n; ++i) z.push_back(T(i * 37 % 101) / 7 - T(7.3));
    return z;
}

}  // namespace

TEST_CASE("float64 is within 4 ulp of long double") {
    if (std::numeric_limits<long double>::digits < 64) return;
    const std::vector<double> z = points();
    const std::vector<long double> wide(z.begin(), z.end());
    for (const ActivationDescription& description : activation_table) {
        CAPTURE(description.name);
        const Results<double> actual(standard(description), z);
        const Results<long double> expected(standard(description), wide);
        for (int order = 0; order < 3; ++order) {
            double worst = 0, at = 0;
            for (std::size_t i = 0; i < z.size(); ++i) {
                const long double exact = expected(order, i), difference = std::abs(actual(order, i) - exact);
                if (std::abs(exact) > std::numeric_limits<double>::max() && std::isinf(actual(order, i))) continue;
                double error = static_cast<double>(difference / unit(exact));
                if (!(error <= 4)) {
                    const long double first = term(description.kind, order, wide[i]);
                    error = static_cast<double>(difference / unit(std::abs(first) + std::abs(exact - first)));
                }
                if (!(error <= worst)) worst = error, at = z[i];
            }
            CAPTURE(order);
            CAPTURE(at);
            // The reference is itself within 4 of its own units, 4/2048 of these.
            CHECK(worst <= 4 + 4.0 / 2048);
        }
    }
}

TEST_CASE_TEMPLATE("a result depends on its point alone", T, double, long double) {
    for (const ActivationDescription& description : activation_table) {
        CAPTURE(description.name);
        for (std::size_t n = 8; n <= 80; n += 8) {
            std::vector<T> z = ordinary<T>(n);
            z[n / 2] = T(3e7);  // sin and cos leave their fast path here, for one lane
            z[n / 2 + 1] = T(-38.3);  // and here the normal family, where its results underflow in float64
            const Results<T> together(standard(description), z);
            for (std::size_t i = 0; i < n; ++i) {
                const Results<T> alone(standard(description), {z[i]});
                for (int order = 0; order < 3; ++order) REQUIRE(same(together(order, i), alone(order, 0)));
            }
        }
    }
}

TEST_CASE_TEMPLATE("outputs may be left out, and value may overwrite z", T, double, long double) {
    const std::vector<T> z = ordinary<T>(72);
    for (const ActivationDescription& description : activation_table) {
        CAPTURE(description.name);
        const Results<T> all(standard(description), z);
        for (int wanted = 0; wanted < 8; ++wanted) {
            Rows<T> row(1, 72), slope = Rows<T>::Constant(1, 72, T(-77)), curvature = slope;
            std::copy(z.begin(), z.end(), row.data());
            evaluate<T>(standard(description), row.data(), 72, wanted & 1 ? row.data() : nullptr,
                        wanted & 2 ? slope.data() : nullptr, wanted & 4 ? curvature.data() : nullptr);
            for (std::size_t i = 0; i < z.size(); ++i) {
                const Index n = static_cast<Index>(i);
                REQUIRE(same(row(0, n), wanted & 1 ? all(0, i) : z[i]));
                REQUIRE(same(slope(0, n), wanted & 2 ? all(1, i) : T(-77)));
                REQUIRE(same(curvature(0, n), wanted & 4 ? all(2, i) : T(-77)));
            }
        }
    }
}

TEST_CASE_TEMPLATE("nothing is written past the row", T, double, long double) {
    for (const ActivationDescription& description : activation_table)
        for (Index n = 8; n <= 80; n += 8) {
            Rows<T> rows = Rows<T>::Constant(4, 88, T(-77));
            for (Index i = 0; i < n; ++i) rows(0, i) = T(i) / 5 - 2;
            evaluate<T>(standard(description), rows.row(0).data(), n, rows.row(1).data(), rows.row(2).data(),
                        rows.row(3).data());
            REQUIRE((rows.rightCols(88 - n) == T(-77)).all());
        }
}

TEST_CASE_TEMPLATE("at infinity every result is its limit", T, double, long double) {
    const T infinity = std::numeric_limits<T>::infinity();
    const auto limits = [&](ActivationKind kind, T z, std::array<T, 3> expected) {
        const Results<T> actual({kind, 0}, {z});
        for (int order = 0; order < 3; ++order) CHECK(actual(order, 0) == expected[order]);
    };
    using enum ActivationKind;
    for (const ActivationKind kind : {identity, relu, gelu, silu, softplus, elu, g})
        limits(kind, infinity, {infinity, 1, 0});
    for (const ActivationKind kind : {relu, gelu, silu, softplus, sigmoid, normal_cdf, g, exp})
        limits(kind, -infinity, {0, 0, 0});
    for (const ActivationKind kind : {tanh, sigmoid, erf, normal_cdf, softsign}) limits(kind, infinity, {1, 0, 0});
    for (const ActivationKind kind : {tanh, erf, softsign, elu}) limits(kind, -infinity, {-1, 0, 0});
    limits(exp, infinity, {infinity, infinity, infinity});
    limits(square, -infinity, {infinity, -infinity, 2});
    limits(cube, -infinity, {-infinity, infinity, -infinity});
}

TEST_CASE_TEMPLATE("what is not a number stays so", T, double, long double) {
    for (const ActivationDescription& description : activation_table) {
        CAPTURE(description.name);
        CHECK(std::isnan(Results<T>(standard(description), {std::numeric_limits<T>::quiet_NaN()})(0, 0)));
    }
}

TEST_CASE("the table is in the order of the kinds, and names are unique") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < activation_table.size(); ++i) {
        CHECK(static_cast<std::size_t>(activation_table[i].kind) == i);
        names.insert(activation_table[i].name);
    }
    CHECK(names.size() == activation_table.size());
}
