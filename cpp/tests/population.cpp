// Closed forms of moments against identities and against quadrature, which shares nothing with them but the plane.
#include <hessorbit/population/loss.hpp>

#include "problem.hpp"

#include <doctest/doctest.h>

using namespace hessorbit;
using namespace hessorbit::population;
using hessorbit::testing::Uniform;

namespace {

constexpr ActivationKind closed_kinds[] = {
    ActivationKind::identity, ActivationKind::square, ActivationKind::cube, ActivationKind::relu, ActivationKind::leaky_relu,
    ActivationKind::normal_cdf, ActivationKind::erf, ActivationKind::gelu, ActivationKind::exp, ActivationKind::sin,
    ActivationKind::cos};

constexpr double angles[] = {0.9, 2.3, 1e-3, 1e-8, 0, pi - 1e-3, pi - 1e-8};

constexpr Method by_lines{.closed = false};

Plane plane_at(double angle, double length_a, double bias_a, double length_b, double bias_b) {
    const double across = angle == 0 ? 0 : length_b * std::sin(angle);
    return {length_a, bias_a, length_b * std::cos(angle), across, bias_b};
}

double largest(const PairMoments<double>& moments) {
    double result = 0;
    for (int i = 0; i < 6; ++i)
        for (int k = 0; k < (i == 0 ? 1 : i < 3 ? 3 : 6); ++k) result = std::max(result, std::abs(moments[i][k]));
    return result;
}

PairMoments<double> difference(PairMoments<double> x, const PairMoments<double>& y) {
    for (int i = 0; i < 6; ++i)
        for (int k = 0; k < 6; ++k) x[i][k] -= y[i][k];
    return x;
}

}  // namespace

TEST_CASE_TEMPLATE("the four wedges of two lines fill the plane", T, double, long double) {
    const T places[] = {-6, -1, -0.3, 0, 1e-9, 0.7, 2, 5};
    for (const T h : places)
        for (const T k : places)
            for (const T angle : {T(1e-8), T(0.2), T(1.5), T(1.7), T(3), T(3.14159)}) {
                const T c = std::cos(angle), s = std::sin(angle);
                const auto wedge = [](T h, T k, T c, T s) { return Wedge<T>(h, k, c, s).probability(); };
                const T sides[] = {wedge(h, k, c, s), wedge(h, -k, -c, s), wedge(-h, k, -c, s), wedge(-h, -k, c, s)};
                const T rounding = 16 * std::numeric_limits<T>::epsilon();
                CHECK(std::abs(sides[0] + sides[1] - upper_tail(h)) < rounding);
                CHECK(std::abs(sides[0] + sides[2] - upper_tail(k)) < rounding);
                CHECK(std::abs(sides[0] + sides[1] + sides[2] + sides[3] - 1) < rounding);
            }
}

TEST_CASE("wedges with known probabilities") {
    for (const double angle : {1e-8, 0.3, 1.0, 2.0, 3.0})
        CHECK(Wedge<double>(0, 0, std::cos(angle), std::sin(angle)).probability() ==
              doctest::Approx((pi - angle) / (2 * pi)).epsilon(1e-15));
    for (const double h : {-2.0, 0.0, 0.5, 4.0})
        for (const double k : {-3.0, -0.5, 1.0, 6.0})
            CHECK(Wedge<double>(h, k, 0, 1).probability() ==
                  doctest::Approx(upper_tail(h) * upper_tail(k)).epsilon(1e-15).scale(upper_tail(std::abs(h))));
    CHECK(Wedge<double>(0.4, 0.4, 1, 0).probability() == doctest::Approx(upper_tail(0.4)).epsilon(1e-15));
    CHECK(Wedge<double>(0.4, 0.9, 1, 0).probability() == doctest::Approx(upper_tail(0.9)).epsilon(1e-15));
    CHECK(Wedge<double>(0.4, -0.4, -1, 0).probability() == doctest::Approx(0).scale(1).epsilon(1e-15));
    CHECK(Wedge<double>(-0.4, -0.9, -1, 0).probability() ==
          doctest::Approx(upper_tail(-0.4) - upper_tail(0.9)).epsilon(1e-15));
}

