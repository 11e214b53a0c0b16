// Shares u of many neurons in the cost of zero groups: Σ u as large as may be with  Σ_{k∈Z} u_k ≤ cost(Z)  for every Z.
//
// It is enough that the shares of two and of three neurons do not exceed their cost, if the threes count less. Of n
// neurons, the incoming weights alone cost
//
//     w(Z) = Σ_{k∈Z} ‖w̃_k‖² − ‖Σ s_k w̃_k‖²/n = Σ_pairs ‖w̃_j ∓ w̃_k‖²/n,
//     Σ over the threes T in Z of w(T) ≤ n (n−2)/3 w(Z),
//
// while a neuron is in (n−1)(n−2)/2 of the threes. So with u(T) ≤ min(cost(T), 9/8 w(T)) for all T,
//
//     u(Z) ≤ 9/8 · 2n / (3 (n−1)) · w(Z) ≤ w(Z) ≤ cost(Z)      for n ≥ 4.
//
// For homogeneous σ, w(Z) is the squared distance to the best ray, a sum over neurons of which each three has at least
// w(T): u(T) ≤ w(T) is enough. (From below: Σ ‖w̃_k‖² less the largest eigenvalue of the Gram matrix without its
// negative entries.)
//
// The linear program is solved roughly, by projecting a far point on the demands one after the other (Hildreth's
// method, 1957), and what is still not met is taken off u.
#pragma once

#include "group_cost.hpp"

#include <Eigen/Eigenvalues>
#include <array>
#include <vector>

namespace hessorbit::minima {

class GroupShares {
public:
    static constexpr int most_neurons = 400;  // there are m³/6 threes

    // most (m): what no share exceeds, at least.
    GroupShares(const GroupCost& cost, Vector most, Limits& limits)
        : cost_(cost), neurons_(cost.role_costs().neurons()), most_(std::move(most)), limits_(limits) {}

    Vector shares() {
        share_ = most_.array() + most_.mean();
        demands_.clear();
        for (int k = 0; k < neurons_; ++k) demands_.push_back({{k, -1, -1}, 1, most_[k], 0});
        for (int j = 0; j < neurons_; ++j)
            for (int k = 0; k < j; ++k)
                if (const double least = pair(j, k); least < most_[j] + most_[k])
                    demands_.push_back({{j, k, -1}, 2, least, 0});
        project();
        for (int round = 0; round < 3; ++round) {
            const std::size_t before = demands_.size();
            for_each_three([&](int i, int j, int k, double least) {
                if (share_[i] + share_[j] + share_[k] > least) demands_.push_back({{i, j, k}, 3, least, 0});
            });
            if (demands_.size() == before) break;
            project();
        }
        for (Demand& demand : demands_) lower(demand.members, demand.size, demand.least);
        for_each_three([&](int i, int j, int k, double least) { lower({i, j, k}, 3, least); });
        return share_;
    }

private:
    // Σ of the members' shares ≤ least, with its multiplier.
    struct Demand {
        std::array<int, 3> members;
        int size;
        double least, multiplier;
    };

    const CopyTraits& copies() const { return cost_.copies(); }
    double incoming(int j, int k) const { return cost_.incoming(j, k); }
    double outgoing(int j, int k) const { return cost_.outgoing(j, k); }

    // ‖w̃_j − s w̃_k‖², and 2 v_j·v_k with its sign.
    double apart(int j, int k, double s) const { return incoming(j, j) + incoming(k, k) - 2 * s * incoming(j, k); }
    double along(int j, int k, double s) const { return 2 * copies().on_outgoing(s) * outgoing(j, k); }

    double pair(int j, int k) const {
        if (copies().scales) {
            const double a = outgoing(j, j) - incoming(j, j), b = outgoing(k, k) - incoming(k, k);
            const double c = std::min(outgoing(j, k) - cost_.nearest(j, k), 0.0);
            return incoming(j, j) + incoming(k, k) + (a + b - std::sqrt((a - b) * (a - b) + 4 * c * c)) / 2;
        }
        double least = infinity;
        for (const double s : {1.0, -1.0})
            if (s > 0 || copies().signs)
                least = std::min(least, (apart(j, k, s) + outgoing(j, j) + outgoing(k, k) + along(j, k, s)) / 2);
        return least;
    }

    double three(int i, int j, int k) const {
        if (copies().scales) {
            Eigen::Matrix3d gram;
            gram << incoming(i, i), incoming(i, j), incoming(i, k), incoming(i, j), incoming(j, j), incoming(j, k),
                incoming(i, k), incoming(j, k), incoming(k, k);
            gram = copies().signs ? gram.cwiseAbs().eval() : gram.cwiseMax(0).eval();
            Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver;
            // The closed form errs by less than the square root of the rounding.
            const double largest = solver.computeDirect(gram, Eigen::EigenvaluesOnly).eigenvalues()[2];
            return gram.trace() - largest - 1e-7 * gram.trace();
        }
        const double sizes = outgoing(i, i) + outgoing(j, j) + outgoing(k, k);
        double least = infinity;
        for (const double a : {1.0, -1.0})
            for (const double b : {1.0, -1.0}) {
                if ((a < 0 || b < 0) && !copies().signs) continue;
                const double w = (apart(i, j, a) + apart(i, k, b) + apart(j, k, a * b)) / 3;
                const double v = (sizes + along(i, j, a) + along(i, k, b) + along(j, k, a * b)) / 3;
                least = std::min({least, w + v, 9.0 / 8 * w});
            }
        return least;
    }

    template <class Body>
    void for_each_three(Body body) const {
        for (int i = 0; i < neurons_; ++i)
            for (int j = 0; j < i; ++j) {
                limits_.poll();
                // Two of three alone are at least this far from their mean, or ray.
                const double two = least_incoming(i, j);
                for (int k = 0; k < j; ++k)
                    if (share_[i] + share_[j] + share_[k] > two) body(i, j, k, three(i, j, k));
            }
    }

    double least_incoming(int j, int k) const {
        if (copies().scales) return 0;
        return (incoming(j, j) + incoming(k, k) - 2 * std::abs(incoming(j, k))) / 2;
    }

    void project() {
        constexpr int sweeps = 60;
        for (int sweep = 0; sweep < sweeps; ++sweep)
            for (Demand& demand : demands_) {
                limits_.poll();
                double sum = -demand.least;
                for (int a = 0; a < demand.size; ++a) sum += share_[demand.members[a]];
                const double change = std::max(-demand.multiplier, sum / demand.size);
                if (change == 0) continue;
                demand.multiplier += change;
                for (int a = 0; a < demand.size; ++a) share_[demand.members[a]] -= change;
            }
    }

    void lower(const std::array<int, 3>& members, int size, double least) {
        double excess = -least;
        for (int a = 0; a < size; ++a) excess += share_[members[a]];
        if (excess <= 0) return;
        for (int a = 0; a < size; ++a) share_[members[a]] -= excess / size;
    }

    const GroupCost& cost_;
    int neurons_;
    Vector most_, share_;
    Limits& limits_;
    std::vector<Demand> demands_;
};

}  // namespace hessorbit::minima
