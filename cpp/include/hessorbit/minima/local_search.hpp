// A good assignment from any: give a neuron another role, or exchange the roles of two, as long as that is cheaper.
// Idle neurons cost what is given, and costs that need a search of their own what their first guess gives.
#pragma once

#include "assignment.hpp"

#include <vector>

namespace hessorbit::minima {

class LocalSearch {
public:
    // idle (m): what neurons are taken to cost that are idle.
    LocalSearch(const Problem& problem, const Assignment& assignment, const Vector& idle)
        : problem_(problem), assignment_(assignment), fixed_(problem.fixed) {
        fixed_.col(problem.idle) = idle;
    }

    // Improves `role` until no step helps.
    void run(std::vector<int>& role) {
        role_ = std::move(role);
        repair();
        part_.resize(problem_.teachers() + 1);
        for (std::size_t i = 0; i < part_.size(); ++i) part_[i] = part(static_cast<int>(i));
        while (change_one() || exchange_two()) {
        }
        role = std::move(role_);
    }

private:
    // Exchanging is quadratic in the neurons, and costly where each cost is a search.
    static constexpr int most_exchanged = 512, most_exchanged_scaled = 48;

    int teacher(int k) const { return problem_.roles[role_[k]].teacher; }

    // Every teacher neuron gets a copy: the neuron for which that is cheapest.
    void repair() {
        std::vector<int> copies(problem_.teachers(), 0);
        for (int k = 0; k < problem_.neurons(); ++k)
            if (teacher(k) >= 0) ++copies[teacher(k)];
        for (int i = 0; i < problem_.teachers(); ++i) {
            if (copies[i]) continue;
            int neuron = -1, chosen = -1;
            double least = infinity;
            for (int k = 0; k < problem_.neurons(); ++k) {
                if (teacher(k) >= 0 && copies[teacher(k)] < 2) continue;
                for (int o = 0; o < problem_.num_roles(); ++o) {
                    const double cost = fixed_(k, o) - fixed_(k, role_[k]);
                    if (problem_.roles[o].teacher != i || cost >= least) continue;
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
        return (i < problem_.teachers() ? assignment_.copies(i, role_, 0, 0) : assignment_.outputs(role_, {}, 0, 0)).value;
    }

    // Accepts the roles that `neurons` now have if they cost less than `before`.
    bool accept(const std::vector<int>& neurons, const std::vector<int>& before) {
        double gain = 0;
        std::vector<int> touched;
        const auto touch = [&](int o) {
            const int i = problem_.roles[o].teacher;
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
            const int last = problem_.teachers();
            if (!(gain + part_[last] > 1e-12 * problem_.scale)) return false;
            touched.push_back(last);
            costs.push_back(part(last));
            gain += part_[last] - costs.back();
        }
        if (!(gain > 1e-12 * problem_.scale)) return false;
        for (std::size_t a = 0; a < touched.size(); ++a) part_[touched[a]] = costs[a];
        return true;
    }

    // Whether the cost at the output bias may differ from that with the roles `before`.
    bool changes_outputs(const std::vector<int>& neurons, const std::vector<int>& before) const {
        if (problem_.geometry.copies == Copies::mirrored) return true;
        for (std::size_t a = 0; a < neurons.size(); ++a)
            for (const int o : {before[a], role_[neurons[a]]})
                if (problem_.roles[o].kind == Role::Kind::constant) return true;
        return false;
    }

    bool change_one() {
        bool improved = false;
        for (int k = 0; k < problem_.neurons(); ++k)
            for (int o = 0; o < problem_.num_roles(); ++o) {
                const int before = role_[k];
                if (o == before) continue;
                role_[k] = o;
                if (accept({k}, {before})) improved = true;
                else role_[k] = before;
            }
        return improved;
    }

    bool exchange_two() {
        const bool scaled = problem_.geometry.copies == Copies::scaled;
        if (problem_.neurons() > (scaled ? most_exchanged_scaled : most_exchanged)) return false;
        bool improved = false;
        for (int k = 0; k < problem_.neurons(); ++k)
            for (int l = 0; l < k; ++l) {
                if (role_[k] == role_[l]) continue;
                std::swap(role_[k], role_[l]);
                if (accept({k, l}, {role_[l], role_[k]})) improved = true;
                else std::swap(role_[k], role_[l]);
            }
        return improved;
    }

    const Problem& problem_;
    const Assignment& assignment_;
    Matrix<double> fixed_;
    std::vector<int> role_;
    std::vector<double> part_;  // (r + 1)
};

}  // namespace hessorbit::minima
