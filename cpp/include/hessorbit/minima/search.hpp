// The nearest minimum by branch and bound over the roles of all neurons, and over how many copies a teacher neuron has.
//
// Nodes are opened in order of their bound (Dual). A node is closed when its bound reaches the best distance² known, or
// its roles are decided; roles whose cost exceeds the least by more than what is left of the gap are struck out. Where
// the expected number of copies of a teacher neuron is far from an integer, the branch is on that number: with many
// nearly equal neurons, numbers decide and roles do not. Otherwise it is on the neuron most torn between roles. Where the
// tree of a small student has grown large, sets of neurons are tabulated instead (Exhaustion).
#pragma once

#include "assignment.hpp"
#include "dual.hpp"
#include "exhaustion.hpp"
#include "local_search.hpp"

#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace hessorbit::minima {

struct Options {
    double tolerance = 1e-9;  // of the distance²: how far the bound may stay below it
    int64_t max_nodes = 10000;     // and assignments looked at
    double time_limit = infinity;  // seconds after which no further node is opened
    std::function<bool()> stop;    // asked at every node and while sets are tabulated, where there is one; ends the search
};

struct Nearest {
    Assignment::Minimum minimum;
    double value, lower;  // distance²
    int64_t nodes;
};

class Search {
public:
    Search(const Problem& problem, const Options& options)
        : problem_(problem), options_(options), zero_groups_(problem), assignment_(problem, zero_groups_),
          dual_(problem, zero_groups_), alone_(problem.fixed.col(problem.idle)), hoped_(zero_groups_.hoped()) {}

    Nearest run() {
        improve(cheapest());
        if (problem_.neurons() > Exhaustion::most_neurons && alone_ != hoped_)
            zero_groups_.work_out_shares(problem_.fixed.rowwise().minCoeff());
        Node root = dual_.root();
        std::priority_queue<Node, std::vector<Node>, LowestBoundFirst> open;
        const auto look_at = [&](Node node) {
            if (!consistent(node)) return;
            ++nodes_;
            dual_.raise(node, best_.value, cutoff(), std::isinf(node.bound) ? 150 : 40);
            node.bound = std::max(node.bound, dual_.bound());
            if (node.bound >= cutoff()) return close(node.bound);
            improve_from_probabilities();
            strike_out(node);
            if (node.bound >= cutoff()) return close(node.bound);
            if (decided(node)) return close_decided(node);
            choose_branch(node);
            node.order = nodes_;
            open.push(std::move(node));
        };
        look_at(std::move(root));
        bool stopped = false;
        while (!open.empty() && open.top().bound < cutoff() && nodes_ < worth_exhausting()) {
            stopped = nodes_ >= options_.max_nodes || ended();
            if (stopped) break;
            const Node node = open.top();
            open.pop();
            for (Node& child : branch(node)) look_at(std::move(child));
        }
        if (!open.empty()) close(open.top().bound);
        // The tree has grown large, or the minima of some of its leaves are not known exactly.
        if (!stopped && lower_ < cutoff() && worth_exhausting() <= options_.max_nodes) exhaust();
        // At a minimum itself rounding may leave less than nothing.
        const double value = std::max(best_.value, 0.0);
        return {assignment_.minimum(best_), value, std::clamp(lower_, 0.0, value), nodes_};
    }

private:
    using Clock = std::chrono::steady_clock;

    struct LowestBoundFirst {
        bool operator()(const Node& a, const Node& b) const {
            return a.bound != b.bound ? a.bound > b.bound : a.order < b.order;
        }
    };

    static constexpr int max_boxes = 4000;
    static constexpr int64_t least_looks = 1000;  // at assignments; few against the tables

    bool ended() const {
        if (options_.stop && options_.stop()) return true;
        return std::chrono::duration<double>(Clock::now() - start_).count() >= options_.time_limit;
    }

    double slack_of(double value) const { return options_.tolerance * value + 1e-13 * problem_.scale; }
    double slack() const { return slack_of(best_.value); }
    double cutoff() const { return best_.value - slack(); }
    void close(double bound) { lower_ = std::min(lower_, bound); }

    bool allowed(const Node& node, int k, int o) const { return node.allowed[k * problem_.num_roles() + o]; }

    // Whether the numbers of copies can be reached with the roles left.
    bool consistent(const Node& node) const {
        int fewest = 0;
        for (int i = 0; i < problem_.teachers(); ++i) {
            int possible = 0, certain = 0;
            for (int k = 0; k < problem_.neurons(); ++k) {
                bool can = false, must = true;
                for (int o = 0; o < problem_.num_roles(); ++o)
                    if (allowed(node, k, o)) (problem_.roles[o].teacher == i ? can = true : must = false);
                possible += can;
                certain += can && must;
            }
            if (possible < node.fewest[i] || certain > node.most[i]) return false;
            fewest += node.fewest[i];
        }
        return fewest <= problem_.neurons();
    }

    void strike_out(Node& node) {
        for (int k = 0; k < problem_.neurons(); ++k) {
            const double least = dual_.costs().row(k).minCoeff();
            for (int o = 0; o < problem_.num_roles(); ++o) {
                if (!allowed(node, k, o)) continue;
                const double without = dual_.bound() + dual_.costs()(k, o) - least;
                if (without < cutoff()) continue;
                node.allowed[k * problem_.num_roles() + o] = 0;
                close(without);
            }
        }
    }

