// The nearest global minimum: set functions against their definitions, shares against all groups, searches against all
// assignments.
#include "problem.hpp"

#include <doctest/doctest.h>

#include <hessorbit/minima.hpp>

using namespace hessorbit;
using namespace hessorbit::minima;
using hessorbit::testing::Uniform;

namespace {

constexpr int subset_elements = 5;

SetFunction random_function(Uniform& uniform) { return uniform.draw<double>(1 << subset_elements); }

Matrix<double> random_matrix(Uniform& uniform, Index rows, Index cols) {
    const std::vector<double> values = uniform.draw<double>(rows * cols);
    return 2 * Eigen::Map<const Matrix<double>>(values.data(), rows, cols);
}

Geometry random_geometry(Copies copies, int teachers, int inputs, int outputs) {
    Uniform uniform(1);
    Geometry geometry{random_matrix(uniform, teachers, inputs), random_matrix(uniform, teachers, outputs), copies, 0.0, false,
                      Constants::none, Off::never, std::nullopt};
    if (copies == Copies::mirrored) {
        geometry.mirror = 1;
        geometry.constants = Constants::fixed;
        geometry.bias.emplace(Activation{ActivationKind::sigmoid}, 1.0, true);
    }
    return geometry;
}

Weights random_start(std::uint64_t seed, int neurons, int inputs, int outputs) {
    Uniform uniform(seed);
    return {random_matrix(uniform, neurons, inputs), random_matrix(uniform, neurons, outputs),
            random_matrix(uniform, outputs, 1).col(0)};
}

// The least cost over all roles of all neurons, zero groups left to ZeroGroups, which enumerates so few.
double least_over_roles(const Problem& problem) {
    const ZeroGroups zero_groups(problem);
    const Assignment assignment(problem, zero_groups);
    std::vector<int> role(problem.neurons(), 0);
    double least = infinity;
    while (true) {
        least = std::min(least, assignment.place(role, 1e-12, 10000).value);
        int k = 0;
        while (k < problem.neurons() && ++role[k] == problem.num_roles()) role[k++] = 0;
        if (k == problem.neurons()) return least;
    }
}

// Σ ‖w̃ − s w̄‖² + ‖Σ s v‖²/n, by its definition.
double group_cost(const Weights& start, const std::vector<int>& members, const std::vector<double>& sign, bool even) {
    minima::Vector mean = minima::Vector::Zero(start.incoming.cols()), sum = minima::Vector::Zero(start.outgoing.cols());
    for (std::size_t a = 0; a < members.size(); ++a) {
        mean += sign[a] * start.incoming.row(members[a]).transpose() / members.size();
        sum += (even ? 1 : sign[a]) * start.outgoing.row(members[a]).transpose();
    }
    double cost = sum.squaredNorm() / members.size();
    for (std::size_t a = 0; a < members.size(); ++a)
        cost += (start.incoming.row(members[a]).transpose() - sign[a] * mean).squaredNorm();
    return cost;
}

}  // namespace

TEST_CASE("convolution of set functions is the least over all divisions in two") {
    Uniform uniform(0);
    const SetFunction f = random_function(uniform), g = random_function(uniform), both = convolve(f, g);
    for (Set whole = 0; whole < both.size(); ++whole) {
        double least = infinity;
        for (Set part = 0; part < both.size(); ++part)
            if ((part & whole) == part) least = std::min(least, f[part] + g[whole ^ part]);
        CHECK(both[whole] == least);
        const Set part = least_part(f, g, whole);
        CHECK((part & whole) == part);
        CHECK(f[part] + g[whole ^ part] == least);
    }
}

TEST_CASE("the best partition is a partition, and no division of it in two is better") {
    Uniform uniform(1);
    const SetFunction f = random_function(uniform), p = partitions(f);
    for (Set whole = 1; whole < p.size(); ++whole) {
        CHECK(p[whole] <= f[whole]);
        for_each_subset(whole, [&](Set part) { CHECK(p[whole] <= p[part] + p[whole ^ part] + 1e-15); });
        Set together = 0;
        double cost = 0;
        for (const Set part : least_partition(f, p, whole)) {
            CHECK((together & part) == 0);
            together |= part;
            cost += f[part];
        }
        CHECK(together == whole);
        CHECK(cost == doctest::Approx(p[whole]));
    }
}

