// A good assignment from any: give a neuron another role, or exchange the roles of two, as long as that is cheaper.
// Idle neurons cost what is given, and costs that need a search of their own what their first guess gives.
#pragma once

#include "assignment.hpp"

#include <vector>

namespace hessorbit::minima {

class LocalSearch {
public:
    // fixed (m, roles): what roles are taken to cost each neuron by themselves.
    LocalSearch(const RoleCosts& costs, const Assignment& assignment, Matrix<double> fixed, Limits& limits)
        : costs_(costs), assignment_(assignment), limits_(limits), fixed_(std::move(fixed)) {}

    // The cheapest role of every neuron, but for those that have to be copies as every teacher neuron needs one.
    std::vector<int> cheapest() {
        role_.resize(costs_.neurons());
        for (int k = 0; k < costs_.neurons(); ++k) fixed_.row(k).minCoeff(&role_[k]);
        repair();
        return std::move(role_);
    }

    // Improves `role` until no step helps.
    void run(std::vector<int>& role) {
        role_ = std::move(role);
        repair();
        part_.resize(costs_.teachers() + 1);
        for (std::size_t i = 0; i < part_.size(); ++i) part_[i] = part(static_cast<int>(i));
        for (int sweep = 0; sweep < most_sweeps && (change_one() || exchange_two()); ++sweep) {
        }
        role = std::move(role_);
    }

private:
    // Some ten are usual. Costs beyond the scale that steps are judged by may be rounded by more than a step gains.
    static constexpr int most_sweeps = 100;

    // Exchanging is quadratic in the neurons, and costly where each cost is a search.
    static constexpr int most_exchanged = 512, most_exchanged_scaled = 48;

    int teacher(int k) const { return costs_.roles[role_[k]].teacher; }

    // Every teacher neuron gets a copy: the neuron for which that is cheapest, or any where costs overflow.
    void repair() {
        std::vector<int> copies(costs_.teachers(), 0);
        for (int k = 0; k < costs_.neurons(); ++k)
            if (teacher(k) >= 0) ++copies[teacher(k)];
        for (int i = 0; i < costs_.teachers(); ++i) {
            if (copies[i]) continue;
            int neuron = -1, chosen = -1;
            double least = infinity;
            for (int k = 0; k < costs_.neurons(); ++k) {
                limits_.poll();
                if (teacher(k) >= 0 && copies[teacher(k)] < 2) continue;
                for (int o = 0; o < costs_.num_roles(); ++o) {
                    const double cost = fixed_(k, o) - fixed_(k, role_[k]);
                    if (costs_.roles[o].teacher != i || (neuron >= 0 && !(cost < least))) continue;
                    least = cost;
                    neuron = k;
                    chosen = o;
                }
            }
            if (teacher(neuron) >= 0) --copies[teacher(neuron)];
            role_[neuron] = chosen;
            copies[i] = 1;
        }
    }

    // Cost of the copies of teacher i, or at the output bias for the number after the last.
    double part(int i) const {
        return (i < costs_.teachers() ? assignment_.copies(i, role_, 0, 0) : assignment_.outputs(role_, {}, 0, 0))
            .value;
    }

    // Accepts the roles that `neurons` now have if they cost less than `before`.
    bool accept(const std::vector<int>& neurons, const std::vector<int>& before) {
        limits_.poll();
        double gain = 0;
        std::vector<int> touched;
        const auto touch = [&](int o) {
            const int i = costs_.roles[o].teacher;
            if (i >= 0 && std::find(touched.begin(), touched.end(), i) == touched.end()) touched.push_back(i);
        };
        for (std::size_t a = 0; a < neurons.size(); ++a) {
            gain += fixed_(neurons[a], before[a]) - fixed_(neurons[a], role_[neurons[a]]);
            touch(before[a]);
            touch(role_[neurons[a]]);
        }
        std::vector<double> costs;
        for (const int i : touched) {
            costs.push_back(part(i));
            gain += part_[i] - costs.back();
        }
        if (changes_outputs(neurons, before)) {
            // The dearest part to compute, and never below 0.
            const int last = costs_.teachers();
            if (!(gain + part_[last] > 1e-12 * costs_.scale)) return false;
            touched.push_back(last);
            costs.push_back(part(last));
            gain += part_[last] - costs.back();
        }
        if (!(gain > 1e-12 * costs_.scale)) return false;
        for (std::size_t a = 0; a < touched.size(); ++a) part_[touched[a]] = costs[a];
        return true;
    }

    // Whether the cost at the output bias may differ from that with the roles `before`.
    bool changes_outputs(const std::vector<int>& neurons, const std::vector<int>& before) const {
        if (costs_.copies().shifts_outputs) return true;
        for (std::size_t a = 0; a < neurons.size(); ++a)
            for (const int o : {before[a], role_[neurons[a]]})
                if (costs_.roles[o].kind == Role::Kind::constant) return true;
        return false;
    }

    bool change_one() {
        bool improved = false;
        for (int k = 0; k < costs_.neurons(); ++k)
            for (int o = 0; o < costs_.num_roles(); ++o) {
                const int before = role_[k];
                if (o == before) continue;
                role_[k] = o;
                if (accept({k}, {before}))
                    improved = true;
                else
                    role_[k] = before;
            }
        return improved;
    }

    bool exchange_two() {
        const bool scaled = costs_.copies().scales;
        if (costs_.neurons() > (scaled ? most_exchanged_scaled : most_exchanged)) return false;
        bool improved = false;
        for (int k = 0; k < costs_.neurons(); ++k)
            for (int l = 0; l < k; ++l) {
                if (role_[k] == role_[l]) continue;
                std::swap(role_[k], role_[l]);
                if (accept({k, l}, {role_[l], role_[k]}))
                    improved = true;
                else
                    std::swap(role_[k], role_[l]);
            }
        return improved;
    }

    const RoleCosts& costs_;
    const Assignment& assignment_;
    Limits& limits_;
    Matrix<double> fixed_;
    std::vector<int> role_;
    std::vector<double> part_;  // (r + 1)
};

}  // namespace hessorbit::minima
