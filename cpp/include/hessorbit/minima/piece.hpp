// How far a point is from satisfying the equations of a piece of the set of global minima.
#pragma once

#include "role_costs.hpp"

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <vector>

namespace hessorbit::minima {

// A piece by what each neuron does on it, as in Assignment::Minimum.
struct Piece {
    std::vector<int> teacher;
    std::vector<int> group;
    std::vector<double> t;

    bool plays(std::size_t k, NeuronRole role) const { return teacher[k] == static_cast<int>(role); }

    std::vector<int> copies(int i) const { return where(teacher, i); }
    std::vector<int> members(int g) const { return where(group, g); }
    int num_groups() const { return 1 + *std::max_element(group.begin(), group.end()); }

private:
    static std::vector<int> where(const std::vector<int>& values, int wanted) {
        std::vector<int> result;
        for (std::size_t k = 0; k < values.size(); ++k)
            if (values[k] == wanted) result.push_back(static_cast<int>(k));
        return result;
    }
};

// Σ of the squared residuals of the equations, each divided by the squares of its coefficients where these are not 1.
// The scales of scaled copies are free, and the biases of constant neurons are as they are at the point.
class Violation {
public:
    Violation(const Geometry& geometry, const Weights& point, const Piece& piece)
        : geometry_(geometry), point_(point), piece_(piece), output_(point.output) {}

    double squared() {
        double sum = 0;
        for (int i = 0; i < geometry_.incoming.rows(); ++i) sum += of_copies(i);
        for (int g = 0; g < piece_.num_groups(); ++g) sum += of_group(g);
        for (std::size_t k = 0; k < piece_.teacher.size(); ++k) sum += of_others(static_cast<int>(k));
        if (geometry_.output_bias || geometry_.couples_outputs()) sum += output_.squaredNorm();
        return std::max(sum, 0.0);
    }

private:
    auto incoming(int k) const { return point_.incoming.row(k); }
    auto outgoing(int k) const { return point_.outgoing.row(k); }
    auto weights(int k) const { return incoming(k).head(point_.incoming.cols() - geometry_.hidden_bias); }
    double bias(int k) const { return geometry_.hidden_bias ? point_.incoming(k, point_.incoming.cols() - 1) : 0; }

    void join_outputs(int k, double t) {
        if (geometry_.copies.shifts_outputs && t < 0) output_ += geometry_.mirror * outgoing(k).transpose();
    }

    // Of the scale of a copy that fits the point, with the sign that it has on the piece.
    double fitted(int k, int i) const {
        const auto teacher = geometry_.incoming.row(i);
        const double t = incoming(k).dot(teacher) / teacher.squaredNorm();
        return piece_.t[k] < 0 ? std::min(t, 0.0) : std::max(t, 0.0);
    }

    double of_copies(int i) {
        Vector rest = -geometry_.outgoing.row(i).transpose();
        double sum = 0, weight = 0;
        for (const int k : piece_.copies(i)) {
            const double t = geometry_.copies.scales ? fitted(k, i) : piece_.t[k];
            const double outer = geometry_.copies.on_outgoing(t);
            sum += (incoming(k) - t * geometry_.incoming.row(i)).squaredNorm();
            rest += outer * outgoing(k).transpose();
            weight += outer * outer;
            join_outputs(k, t);
        }
        return sum + rest.squaredNorm() / std::max(weight, std::numeric_limits<double>::min());
    }

    double of_group(int g) {
        const std::vector<int> members = piece_.members(g);
        if (members.empty()) return 0;
        Matrix<double> rows(members.size(), point_.incoming.cols());
        Vector n(members.size());
        for (std::size_t a = 0; a < members.size(); ++a) {
            rows.row(a) = incoming(members[a]);
            n[a] = piece_.t[members[a]];
            join_outputs(members[a], n[a]);
        }
        if (geometry_.copies.scales)
            n = Eigen::JacobiSVD<Eigen::MatrixXd>(Eigen::MatrixXd(rows), Eigen::ComputeThinU).matrixU().col(0);
        n.normalize();
        Vector rest = Vector::Zero(point_.outgoing.cols());
        for (std::size_t a = 0; a < members.size(); ++a)
            rest += geometry_.copies.on_outgoing(n[a]) * outgoing(members[a]).transpose();
        return (rows - n * (n.transpose() * rows)).squaredNorm() + rest.squaredNorm();
    }

    double of_others(int k) {
        if (piece_.plays(k, NeuronRole::silent)) return piece_.group[k] < 0 ? outgoing(k).squaredNorm() : 0;
        if (piece_.plays(k, NeuronRole::off)) {
            const double b = geometry_.off == Off::half_line ? std::max(bias(k), 0.0) : bias(k);
            return weights(k).squaredNorm() + b * b;
        }
        if (!piece_.plays(k, NeuronRole::constant)) return 0;
        output_ += geometry_.bias->t(bias(k)) * outgoing(k).transpose();
        return weights(k).squaredNorm();
    }

    const Geometry& geometry_;
    const Weights& point_;
    const Piece& piece_;
    Vector output_;  // (K)  the residual of the sum at the output bias
};

}  // namespace hessorbit::minima