TEST_CASE("Owen's function against its integral by another rule") {
    for (const double h : {0.0, 0.5, 2.0, 7.0})
        for (const double a : {0.01, 0.4, 1.0}) {
            double sum = 0;  // Simpson's rule
            constexpr int n = 4000;
            for (int i = 0; i <= n; ++i) {
                const double x = a * i / n;
                sum += (i == 0 || i == n ? 1 : i % 2 ? 4 : 2) * std::exp(-h * h * (1 + x * x) / 2) / (1 + x * x);
            }
            CHECK(owen(h, a) == doctest::Approx(sum * a / n / 3 / (2 * pi)).epsilon(1e-12));
        }
}

TEST_CASE("small wedges are accurate relative to themselves") {
    for (const double h : {0.3, 4.0, 9.0, 20.0})
        for (const double k : {0.0, 2.0, 8.0, 19.0})
            for (const double angle : {0.1, 1.0, 1.6, 2.8}) {
                const double c = std::cos(angle), s = std::sin(angle);
                const long double wide = angle;
                const long double expected = Wedge<long double>(h, k, std::cos(wide), std::sin(wide)).probability();
                const double found = Wedge<double>(h, k, c, s).probability();
                // Errors of h, k and the angle count as often as the exponent, r²/2, is large.
                const double apex = (h * h + k * k - 2 * h * k * c) / (s * s);
                CHECK(std::abs(found - static_cast<double>(expected)) <= 1e-15 * (10 + apex) * found);
            }
    // P(x > h, y > k) = Q(h) Q(k)
    for (const double h : {4.0, 9.0, 20.0})
        for (const double k : {5.0, 19.0})
            CHECK(Wedge<double>(h, k, 0, 1).probability() ==
                  doctest::Approx(upper_tail(h) * upper_tail(k)).epsilon(1e-15 * (h * h + k * k)).scale(0));
}

TEST_CASE("closed forms and quadrature agree") {
    PairQuadrature quadrature;
    Uniform uniform(1);
    for (const ActivationKind kind_a : closed_kinds)
        for (const ActivationKind kind_b : closed_kinds) {
            const Shape a{{kind_a, 0.2}}, b{{kind_b, 0.2}};
            if (!has_closed_form(a, b)) continue;
            CAPTURE(activation_table[static_cast<int>(kind_a)].name);
            CAPTURE(activation_table[static_cast<int>(kind_b)].name);
            for (const double longest : {1.0, a.growth + b.growth > 0 ? 2.0 : 20.0})
                for (const double angle : angles) {
                    const auto u = uniform.draw<double>(4);
                    const double length_a = longest * std::abs(u[0]) + 0.1, length_b = longest * std::abs(u[1]) + 0.1;
                    const double bias_a = 3 * u[2] * length_a;
                    for (const double bias_b : {3 * u[3] * length_b, std::cos(angle) * bias_a * length_b / length_a}) {
                        CAPTURE(angle);
                        CAPTURE(bias_a);
                        CAPTURE(bias_b);
                        const Plane plane = plane_at(angle, length_a, bias_a, length_b, bias_b);
                        const auto found = ClosedForm<double>(a, b)(plane, 2);
                        const auto expected = quadrature(by_lines, a, b, plane, 2);
                        // The moments of each neuron with itself stand in the same Hessian. A step at h = 3 leaves
                        // little of polynomials, which cancel down to it: h⁴ roundings.
                        const auto own_a = ClosedForm<double>(a, a)(plane_at(0, length_a, bias_a, length_a, bias_a), 2);
                        const auto own_b = ClosedForm<double>(b, b)(plane_at(0, length_b, bias_b, length_b, bias_b), 2);
                        const double size = std::max({largest(expected), largest(own_a), largest(own_b)});
                        CHECK(largest(difference(found, expected)) <= 1e-13 * size);
                        const auto extended = rounded(ClosedForm<long double>(a, b)(plane, 2));
                        CHECK(largest(difference(found, extended)) <= 1e-13 * size);
                    }
                }
        }
}