    bool decided(const Node& node) const {
        for (int k = 0; k < problem_.neurons(); ++k) {
            int left = 0;
            for (int o = 0; o < problem_.num_roles(); ++o) left += allowed(node, k, o);
            if (left > 1) return false;
        }
        return true;
    }

    void close_decided(const Node& node) {
        std::vector<int> role(problem_.neurons());
        for (int k = 0; k < problem_.neurons(); ++k)
            for (int o = 0; o < problem_.num_roles(); ++o)
                if (allowed(node, k, o)) role[k] = o;
        const Placement placement = assignment_.place(role, slack() / 4, max_boxes);
        close(std::max(placement.lower, node.bound));
        if (placement.value < best_.value) best_ = placement;
    }

    // Tables over all sets of neurons take about as long as this many nodes; assignments that mirrored copies leave to be
    // looked at come on top.
    int64_t worth_exhausting() const {
        const int m = problem_.neurons();
        return m > Exhaustion::most_neurons ? std::numeric_limits<int64_t>::max() : std::llround(std::pow(3.0, m - 10));
    }

    struct Interrupted {};

    // Settles all assignments, unless there are too many or it is interrupted.
    void exhaust() {
        Node root = dual_.root();
        dual_.raise(root, best_.value, cutoff(), 150);
        strike_out(root);
        Exhaustion exhaustion(
            problem_, zero_groups_, assignment_, dual_, root, best_, nodes_,
            [&](double value) { return slack_of(value); },
            [&] {
                if (nodes_ >= std::max(options_.max_nodes, least_looks) || ended()) throw Interrupted{};
            });
        try {
            lower_ = std::max(lower_, exhaustion.run());
        } catch (const Interrupted&) {
            lower_ = std::max(lower_, exhaustion.bound());
        }
    }

    // The branch is kept in the node until it is opened: a teacher neuron and a number, or a neuron.
    void choose_branch(Node& node) const {
        const Matrix<double>& p = dual_.probabilities();
        const int roles = problem_.num_roles();
        node.branch = {};
        double most = 0.1;
        for (int i = 0; i < problem_.teachers(); ++i) {
            if (node.fewest[i] == node.most[i]) continue;
            double copies = 0;
            for (int o = 0; o < roles; ++o)
                if (problem_.roles[o].teacher == i) copies += p.col(o).sum();
            const double torn = std::abs(copies - std::round(copies));
            if (torn <= most) continue;
            most = torn;
            node.branch = {i, -1, std::clamp(static_cast<int>(std::floor(copies)), node.fewest[i], node.most[i] - 1)};
        }
        if (node.branch.teacher >= 0) return;
        double torn = -1;
        for (int k = 0; k < problem_.neurons(); ++k) {
            double first = -1, second = -1;
            for (int o = 0; o < roles; ++o) {
                if (!allowed(node, k, o)) continue;
                if (p(k, o) > first) second = std::exchange(first, p(k, o));
                else second = std::max(second, p(k, o));
            }
            if (second <= torn) continue;
            torn = second;
            node.branch = {-1, k, 0};
        }
    }

    std::vector<Node> branch(const Node& node) const {
        std::vector<Node> children;
        if (node.branch.teacher >= 0) {
            for (const bool few : {true, false}) {
                Node child = node;
                (few ? child.most : child.fewest)[node.branch.teacher] = node.branch.number + !few;
                children.push_back(std::move(child));
            }
            return children;
        }
        const int k = node.branch.neuron, roles = problem_.num_roles();
        for (int o = 0; o < roles; ++o) {
            if (!allowed(node, k, o)) continue;
            Node child = node;
            for (int other = 0; other < roles; ++other) child.allowed[k * roles + other] = other == o;
            children.push_back(std::move(child));
        }
        return children;
    }

    // Candidates for the minimum.

    std::vector<int> cheapest() const {
        std::vector<int> role(problem_.neurons());
        for (int k = 0; k < problem_.neurons(); ++k) problem_.fixed.row(k).minCoeff(&role[k]);
        return role;
    }

    void improve_from_probabilities() {
        std::vector<int> role(problem_.neurons());
        for (int k = 0; k < problem_.neurons(); ++k) dual_.probabilities().row(k).maxCoeff(&role[k]);
        // A full local search costs more than a node: the more nodes there have been, the rarer.
        if ((nodes_ & (nodes_ - 1)) == 0) improve(role);
    }

    // Idle neurons count as well off as they may be in zero groups, and as alone. With very many neurons there are partners
    // for all, and only the former is worth its time.
    void improve(const std::vector<int>& role) {
        improve(role, hoped_);
        if (alone_ != hoped_ && problem_.neurons() <= 64) improve(role, alone_);
    }

    void improve(std::vector<int> role, const Vector& idle) {
        LocalSearch(problem_, assignment_, idle).run(role);
        const Placement placement = assignment_.place(role, slack() / 4, max_boxes);
        // The first is kept whatever it costs: where squares overflow, none is below infinity.
        if (best_.role.empty() || placement.value < best_.value) best_ = placement;
    }

    const Problem& problem_;
    Options options_;
    Clock::time_point start_ = Clock::now();
    ZeroGroups zero_groups_;
    Assignment assignment_;
    Dual dual_;
    Vector alone_, hoped_;  // (m)  what the idle cost
    Placement best_;
    double lower_ = infinity;
    int64_t nodes_ = 0;
};

}  // namespace hessorbit::minima
