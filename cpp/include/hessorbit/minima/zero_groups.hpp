// Idle neurons, gathered into zero groups at least cost.
//
// Members of a zero group Z have incoming weights n_k u, with u free and n a unit vector, and outgoing weights with
// Σ n_k v_k = 0. The distance² to it is
//
//     Σ_{k∈Z} ‖w̃_k‖² − ‖Σ n_k w̃_k‖² + ‖Σ n_k v_k‖²
//
// with n = (1, …, 1)/√|Z| in general, signs ± on it for odd σ, signs in the sum over w̃ alone for even σ, and any n ≥ 0
// for homogeneous σ, where the last two terms are the least eigenvalue of a matrix.
//
// A group can be better than its members alone only if they hang together by pairs for which it may be ("linked"), so
// that in most problems every idle neuron is alone and there is nothing to search.
#pragma once

#include "coupling.hpp"
#include "problem.hpp"

#include <Eigen/Eigenvalues>
#include <functional>
#include <map>
#include <vector>

namespace hessorbit::minima {

struct ZeroGroup {
    std::vector<int> members;
    std::vector<double> factor;  // n, normed
};

struct Partition {
    std::vector<ZeroGroup> groups;  // of two members and more; the other idle neurons are alone
    double value = infinity;        // all idle costs, and what `extra` adds
    double lower = infinity;
};

class ZeroGroups {
public:
    // What a choice of groups costs elsewhere, at least 0: mirrored members shift the output bias.
    using Extra = std::function<Certified(const std::vector<ZeroGroup>&)>;

    explicit ZeroGroups(const Problem& problem)
        : problem_(problem),
          incoming_(problem.start.incoming * problem.start.incoming.transpose()),
          outgoing_(problem.start.outgoing * problem.start.outgoing.transpose()) {}

    // For each neuron, a lower bound on what it adds to the cost of any partition of any of the `candidates`; for the
    // other neurons, what they cost alone.
    Vector shares(const std::vector<int>& candidates) const {
        Vector result = problem_.fixed.col(problem_.idle);
        for (const std::vector<int>& component : components(candidates))
            for (const int k : component) result[k] = share(k, component);
        return result;
    }

    // The best partition of `members`.
    Partition best(const std::vector<int>& members, const Extra& extra) const {
        Partition result;
        std::vector<std::vector<int>> linked;
        double alone = 0;
        for (std::vector<int>& component : components(members)) {
            if (component.size() == 1) alone += single(component[0]);
            else linked.push_back(std::move(component));
        }
        if (extra && linked.size() > 1) {  // the choices in one component matter to the others
            for (std::size_t c = 1; c < linked.size(); ++c)
                linked[0].insert(linked[0].end(), linked[c].begin(), linked[c].end());
            linked.resize(1);
        }
        result.value = result.lower = alone;
        for (const std::vector<int>& component : linked) {
            const Partition part =
                component.size() <= largest_enumerated ? enumerate(component, extra) : gather(component, extra);
            result.groups.insert(result.groups.end(), part.groups.begin(), part.groups.end());
            result.value += part.value;
            result.lower += part.lower;
        }
        if (linked.empty() && extra) {
            const Certified more = extra({});
            result.value += more.value;
            result.lower += more.lower;
        }
        return result;
    }

private:
    static constexpr std::size_t largest_enumerated = 8;

    bool scaled() const { return problem_.geometry.copies == Copies::scaled; }
    bool even() const { return problem_.geometry.copies == Copies::even; }
    bool signs() const { return !scaled() && problem_.geometry.copies != Copies::plain; }
    double single(int k) const { return problem_.fixed(k, problem_.idle); }

    // ‖w̃_j ∓ w̃_k‖² − ‖v_j ∓ v_k‖² at the better sign: |Z| times what joining j and k adds to v = 0, or takes off.
    double pull(int j, int k) const {
        const double w = incoming_(j, k), v = outgoing_(j, k);
        const double cross = even() ? std::abs(w) - v : signs() ? std::abs(w - v) : w - v;
        return incoming_(j, j) + incoming_(k, k) - outgoing_(j, j) - outgoing_(k, k) - 2 * cross;
    }

