// Weight-space symmetries: what a group element does to θ, and to derivatives in θ.
//
// In a hidden layer l an element acts on preactivations by an invertible M_l and shifts τ_l, chosen so that
//
//     σ_l(M_l z + τ_l) = N_l σ_l(z) + c_l     for every z.
//
// The network then computes the same function after
//
//     W_l → M_l W_l N_{l−1}⁻¹,     b_l → M_l (b_l − s_l W_l N_{l−1}⁻¹ c_{l−1}) + τ_l,
//
// an affine map θ → A θ + t. M_l and N_l are scaled permutations, except on neurons with a linear activation, which a
// dense matrix may mix. So A is a product of three maps, each of them simple:
//
//     shear     b_l −= s_l W_l N_{l−1}⁻¹ c_{l−1}
//     permute   θ'_p = factor_p θ_{source_p}
//     mix       rows of W̃_l and columns of W_{l+1} that belong to linear neurons
//
// From L(Aθ + t) = L(θ) for all θ, gradients go with A⁻ᵀ and Hessians with A⁻ᵀ H A⁻¹, which is the same three maps,
// each replaced by its inverse transpose.
#pragma once

#include "network.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

namespace hessorbit {

// What an element does to one hidden layer, of width d.
template <class T>
struct LayerAction {
    std::vector<Index> source;  // (d)  the neuron that comes to place i
    std::vector<T> incoming;    // (d)  M[i, source[i]]
    std::vector<T> outgoing;    // (d)  N[i, source[i]]
    std::vector<T> constant;    // (d)  c
    std::vector<T> shift;       // (d)  τ
    std::vector<Index> mixed;   // (m)  linear neurons, for which the scaled permutation is the identity
    Matrix<T> matrix, inverse;  // (m, m)  M = N on them, and its inverse
};

namespace detail {

// Whether `places` are different numbers of 0 … count − 1.
inline bool distinct_below(const std::vector<Index>& places, Index count) {
    std::vector<bool> taken(count, false);
    for (const Index place : places) {
        if (place < 0 || place >= count || taken[place]) return false;
        taken[place] = true;
    }
    return true;
}

// Throws std::invalid_argument unless an action is one of a layer of this width, with numbers that T can hold.
template <class T>
void check_action(const LayerAction<T>& action, Index width) {
    const auto sized = [&](const auto& values) { return static_cast<Index>(values.size()) == width; };
    const auto finite = [](const auto& values) {
        return std::all_of(values.begin(), values.end(), [](T x) { return std::isfinite(x); });
    };
    const auto invertible = [&](const auto& values) {
        return finite(values) && std::none_of(values.begin(), values.end(), [](T x) { return x == 0; });
    };
    const Index m = static_cast<Index>(action.mixed.size());
    if (!sized(action.source) || !sized(action.incoming) || !sized(action.outgoing) || !sized(action.constant) ||
        !sized(action.shift) || action.matrix.rows() != m || action.matrix.cols() != m || action.inverse.rows() != m ||
        action.inverse.cols() != m)
        throw std::invalid_argument("layers: expected vectors with an entry for each neuron, and square matrices");
    if (!distinct_below(action.source, width)) throw std::invalid_argument("layers: source must be a permutation");
    if (!distinct_below(action.mixed, width))
        throw std::invalid_argument("layers: mixed must be different neurons of the layer");
    for (const Index i : action.mixed)
        if (action.source[i] != i) throw std::invalid_argument("layers: a mixed neuron must stay in its place");
    if (!invertible(action.incoming) || !invertible(action.outgoing))
        throw std::invalid_argument("layers: factors must be finite, and not zero, in float64");
    if (!finite(action.constant) || !finite(action.shift) || !action.matrix.allFinite() || !action.inverse.allFinite())
        throw std::invalid_argument("layers: constants, shifts and matrices must be finite in float64");
}

// Where the bias of neuron i lies in θ; a layer without biases has none to write to.
inline Index bias_of(const Layer& layer, Index i) {
    if (!layer.bias) throw std::invalid_argument("layers: a shift needs a layer with biases");
    return layer.parameter(i, layer.fan_in);
}

}  // namespace detail

template <class T>
class GroupElement {
public:
    // hidden[l] belongs to hidden layer l, counted from 0; network.depth() − 1 entries. Throws std::invalid_argument
    // where an action does not fit its layer.
    GroupElement(const Network& network, const std::vector<LayerAction<T>>& hidden)
        : source_(network.num_parameters()), factor_(network.num_parameters(), T(1)) {
        if (static_cast<Index>(hidden.size()) != network.depth() - 1)
            throw std::invalid_argument("layers: expected one for each hidden layer");
        for (Index l = 0; l + 1 < network.depth(); ++l) detail::check_action(hidden[l], network.layer(l).width);
        for (Index l = 0; l < network.depth(); ++l) {
            const LayerAction<T>* above = l + 1 < network.depth() ? &hidden[l] : nullptr;
            const LayerAction<T>* below = l > 0 ? &hidden[l - 1] : nullptr;
            place_permutation(network.layer(l), above, below);
            if (below) place_shear(network.layer(l), *below);
        }
        for (Index l = 0; l + 1 < network.depth(); ++l) place_mixing(network.layer(l), network.layer(l + 1), hidden[l]);
    }