TEST_CASE("one line and two lines agree") {
    PairQuadrature quadrature;
    Uniform uniform(3);
    for (const ActivationDescription& of_a : activation_table)
        for (const ActivationDescription& of_b : activation_table) {
            const Shape a{{of_a.kind, 0.2}}, b{{of_b.kind, 0.2}};
            if (!has_conditional(b)) continue;
            CAPTURE(of_a.name);
            CAPTURE(of_b.name);
            const double longest = a.growth + b.growth > 0 ? 2 : 8;
            for (const double angle : {0.9, 2.5, 1e-8}) {
                CAPTURE(angle);
                const auto u = uniform.draw<double>(4);
                const double length_a = longest * std::abs(u[0]) + 0.1, length_b = longest * std::abs(u[1]) + 0.1;
                const Plane plane = plane_at(angle, length_a, 2 * u[2] * length_a, length_b, 2 * u[3] * length_b);
                const auto found = quadrature({}, a, b, plane, 2), expected = quadrature(by_lines, a, b, plane, 2);
                const auto own_a = quadrature({}, a, a, plane_at(0, length_a, plane.bias_a, length_a, plane.bias_a), 2);
                const auto own_b = quadrature({}, b, b, plane_at(0, length_b, plane.bias_b, length_b, plane.bias_b), 2);
                const double size = std::max({largest(expected), largest(own_a), largest(own_b)});
                CHECK(largest(difference(found, expected)) <= 1e-13 * size);
            }
        }
}

TEST_CASE("a neuron without weights is constant") {
    PairQuadrature quadrature;
    for (const ActivationKind kind_a : closed_kinds)
        for (const ActivationKind kind_b : closed_kinds) {
            const Shape a{{kind_a, 0.2}}, b{{kind_b, 0.2}};
            if (!has_closed_form(a, b)) continue;
            for (const double bias : {-0.4, 0.0, 0.7}) {
                const Plane plane{0.8, 0.3, 0, 0, bias};
                const auto found = ClosedForm<double>(a, b)(plane, 2), expected = quadrature(by_lines, a, b, plane, 2);
                CHECK(largest(difference(found, expected)) <= 1e-14 * largest(expected));
            }
        }
}

namespace {

// A student of six neurons and a teacher of two, with what they are integrated by.
struct Case {
    std::vector<Activation> activations;
    std::vector<double> incoming, bias, outgoing;
    static constexpr Index inputs = 3, outputs = 2, students = 6, neurons = 8;

    explicit Case(std::initializer_list<ActivationKind> kinds) {
        for (Index i = 0; i < neurons; ++i) activations.push_back({kinds.begin()[i % kinds.size()], 0.1});
        Uniform uniform(2);
        incoming = uniform.draw<double>(neurons * inputs), bias = uniform.draw<double>(neurons);
        outgoing = uniform.draw<double>((neurons + 1) * outputs);
    }

    Index num_parameters() const { return students * (inputs + 1 + outputs) + outputs; }
    population::Loss loss() const { return {activations, students, {}}; }

    // Loss, gradient and Hessian in one row.
    std::vector<double> all(population::Loss& loss, int threads) const {
        const Index p = num_parameters();
        std::vector<double> result(1 + p + p * p);
        result[0] = loss(incoming.data(), bias.data(), outgoing.data(), inputs, outputs, 1, threads, result.data() + 1,
                         result.data() + 1 + p, Curvature::hessian);
        return result;
    }
};

}  // namespace

TEST_CASE("the population loss has the same bits at any number of threads, whatever was computed before") {
    using enum ActivationKind;
    for (const Case& one : {Case{erf, gelu, relu}, Case{tanh, relu}, Case{sin, cube}}) {
        population::Loss loss = one.loss(), other = one.loss();
        const std::vector<double> expected = one.all(loss, 1);
        Case before = one;
        // The student's neurons are the teacher's, in another order.
        std::copy_n(one.incoming.end() - 3, 3, before.incoming.begin());
        std::copy_n(one.incoming.end() - 6, 3, before.incoming.begin() + 3);
        before.bias[0] = one.bias[7], before.bias[1] = one.bias[6];
        before.all(other, 1);
        for (const int threads : {1, 2, 5}) CHECK(one.all(other, threads) == expected);
    }
}