    bool linked(int j, int k) const {
        if (!scaled()) return pull(j, k) < 0;
        const double spare = (incoming_(j, j) - single(j)) * (incoming_(k, k) - single(k));
        const double gain = incoming_(j, k) - outgoing_(j, k);
        return gain > 0 && gain * gain > std::max(spare, 0.0);
    }

    std::vector<std::vector<int>> components(const std::vector<int>& members) const {
        std::vector<std::vector<int>> result;
        std::vector<char> taken(members.size(), 0);
        for (std::size_t first = 0; first < members.size(); ++first) {
            if (taken[first]) continue;
            taken[first] = 1;
            std::vector<int> component{members[first]};
            for (std::size_t at = 0; at < component.size(); ++at)
                for (std::size_t other = first + 1; other < members.size(); ++other)
                    if (!taken[other] && linked(component[at], members[other])) {
                        taken[other] = 1;
                        component.push_back(members[other]);
                    }
            std::sort(component.begin(), component.end());
            result.push_back(std::move(component));
        }
        return result;
    }

    // Shares of a group's cost that add up to it, from below.
    //   General σ: the cost is Σ‖v_k‖² + Σ_{j<k} pull/|Z|, half of each pull going to either end.
    //   Homogeneous σ: twice the incoming cost of a group is at least the mean over its pairs.
    double share(int k, const std::vector<int>& component) const {
        if (component.size() == 1) return single(k);
        std::vector<double> terms;
        double least_pair = infinity;
        for (const int j : component)
            if (j != k) {
                terms.push_back(scaled() ? pair_angle_cost(j, k) : pull(j, k));
                if (scaled()) least_pair = std::min(least_pair, group_cost({j, k}, {}).first);
            }
        std::sort(terms.begin(), terms.end());
        if (scaled()) {
            const double larger = terms.size() > 1 ? (terms[0] + terms[1]) / 4 : infinity;
            return std::min({single(k), least_pair / 2, larger});
        }
        double sum = 0, best = 0;
        for (std::size_t count = 1; count <= terms.size(); ++count) {
            sum += terms[count - 1];
            best = std::min(best, sum / (2 * (count + 1)));
        }
        return std::min(single(k), problem_.silent_cost(k) + best);
    }

    // The least distance² of w̃_j and w̃_k to a common ray.
    double pair_angle_cost(int j, int k) const {
        const double a = incoming_(j, j), b = incoming_(k, k), c = std::max(incoming_(j, k), 0.0);
        return (a + b - std::sqrt((a - b) * (a - b) + 4 * c * c)) / 2;
    }

    // Cost and n of one group; `sign` (±1 for each member, or empty for all +1) where σ allows signs.
    std::pair<double, std::vector<double>> group_cost(const std::vector<int>& members,
                                                      const std::vector<double>& sign) const {
        const int size = static_cast<int>(members.size());
        double incoming = 0;
        for (const int k : members) incoming += incoming_(k, k);
        if (scaled()) {
            Eigen::MatrixXd form(size, size);
            for (int a = 0; a < size; ++a)
                for (int b = 0; b < size; ++b)
                    form(a, b) = outgoing_(members[a], members[b]) - incoming_(members[a], members[b]);
            const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(form);
            Vector n = solver.eigenvectors().col(0);
            if (n.sum() < 0) n = -n;
            // A minimum over n ≥ 0 with some n_k = 0 is a smaller group, and the rest off.
            if (n.minCoeff() <= 0) return {infinity, {}};
            return {incoming + solver.eigenvalues()(0), {n.data(), n.data() + size}};
        }
        double joint_in = 0, joint_out = 0;
        std::vector<double> n(size);
        for (int a = 0; a < size; ++a) {
            n[a] = (sign.empty() ? 1 : sign[a]) / std::sqrt(double(size));
            for (int b = 0; b < size; ++b) {
                const double both = sign.empty() ? 1 : sign[a] * sign[b];
                joint_in += both * incoming_(members[a], members[b]);
                joint_out += (even() ? 1 : both) * outgoing_(members[a], members[b]);
            }
        }
        return {incoming + (joint_out - joint_in) / size, n};
    }