    Index num_parameters() const { return static_cast<Index>(source_.size()); }

    // θ (P) → A θ + t, in place.
    void act(T* theta) const {
        transform<Kind::vector>(theta);
        for (const auto& [index, amount] : shifts_) theta[index] += amount;
    }

    // ∇L(θ) (P) → ∇L(Aθ + t) = A⁻ᵀ ∇L(θ), in place.
    void transport_gradient(T* gradient) const { transform<Kind::covector>(gradient); }

    // H(θ) (P, P) → H(Aθ + t) = A⁻ᵀ H(θ) A⁻¹. Takes O(P²) where nothing is mixed, else O(P²) times the number of
    // mixed neurons. `out` must not alias `in`.
    void transport_hessian(const T* in, T* out) const {
        const Index p = num_parameters();
        if (shears_.empty()) {
            permute_both_sides(in, out);
        } else {
            Matrix<T> sheared = Eigen::Map<const Matrix<T>>(in, p, p);
            on_both_sides(sheared, [this](auto& rows) { shear<Kind::covector>(rows); });
            permute_both_sides(sheared.data(), out);
        }
        if (mixings_.empty()) return;
        Eigen::Map<Matrix<T>> mixed(out, p, p);
        on_both_sides(mixed, [this](auto& rows) { mix<Kind::covector>(rows); });
    }

private:
    // θ and its displacements are vectors; gradients are covectors.
    enum class Kind { vector, covector };

    // b[bias] += coefficient · W[weight].
    struct Shear {
        Index bias, weight;
        T coefficient;
    };

    // Parameters (m, k) of which a matrix mixes each column: columns of W̃_l or, where `outgoing`, rows of W_{l+1}.
    struct Mixing {
        Index layer;
        bool outgoing;
        Matrix<Index> parameters;
    };

    static constexpr Index together = 256;  // vectors that a matrix mixes at once

    void place_permutation(const Layer& layer, const LayerAction<T>* above, const LayerAction<T>* below) {
        for (Index i = 0; i < layer.width; ++i)
            for (Index a = 0; a < layer.features(); ++a) {
                const bool moved = below && a < layer.fan_in;
                const Index p = layer.parameter(i, a);
                source_[p] = layer.parameter(above ? above->source[i] : i, moved ? below->source[a] : a);
                if (above) factor_[p] *= above->incoming[i];
                if (moved) factor_[p] /= below->outgoing[a];
                permutes_ = permutes_ || source_[p] != p || factor_[p] != 1;
            }
        for (Index i = 0; above && i < layer.width; ++i)
            if (above->shift[i] != 0) shifts_.push_back({detail::bias_of(layer, i), above->shift[i]});
    }

    // N⁻¹ c
    static std::vector<T> constants_before(const LayerAction<T>& action) {
        std::vector<T> before(action.source.size());
        for (std::size_t i = 0; i < before.size(); ++i)
            before[action.source[i]] = action.constant[i] / action.outgoing[i];
        for (std::size_t i = 0; i < action.mixed.size(); ++i) {
            T sum = 0;
            for (std::size_t j = 0; j < action.mixed.size(); ++j)
                sum += action.inverse(i, j) * action.constant[action.mixed[j]];
            before[action.mixed[i]] = sum;
        }
        return before;
    }

