// Calls after the first allocate nothing. malloc, which operator new and Eigen both call, is replaced by one that counts.
#include "problem.hpp"

#include <hessorbit/population/loss.hpp>

#include <doctest/doctest.h>

#if defined(__GLIBC__)

#include <atomic>

namespace {

std::atomic<long> allocations{0};

}  // namespace

extern "C" void* __libc_malloc(std::size_t size);

extern "C" __attribute__((visibility("default"))) void* malloc(std::size_t size) {
    ++allocations;
    return __libc_malloc(size);
}

using namespace hessorbit;
using hessorbit::testing::problems;

TEST_CASE_TEMPLATE("no allocation after the first call", T, double, long double) {
    for (const auto& problem : problems()) {
        CAPTURE(problem.name);
        const long at_start = allocations;
        Objective<T> objective = problem.objective<T>();
        CHECK(allocations > at_start);
        const std::vector<T> theta = problem.theta<T>();
        const std::size_t p = theta.size(), nk = objective.samples() * objective.network().outputs();
        T loss;
        std::vector<T> gradient(p), outputs(nk), jacobian(nk * p), hessian(p * p);
        for (const int threads : {1, 2}) {
            CAPTURE(threads);
            const auto count = [&](auto call) {
                call();
                const long before = allocations;
                call();
                return allocations - before;
            };
            CHECK(count([&] { objective.value_and_gradient(theta.data(), 1, threads, &loss, nullptr); }) == 0);
            CHECK(count([&] { objective.value_and_gradient(theta.data(), 1, threads, &loss, gradient.data()); }) == 0);
            CHECK(count([&] { objective.outputs(theta.data(), 1, threads, outputs.data()); }) == 0);
            CHECK(count([&] { objective.residual(theta.data(), 1, threads, outputs.data()); }) == 0);
            CHECK(count([&] { objective.jacobian(theta.data(), 1, threads, jacobian.data()); }) == 0);
            CHECK(count([&] { objective.hessian(theta.data(), 1, threads, false, hessian.data()); }) == 0);
            CHECK(count([&] { objective.hessian(theta.data(), 1, threads, true, hessian.data()); }) == 0);
            CHECK(count([&] { objective.hessian_diagonal(theta.data(), 1, threads, gradient.data()); }) == 0);
            CHECK(count([&] { objective.product(theta.data(), 1, theta.data(), 1, false, threads, gradient.data()); }) == 0);
        }
    }
}

TEST_CASE("no allocation after the first call of a population loss") {
    using enum ActivationKind;
    constexpr Index inputs = 3, outputs = 2, students = 5, neurons = 8, p = students * (inputs + 1 + outputs) + outputs;
    const auto check = [](const std::vector<ActivationKind>& kinds, std::initializer_list<int> teams) {
        std::vector<Activation> activations;
        for (Index i = 0; i < neurons; ++i) activations.push_back({kinds[i % kinds.size()]});
        hessorbit::testing::Uniform uniform(1);
        const auto w = uniform.draw<double>(neurons * inputs), b = uniform.draw<double>(neurons);
        const auto v = uniform.draw<double>((neurons + 1) * outputs);
        std::vector<double> gradient(p), hessian(p * p);
        population::Loss loss(activations, students, {});
        for (const int threads : teams)
            for (const int order : {0, 1, 2}) {
                CAPTURE(threads);
                CAPTURE(order);
                const auto call = [&] {
                    loss(w.data(), b.data(), v.data(), inputs, outputs, 1, threads, order > 0 ? gradient.data() : nullptr,
                         order > 1 ? hessian.data() : nullptr, population::Curvature::hessian);
                };
                call();
                const long before = allocations;
                call();
                CHECK(allocations == before);
            }
    };
    check({erf, gelu, relu}, {1, 2});
    check({exp, cube}, {1, 2});
    // Each thread's lines grow to the longest it has seen, and which it sees is settled for one thread alone.
    check({tanh, softsign}, {1});
    check({elu, sin, relu}, {1});
}

#endif