    // All partitions of up to largest_enumerated neurons, with all signs.
    Partition enumerate(const std::vector<int>& component, const Extra& extra) const {
        Partition best;
        std::vector<std::vector<int>> members;
        std::vector<std::vector<double>> sign;
        std::map<std::vector<int>, double> known;  // costs of scaled groups
        const auto cost = [&](std::size_t group) {
            if (members[group].size() == 1) return single(members[group][0]);
            if (!scaled()) return group_cost(members[group], sign[group]).first;
            const auto [entry, is_new] = known.try_emplace(members[group], 0);
            if (is_new) entry->second = group_cost(members[group], {}).first;
            return entry->second;
        };
        const std::function<void(std::size_t)> place = [&](std::size_t next) {
            if (next == component.size()) {
                double value = 0;
                for (std::size_t g = 0; g < members.size(); ++g) value += cost(g);
                if (value >= best.value) return;
                std::vector<ZeroGroup> groups;
                for (std::size_t g = 0; g < members.size(); ++g)
                    if (members[g].size() > 1) groups.push_back({members[g], group_cost(members[g], sign[g]).second});
                const Certified more = extra ? extra(groups) : Certified{0, 0, {}};
                best.lower = std::min(best.lower, value + more.lower);
                if (value + more.value < best.value) best = {std::move(groups), value + more.value, best.lower};
                return;
            }
            for (std::size_t g = 0; g < members.size(); ++g)
                for (const double s : {1.0, -1.0}) {
                    if (s < 0 && !signs()) continue;
                    members[g].push_back(component[next]);
                    sign[g].push_back(s);
                    place(next + 1);
                    members[g].pop_back();
                    sign[g].pop_back();
                }
            members.push_back({component[next]});
            sign.push_back({1.0});
            place(next + 1);
            members.pop_back();
            sign.pop_back();
        };
        place(0);
        return best;
    }

    struct Cluster {
        std::vector<int> members;
        std::vector<double> sign;
        double cost;
    };

    // Two clusters made one, the second with sign s on it where that is better.
    Cluster joined(const Cluster& a, const Cluster& b) const {
        Cluster best{{}, {}, infinity};
        if (scaled() && a.members.size() + b.members.size() > largest_enumerated) return best;
        for (const double s : {1.0, -1.0}) {
            if (s < 0 && !signs()) continue;
            Cluster both = a;
            both.members.insert(both.members.end(), b.members.begin(), b.members.end());
            for (const double t : b.sign) both.sign.push_back(s * t);
            both.cost = group_cost(both.members, both.sign).first;
            if (both.cost < best.cost) best = std::move(both);
        }
        return best;
    }

    // Too many for all partitions: join the two clusters that gain most, as long as any two do. Bounded by shares.
    Partition gather(const std::vector<int>& component, const Extra& extra) const {
        std::vector<Cluster> clusters;
        for (const int k : component) clusters.push_back({{k}, {1.0}, single(k)});
        const auto gain = [&](std::size_t a, std::size_t b) {
            return clusters[a].cost + clusters[b].cost - joined(clusters[a], clusters[b]).cost;
        };
        const std::size_t count = clusters.size();
        Eigen::MatrixXd gains = Eigen::MatrixXd::Constant(count, count, -infinity);  // of joining a < b
        for (std::size_t a = 0; a < count; ++a)
            for (std::size_t b = a + 1; b < count; ++b) gains(a, b) = gain(a, b);
        for (Index a, b; gains.maxCoeff(&a, &b) > 1e-14 * problem_.scale;) {
            clusters[a] = joined(clusters[a], clusters[b]);
            gains.row(b).setConstant(-infinity);
            gains.col(b).setConstant(-infinity);
            clusters[b] = {{}, {}, 0};
            for (Index other = 0; other < static_cast<Index>(count); ++other)
                if (other != a && !clusters[other].members.empty())
                    gains(std::min(a, other), std::max(a, other)) = gain(std::min(a, other), std::max(a, other));
        }
        Partition result;
        result.value = result.lower = 0;
        for (const Cluster& cluster : clusters) {
            result.value += cluster.cost;
            if (cluster.members.size() > 1)
                result.groups.push_back({cluster.members, group_cost(cluster.members, cluster.sign).second});
        }
        if (extra) result.value += extra(result.groups).value;
        for (const int k : component) result.lower += share(k, component);
        return result;
    }

    const Problem& problem_;
    Eigen::MatrixXd incoming_, outgoing_;  // (m, m) Gram matrices
};

}  // namespace hessorbit::minima
