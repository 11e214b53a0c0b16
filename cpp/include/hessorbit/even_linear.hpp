// The move of even-linear activations, σ(−z) = σ(z) − κ z (relu, gelu, silu, softplus with κ = 1; leaky_relu).
//
// Turning the incoming weights of the neurons F of a layer around takes the affine function
//
//     R φ,   R = Σ_{k∈F} κ_k v_k w̃_kᵀ        (v_k outgoing, w̃_k incoming weights, φ = (s a, 1))
//
// from the preactivations above (over their multiplier). The network computes the same function if it is put back:
//   by linear neurons of the layer, outgoing U:              w̃_linear += Δ,              U Δ
//   by mirrored pairs, w̃_− = −ρ w̃_+:  v_+ += ρ t, v_− −= t,                             κ ρ t w̃_+ᵀ
//   by the bias above, for the constant column of R.
// The first two solve R = U Δ + Σ_pairs κ ρ t w̃_+ᵀ in the least-squares sense, smallest Δ, then smallest t. What is
// then left of R is reported: the move keeps the function where that is zero. It is its own inverse.
#pragma once

#include "orbit.hpp"

#include <Eigen/QR>
#include <utility>
#include <vector>

namespace hessorbit {

inline Properties properties_of(const Activation& activation) {
    for (const ActivationDescription& description : activation_table)
        if (description.kind == activation.kind) return description.properties(activation.parameter);
    return {};
}

struct MirroredPair {
    Index plus, minus;
};

template <class T>
class EvenLinearFlip {
public:
    struct Outcome {
        T remainder;  // largest entry left of R over the largest of Σ |κ v_k w̃_kᵀ|
        T asymmetry;  // largest ‖w̃_− + ρ w̃_+‖ / (‖w̃_−‖ + ‖w̃_+‖); ρ is 1 where σ is not homogeneous
    };

    // layer: hidden layer, counted from 0; flipped, linear and pairs do not overlap. Throws std::invalid_argument where
    // they do, or are not neurons of a hidden layer.
    EvenLinearFlip(const Network& network, Index layer, std::vector<Index> flipped, std::vector<Index> linear,
                   std::vector<MirroredPair> pairs)
        : layer_(network.layer(hidden(network, layer))), next_(network.layer(layer + 1)), flipped_(std::move(flipped)),
          linear_(std::move(linear)), pairs_(std::move(pairs)) {
        for (const ActivationRun& run : layer_.activations)
            properties_.insert(properties_.end(), run.count, properties_of(run.activation));
        std::vector<Index> all = flipped_;
        all.insert(all.end(), linear_.begin(), linear_.end());
        for (const MirroredPair& pair : pairs_) all.insert(all.end(), {pair.plus, pair.minus});
        if (!detail::distinct_below(all, layer_.width))
            throw std::invalid_argument("flipped, linear and pairs must be different neurons of the layer");
    }

    // θ (P), in place.
    Outcome act(T* theta) const {
        Dense remainder = Dense::Zero(next_.width, layer_.features()), magnitude = remainder;
        for (Index k : flipped_) {
            const Dense taken = slope(k) * outgoing(theta, k) * incoming(theta, k);
            remainder += taken;
            magnitude += taken.cwiseAbs();
            for (Index a = 0; a < layer_.features(); ++a) theta[layer_.parameter(k, a)] *= -1;
        }
        if (!linear_.empty()) carry_by_linear(theta, remainder);
        const T asymmetry = pairs_.empty() ? T(0) : carry_by_pairs(theta, remainder);
        if (layer_.bias && next_.bias) carry_by_bias(theta, remainder);
        const T size = largest(magnitude);
        return {size > 0 ? largest(remainder) / size : T(0), asymmetry};
    }

private:
    using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;

    static Index hidden(const Network& network, Index layer) {
        if (layer < 0 || layer + 1 >= network.depth()) throw std::invalid_argument("layer: expected a hidden layer");
        return layer;
    }

    // The smallest x of those that minimise ‖a x − b‖.
    static Dense least_squares(const Dense& a, const Dense& b) {
        return Eigen::CompleteOrthogonalDecomposition<Dense>(a).solve(b);
    }

    static T largest(const Dense& m) { return m.cwiseAbs().maxCoeff(); }

    T slope(Index k) const { return static_cast<T>(properties_[k].even_linear.value_or(0)); }

    // w̃_kᵀ (1, features)
    Dense incoming(const T* theta, Index k) const {
        return Dense::NullaryExpr(1, layer_.features(), [&](Index, Index a) { return theta[layer_.parameter(k, a)]; });
    }

    // v_k (width above, 1)
    Dense outgoing(const T* theta, Index k) const {
        return Dense::NullaryExpr(next_.width, 1, [&](Index j, Index) { return theta[next_.parameter(j, k)]; });
    }

    // Columns of R that neurons of the layer must carry; the bias above takes what they leave of the last one.
    Index carried() const { return next_.bias ? layer_.fan_in : layer_.features(); }

    // w̃_linear += U⁺ R
    void carry_by_linear(T* theta, Dense& remainder) const {
        Dense u(next_.width, linear_.size());
        for (std::size_t i = 0; i < linear_.size(); ++i) u.col(i) = outgoing(theta, linear_[i]);
        auto share = remainder.leftCols(carried());
        const Dense change = least_squares(u, share);
        for (std::size_t i = 0; i < linear_.size(); ++i)
            for (Index a = 0; a < change.cols(); ++a) theta[layer_.parameter(linear_[i], a)] += change(i, a);
        share -= u * change;
    }

    // t = R D⁺, the rows of D being κ ρ w̃_+ᵀ
    T carry_by_pairs(T* theta, Dense& remainder) const {
        const Index count = static_cast<Index>(pairs_.size());
        Dense d(count, layer_.features());
        std::vector<T> ratio(count);
        T asymmetry = 0;
        for (Index i = 0; i < count; ++i) {
            const Dense plus = incoming(theta, pairs_[i].plus), minus = incoming(theta, pairs_[i].minus);
            const T plus_norm = plus.norm(), minus_norm = minus.norm();
            const bool homogeneous = properties_[pairs_[i].plus].positively_homogeneous;
            ratio[i] = homogeneous && plus_norm > 0 ? minus_norm / plus_norm : T(1);
            if (plus_norm + minus_norm > 0)
                asymmetry = std::max(asymmetry, (minus + ratio[i] * plus).norm() / (plus_norm + minus_norm));
            d.row(i) = slope(pairs_[i].plus) * ratio[i] * plus;
        }
        const Dense kept = d.leftCols(carried()), share = remainder.leftCols(carried());
        const Dense change = least_squares(kept.transpose(), share.transpose());
        for (Index i = 0; i < count; ++i)
            for (Index j = 0; j < next_.width; ++j) {
                theta[next_.parameter(j, pairs_[i].plus)] += ratio[i] * change(i, j);
                theta[next_.parameter(j, pairs_[i].minus)] -= change(i, j);
            }
        remainder -= change.transpose() * d;
        return asymmetry;
    }

    void carry_by_bias(T* theta, Dense& remainder) const {
        const T s = next_.multiplier<T>();
        for (Index j = 0; j < next_.width; ++j) {
            theta[next_.parameter(j, next_.fan_in)] += s * remainder(j, layer_.fan_in);
            remainder(j, layer_.fan_in) = 0;
        }
    }

    Layer layer_, next_;
    std::vector<Index> flipped_, linear_;
    std::vector<MirroredPair> pairs_;
    std::vector<Properties> properties_;  // of every neuron
};

}  // namespace hessorbit
