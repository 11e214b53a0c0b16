// Each derivative against differences of the one below it, in extended precision; then float64 against extended precision.
#include "problem.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace hessorbit;
using hessorbit::testing::Problem;
using hessorbit::testing::Uniform;
using hessorbit::testing::problems;

namespace {

using Extended = long double;
using Vector = std::vector<Extended>;

template <class T>
void check_close(const std::vector<T>& actual, const Vector& expected, Extended relative) {
    REQUIRE(actual.size() == expected.size());
    Extended size = 0, error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        size = std::max(size, std::abs(expected[i]));
        error = std::max(error, std::abs(static_cast<Extended>(actual[i]) - expected[i]));
    }
    CHECK(static_cast<double>(error) <= static_cast<double>(relative * size));
}

// Central differences with step 1e-6: the truncation, h²/6 times a third derivative, and the rounding, 1e-19/h, are both
// near 1e-13 of the size of the functions here. A third derivative a thousand times larger is allowed for.
constexpr Extended step = 1e-6L, tolerance = 1e-9L;

// Row p holds (f(θ + h e_p) − f(θ − h e_p)) / 2h.
Vector differences(const std::function<Vector(const Vector&)>& f, const Vector& theta) {
    Vector rows;
    for (std::size_t p = 0; p < theta.size(); ++p) {
        Vector above = theta, below = theta;
        above[p] += step, below[p] -= step;
        const Vector high = f(above), low = f(below);
        for (std::size_t i = 0; i < high.size(); ++i) rows.push_back((high[i] - low[i]) / (above[p] - below[p]));
    }
    return rows;
}

Vector transposed(const Vector& a, Index rows) {
    const Index columns = static_cast<Index>(a.size()) / rows;
    Vector result;
    for (Index j = 0; j < columns; ++j)
        for (Index i = 0; i < rows; ++i) result.push_back(a[i * columns + j]);
    return result;
}

template <class T>
struct Results {
    T loss = 0;
    std::vector<T> gradient, outputs, jacobian, hessian, diagonal, product;

    Results(Objective<T>& objective, const std::vector<T>& theta, const std::vector<T>& v, int threads) {
        const std::size_t p = theta.size(), nk = objective.samples() * objective.network().outputs();
        gradient.resize(p), diagonal.resize(p), product.resize(p);
        outputs.resize(nk), jacobian.resize(nk * p), hessian.resize(p * p);
        objective.value_and_gradient(theta.data(), 1, threads, &loss, gradient.data());
        objective.outputs(theta.data(), 1, threads, outputs.data());
        objective.jacobian(theta.data(), 1, threads, jacobian.data());
        objective.hessian(theta.data(), 1, threads, false, hessian.data());
        objective.hessian_diagonal(theta.data(), 1, threads, diagonal.data());
        objective.product(theta.data(), 1, v.data(), 1, false, threads, product.data());
    }
};

template <class T>
Results<T> evaluate(const Problem& problem, int threads) {
    Objective<T> objective = problem.objective<T>();
    const std::vector<T> theta = problem.theta<T>();
    return Results<T>(objective, theta, Uniform(3).draw<T>(objective.num_parameters()), threads);
}

}  // namespace

TEST_CASE("extended precision against differences") {
    for (const Problem& problem : problems()) {
        CAPTURE(problem.name);
        Objective<Extended> objective = problem.objective<Extended>();
        const Vector theta = problem.theta<Extended>();
        const Index p = objective.num_parameters();
        const Results<Extended> at = evaluate<Extended>(problem, 1);

        const auto loss = [&](const Vector& t) {
            Vector value(1);
            objective.value_and_gradient(t.data(), 1, 1, value.data(), nullptr);
            return value;
        };
        const auto gradient = [&](const Vector& t) {
            Vector value(p);
            objective.value_and_gradient(t.data(), 1, 1, nullptr, value.data());
            return value;
        };
        const auto outputs = [&](const Vector& t) {
            Vector value(at.outputs.size());
            objective.outputs(t.data(), 1, 1, value.data());
            return value;
        };
        check_close(at.gradient, differences(loss, theta), tolerance);
        check_close(at.jacobian, transposed(differences(outputs, theta), p), tolerance);
        check_close(at.hessian, differences(gradient, theta), tolerance);
    }
}

TEST_CASE("diagonal and products of the Hessian") {
    for (const Problem& problem : problems()) {
        CAPTURE(problem.name);
        const Results<Extended> at = evaluate<Extended>(problem, 1);
        const Index p = static_cast<Index>(at.gradient.size());
        const Vector v = Uniform(3).draw<Extended>(p);
        Vector diagonal(p), product(p);
        for (Index i = 0; i < p; ++i) {
            diagonal[i] = at.hessian[i * p + i];
            for (Index j = 0; j < p; ++j) {
                CHECK(at.hessian[i * p + j] == at.hessian[j * p + i]);
                product[i] += at.hessian[i * p + j] * v[j];
            }
        }
        // A few hundred operations of 5e-20 each.
        check_close(at.diagonal, diagonal, 1e-16L);
        check_close(at.product, product, 1e-16L);
    }
}

TEST_CASE("float64 against extended precision") {
    for (const Problem& problem : problems()) {
        CAPTURE(problem.name);
        const Results<Extended> expected = evaluate<Extended>(problem, 1);
        const Results<double> actual = evaluate<double>(problem, 1);
        const Extended accuracy = 1e-13L * std::sqrt(static_cast<Extended>(expected.gradient.size()));
        check_close(std::vector<double>{actual.loss}, {expected.loss}, accuracy);
        check_close(actual.gradient, expected.gradient, accuracy);
        check_close(actual.outputs, expected.outputs, accuracy);
        check_close(actual.jacobian, expected.jacobian, accuracy);
        check_close(actual.hessian, expected.hessian, accuracy);
        check_close(actual.diagonal, expected.diagonal, accuracy);
        check_close(actual.product, expected.product, accuracy);
    }
}

TEST_CASE("the same bits for any number of threads") {
    for (const Problem& problem : problems()) {
        CAPTURE(problem.name);
        const Results<double> one = evaluate<double>(problem, 1);
        for (int threads : {2, 3, 8}) {
            const Results<double> many = evaluate<double>(problem, threads);
            CHECK(many.loss == one.loss);
            CHECK(many.gradient == one.gradient);
            CHECK(many.outputs == one.outputs);
            CHECK(many.jacobian == one.jacobian);
            CHECK(many.hessian == one.hessian);
            CHECK(many.diagonal == one.diagonal);
            CHECK(many.product == one.product);
        }
    }
}