    void place_shear(const Layer& layer, const LayerAction<T>& below) {
        const std::vector<T> constants = constants_before(below);
        for (Index a = 0; a < layer.fan_in; ++a)
            for (Index i = 0; constants[a] != 0 && i < layer.width; ++i)
                shears_.push_back({detail::bias_of(layer, i), layer.parameter(i, a),
                                   -layer.template multiplier<T>() * constants[a]});
    }

    void place_mixing(const Layer& layer, const Layer& next, const LayerAction<T>& action) {
        if (action.mixed.empty()) return;
        const Index index = static_cast<Index>(direct_.size()), size = static_cast<Index>(action.mixed.size());
        direct_.push_back(action.matrix);
        contragredient_.push_back(action.inverse.transpose());
        Matrix<Index> incoming(size, layer.features()), outgoing(size, next.width);
        for (Index i = 0; i < size; ++i) {
            for (Index a = 0; a < incoming.cols(); ++a) incoming(i, a) = layer.parameter(action.mixed[i], a);
            for (Index j = 0; j < outgoing.cols(); ++j) outgoing(i, j) = next.parameter(j, action.mixed[i]);
        }
        mixings_.push_back({index, false, incoming});
        mixings_.push_back({index, true, outgoing});
    }

    template <Kind kind>
    void transform(T* vector) const {
        const Index p = num_parameters();
        Eigen::Map<Matrix<T>> rows(vector, p, 1);
        shear<kind>(rows);
        if (permutes_) {
            const Matrix<T> before = rows;
            for (Index i = 0; i < p; ++i)
                vector[i] = kind == Kind::vector ? before.data()[source_[i]] * factor_[i]
                                                 : before.data()[source_[i]] / factor_[i];
        }
        mix<kind>(rows);
    }

    // rows (P, n): n vectors side by side, a row for each parameter.
    template <Kind kind, class Rows>
    void shear(Rows& rows) const {
        for (const Shear& s : shears_)
            if constexpr (kind == Kind::vector) rows.row(s.bias) += s.coefficient * rows.row(s.weight);
            else rows.row(s.weight) -= s.coefficient * rows.row(s.bias);
    }

    template <Kind kind, class Rows>
    void mix(Rows& rows) const {
        const Index n = rows.cols(), most = std::max<Index>(1, together / n);
        for (const Mixing& m : mixings_) {
            const Matrix<T>& matrix = ((kind == Kind::vector) != m.outgoing ? direct_ : contragredient_)[m.layer];
            for (Index first = 0; first < m.parameters.cols(); first += most) {
                const auto parameters = m.parameters.middleCols(first, std::min(most, m.parameters.cols() - first));
                Matrix<T> before(matrix.cols(), parameters.cols() * n);
                for (Index i = 0; i < before.rows(); ++i)
                    for (Index k = 0; k < parameters.cols(); ++k)
                        before.row(i).segment(k * n, n) = rows.row(parameters(i, k));
                const Matrix<T> mixed = matrix * before;
                for (Index i = 0; i < before.rows(); ++i)
                    for (Index k = 0; k < parameters.cols(); ++k)
                        rows.row(parameters(i, k)) = mixed.row(i).segment(k * n, n);
            }
        }
    }

    // x → C x Cᵀ for the map C that `apply` performs on rows.
    template <class Square, class Apply>
    static void on_both_sides(Square& x, Apply apply) {
        for (int side = 0; side < 2; ++side) {
            apply(x);
            x.transposeInPlace();
        }
    }

    void permute_both_sides(const T* in, T* out) const {
        const Index p = num_parameters();
        if (!permutes_) return void(std::copy(in, in + p * p, out));
        std::vector<T> inverse(p);
        for (Index i = 0; i < p; ++i) inverse[i] = 1 / factor_[i];
        for (Index i = 0; i < p; ++i) {
            const T* row = in + source_[i] * p;
            for (Index j = 0; j < p; ++j) out[i * p + j] = inverse[i] * inverse[j] * row[source_[j]];
        }
    }

    std::vector<Index> source_;  // (P)
    std::vector<T> factor_;      // (P)
    bool permutes_ = false;
    std::vector<std::pair<Index, T>> shifts_;
    std::vector<Shear> shears_;
    std::vector<Mixing> mixings_;
    std::vector<Matrix<T>> direct_, contragredient_;  // one for each layer that mixes
};

}  // namespace hessorbit