TEST_CASE("the nearest minimum is the best of all assignments") {
    constexpr int inputs = 2, outputs = 2, teachers = 2, neurons = 5;
    for (const Copies copies : {Copies::plain, Copies::odd, Copies::even, Copies::mirrored, Copies::scaled})
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            const Geometry geometry = random_geometry(copies, teachers, inputs, outputs);
            const Weights start = random_start(seed, neurons, inputs, outputs);
            const Problem problem(geometry, start);
            const double least = least_over_roles(problem);
            const Nearest found = nearest(geometry, start, Options{});
            CAPTURE(static_cast<int>(copies));
            CAPTURE(seed);
            CHECK(found.value == doctest::Approx(least).epsilon(1e-9));
            CHECK(found.lower <= least * (1 + 1e-12));
            CHECK(found.lower >= least * (1 - 2e-9));
            // A search that is cut off holds its bound.
            const Nearest early = nearest(geometry, start, Options{1e-9, 0, infinity, {}});
            CHECK(early.lower <= least * (1 + 1e-12));
            CHECK(early.value >= least * (1 - 1e-12));
        }
}

TEST_CASE("shares add up to no more than any zero group costs") {
    constexpr int neurons = 7;
    for (const Copies copies : {Copies::plain, Copies::odd, Copies::even, Copies::scaled})
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            const Geometry geometry = random_geometry(copies, 1, 2, 2);
            const Weights start = random_start(seed, neurons, 2, 2);
            const Problem problem(geometry, start);
            const ZeroGroups zero_groups(problem);
            const minima::Vector alone = problem.fixed.col(problem.idle);
            const minima::Vector shares = GroupShares(problem, alone).shares();
            CHECK(shares.sum() > 0);
            for (Set set = 1; set < Set(1) << neurons; ++set) {
                const std::vector<int> members = elements(set);
                double share = 0, least = infinity;
                for (const int k : members) share += shares[k];
                if (members.size() == 1) {
                    least = alone[members[0]];
                } else if (copies == Copies::scaled) {
                    least = zero_groups.cost(members);
                } else {
                    for (Set minus = 0; minus < (copies == Copies::plain ? 1 : Set(1) << members.size()); ++minus) {
                        std::vector<double> sign;
                        for (std::size_t a = 0; a < members.size(); ++a) sign.push_back(minus >> a & 1 ? -1 : 1);
                        least = std::min(least, group_cost(start, members, sign, copies == Copies::even));
                    }
                }
                CHECK(share <= least + 1e-12);
            }
        }
}

TEST_CASE("shares hold where mirrored members shift the output bias") {
    constexpr int neurons = 7;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const Geometry geometry = random_geometry(Copies::mirrored, 1, 2, 2);
        const Weights start = random_start(seed, neurons, 2, 2);
        const Problem problem(geometry, start);
        ZeroGroups zero_groups(problem);
        const bool worked_out = seed % 2;
        if (worked_out) zero_groups.work_out_shares(problem.fixed.col(problem.idle));
        const minima::Vector nu = 0.3 * random_start(seed + 100, 1, 1, 2).outgoing.row(0);
        const minima::Vector shares = zero_groups.shares(elements((Set(1) << neurons) - 1), nu).value;
        for (Set set = 1; set < Set(1) << neurons; ++set) {
            const std::vector<int> members = elements(set);
            double share = 0, least = infinity;
            for (const int k : members) share += shares[k];
            if (members.size() == 1) least = problem.fixed(members[0], problem.idle);
            else zero_groups.for_each_sign(members, nu, [&](double cost, const ZeroGroup&) { least = std::min(least, cost); });
            CHECK(share <= least + 1e-12);
        }
    }
}
