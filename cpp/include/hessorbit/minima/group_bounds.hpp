// Lower bounds on what each neuron adds to the cost of the idle, however they are divided into zero groups.
//
// A share is a part of a group's cost that a neuron can be charged so that the shares of its members are never more
// than the group costs. Where copies are not scaled that is ‖v_k‖² and half of each pull (GroupCost), at the worst
// size of the group. For many neurons better shares come from a linear program (GroupShares).
#pragma once

#include "group_cost.hpp"
#include "group_shares.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace hessorbit::minima {

// What each neuron adds to the cost of a partition, from below, and how that changes with ν.
struct Shares {
    Vector value;          // (m)
    Matrix<double> slope;  // (m, K)  gradient in ν
    Vector stiffness;      // (m)     the Hessian in ν is −stiffness I
};

class GroupBounds {
public:
    GroupBounds(const GroupCost& cost, Limits& limits) : costs_(cost.role_costs()), cost_(cost), limits_(limits) {}

    // Shares of the `candidates` in any partition of any of them; other neurons have what they cost alone.
    Shares shares(const std::vector<int>& candidates, const Vector& nu) const {
        const Shift shift(costs_.start, nu);
        Shares result = alone();
        if (copies().shifts_outputs && program_.size()) {
            for (const int k : candidates) shift_program(k, shift, result);
            return result;
        }
        for (const std::vector<int>& component : cost_.components(candidates, shift, limits_)) {
            if (component.size() == 1) continue;
            const double part = counted_part(component, shift);
            for (const int k : component) share(k, component, shift, part, result);
            if (program_.size() == 0) continue;
            double simple = 0, better = 0;
            for (const int k : component) simple += result.value[k], better += program_[k];
            for (const int k : component)
                if (better > simple) result.value[k] = program_[k];
        }
        return result;
    }

    // Solves the linear program for better shares, of neurons that pay at most `most` in other roles; that takes a
    // while.
    void improve(const Vector& most) {
        if (costs_.neurons() > GroupShares::most_neurons) return;
        std::vector<int> everyone(costs_.neurons());
        std::iota(everyone.begin(), everyone.end(), 0);
        const double simple = shares(everyone, Vector::Zero(costs_.outputs())).value.cwiseMin(most).sum();
        const Vector better = GroupShares(cost_, most.cwiseMin(costs_.fixed.col(costs_.idle)), limits_).shares();
        if (better.sum() > simple) program_ = better;
    }

    // What each neuron pays alone, or where it is less, its half of the best zero group of two.
    Vector hoped() const {
        const Shift none(costs_.start);
        Vector result = costs_.fixed.col(costs_.idle);
        for (int j = 0; j < costs_.neurons(); ++j) {
            limits_.poll();
            for (int k = 0; k < j; ++k) {
                if (!cost_.linked(j, k, none)) continue;
                const double silent = cost_.outgoing(j, j) + cost_.outgoing(k, k);
                const double both =
                    copies().scales ? cost_.least_scaled({j, k}) : silent + cost_.pull(j, k, none).value / 2;
                result[j] = std::min(result[j], both / 2);
                result[k] = std::min(result[k], both / 2);
            }
        }
        return result;
    }

private:
    const CopyTraits& copies() const { return cost_.copies(); }

    Shares alone() const {
        return {costs_.fixed.col(costs_.idle), Matrix<double>::Zero(costs_.neurons(), costs_.outputs()),
                Vector::Zero(costs_.neurons())};
    }

    // A group costs at least what it does with any part in [0, 1] of ‖Σ n_k v_k‖² counted. With many neurons each alone
    // could win by all of it, and the shares of less add up to more: the best of a few parts.
    double counted_part(const std::vector<int>& component, const Shift& shift) const {
        double best = 1, most = -infinity;
        if (copies().scales || copies().shifts_outputs) return best;
        for (const double part : {1.0, 0.7, 0.5, 0.3, 0.15, 0.0}) {
            Shares trial = alone();
            double sum = 0;
            for (const int k : component) {
                share(k, component, shift, part, trial);
                sum += trial.value[k];
            }
            if (sum <= most) continue;
            most = sum;
            best = part;
        }
        return best;
    }

    // With ν a group of n, m of them mirrored, costs Σ_k α_k (2 ν·v_k − ‖ν‖²/2) more, with α_k = (n−m)/n for the
    // mirrored and m/n for the others, which is at least what α_k = 1 takes off where that is negative.
    void shift_program(int k, const Shift& shift, Shares& shares) const {
        shares.value[k] = program_[k];
        const double more = 2 * shift.along[k] - shift.square / 2;
        if (more >= 0) return;
        shares.value[k] += more;
        shares.slope.row(k) = 2 * costs_.start.outgoing.row(k) - shift.nu.transpose();
        shares.stiffness[k] = 1;
    }

    void share(int k, const std::vector<int>& component, const Shift& shift, double part, Shares& shares) const {
        limits_.poll();
        if (copies().scales) return scaled_share(k, component, shares);
        std::vector<GroupCost::Pull> pulls;
        for (const int j : component)
            if (j != k) pulls.push_back(cost_.pull(j, k, shift, part));
        std::sort(pulls.begin(), pulls.end(), [](const GroupCost::Pull& a, const GroupCost::Pull& b) {
            return a.value != b.value ? a.value < b.value : a.other < b.other;
        });
        Vector slope = Vector::Zero(costs_.outputs());
        double sum = 0;
        int opposite = 0;
        for (std::size_t count = 1; count <= pulls.size(); ++count) {
            const GroupCost::Pull& last = pulls[count - 1];
            const double size = static_cast<double>(count + 1);
            sum += last.value;
            if (last.opposite && copies().shifts_outputs) {
                slope += (costs_.start.outgoing.row(last.other) + costs_.start.outgoing.row(k)).transpose() - shift.nu;
                ++opposite;
            }
            const double value = part * costs_.silent_cost(k) + sum / (2 * size);
            if (value >= shares.value[k]) continue;
            shares.value[k] = value;
            shares.slope.row(k) = slope / size;
            shares.stiffness[k] = opposite / size;
        }
    }

    // Half of a pair's cost or, as twice the incoming cost of a larger group is at least the mean over its pairs, a
    // fourth of the cost of the two least.
    void scaled_share(int k, const std::vector<int>& component, Shares& shares) const {
        std::vector<double> angles;
        for (const int j : component)
            if (j != k) {
                angles.push_back(pair_angle_cost(j, k));
                shares.value[k] = std::min(shares.value[k], cost_.least_scaled({j, k}) / 2);
            }
        std::sort(angles.begin(), angles.end());
        if (angles.size() > 1) shares.value[k] = std::min(shares.value[k], (angles[0] + angles[1]) / 4);
    }

    // The least distance² of w̃_j and w̃_k to a common ray.
    double pair_angle_cost(int j, int k) const {
        const double a = cost_.incoming(j, j), b = cost_.incoming(k, k), c = std::max(cost_.nearest(j, k), 0.0);
        return (a + b - std::sqrt((a - b) * (a - b) + 4 * c * c)) / 2;
    }

    const RoleCosts& costs_;
    const GroupCost& cost_;
    Limits& limits_;
    Vector program_;  // (m)  shares from the linear program, which hold for any candidates; empty without them
};

}  // namespace hessorbit::minima
